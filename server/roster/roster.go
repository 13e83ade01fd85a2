// Package roster keeps who is in which channel. [Memory] is for a single process; package
// history/redis has one that several instances share.
package roster

import (
	"context"
	"time"
)

// Person is a name in a channel. Two tabs of ann are one ann.
type Person struct{ Channel, Name string }

// Change is somebody who has come or gone.
type Change struct {
	Person
	Joined bool // else they left
	Count  int  // in the channel, right after
	Named  bool // to be told by name: the channel is small, and few come and go there
}

const (
	// MaxNames is up to how many people a channel tells their names.
	MaxNames = 50
	// MaxNamed is how many changes of a channel are told by name in a second.
	MaxNamed = 5
	// TypingEvery is how often somebody may be told to type.
	TypingEvery = 3 * time.Second
)

// IsNamed tells whether a change is to be told by name: count is how many are in the
// channel, and recent how many changes it had within a second.
func IsNamed(count, recent int) bool { return count <= MaxNames && recent <= MaxNamed }

// Roster keeps people. Its methods are safe for concurrent use. They may take as long as a
// network takes. Their errors mean that the roster cannot be reached now; then it may have
// done what was asked, or a part.
type Roster interface {
	// Put has people be here until Take, and again if they are already. It returns those
	// who were not here before in any process.
	Put(ctx context.Context, people []Person) ([]Change, error)

	// Take ends what this process has put. It returns those who are here in no other.
	Take(ctx context.Context, people []Person) ([]Change, error)

	// Who returns how many are in a channel, and their names, sorted, if these are at most
	// MaxNames.
	Who(ctx context.Context, channel string) (count int, names []string, err error)

	// Count returns how many are in a channel, and whether to tell it now: in a second
	// only one process may.
	Count(ctx context.Context, channel string) (count int, tell bool, err error)

	// Typed tells whether somebody has not been told to type for TypingEvery, nor too many
	// others in the channel within a second. Then it takes it that this one is told.
	Typed(ctx context.Context, p Person) (tell bool, err error)
}

// Shared is a roster of several processes. What one of them has put ends by itself after a
// lease unless it is put again: the process may have been killed.
type Shared interface {
	Roster

	// Lease is how long what was put lasts. To put it again after a third is good.
	Lease() time.Duration

	// Release is Put for a process that ends: all may come back elsewhere in so long.
	Release(ctx context.Context, people []Person, within time.Duration) error

	// Sweep takes out those whose lease has ended, whoever has put them. Every change is
	// returned to one process only. more tells that there are more to take out.
	Sweep(ctx context.Context) (changes []Change, more bool, err error)
}
