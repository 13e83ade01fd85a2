// Package roster knows who is in which channel. [Memory] is for a single process. Package
// history/redis has a roster that several instances share.
package roster

import (
	"context"
	"time"
)

// Person is a name in a channel. A name in two tabs is one person.
type Person struct{ Channel, Name string }

// Change is a person who has come or left.
type Change struct {
	Person
	Joined bool // otherwise the person left
	Count  int  // of people in the channel, after the change
	Named  bool // to be told by name, because the channel is small and few come and go
}

const (
	// MaxNames is the size of the largest channel whose names are told.
	MaxNames = 50
	// MaxNamed is how many changes of a channel are told by name in a second.
	MaxNamed = 5
	// TypingEvery is the least time before it is told again that a person types.
	TypingEvery = 3 * time.Second
)

// IsNamed tells whether a change is to be told by name. count is how many people are in the
// channel, and recent how many changes it had within a second.
func IsNamed(count, recent int) bool { return count <= MaxNames && recent <= MaxNamed }

// Roster knows who is here. Its methods are safe for concurrent use, and may wait for a
// network. An error means that the roster cannot be reached now. Then it may have done all, a
// part or nothing of the call.
type Roster interface {
	// Put makes people be here until Take. Putting people again is fine. It returns those who
	// were not here in any process before.
	Put(ctx context.Context, people []Person) ([]Change, error)

	// Take undoes Put of this process. It returns those who are not here in any other.
	Take(ctx context.Context, people []Person) ([]Change, error)

	// Who returns how many people are in a channel. It returns their names, too, sorted, if
	// they are at most MaxNames.
	Who(ctx context.Context, channel string) (count int, names []string, err error)

	// Count returns how many people are in a channel, and whether to tell it now: only one
	// process may in a second.
	Count(ctx context.Context, channel string) (count int, tell bool, err error)

	// Typed tells whether to tell that a person types, and takes it as told then. It is false
	// if that was told within TypingEvery, or if too many others of the channel were told
	// within a second.
	Typed(ctx context.Context, p Person) (tell bool, err error)
}

// Shared is a roster of several processes. People that a process has put leave after a lease
// if it does not put them again, because it may have been killed.
type Shared interface {
	Roster

	// Lease is how long a Put lasts. Put people again after a third of it.
	Lease() time.Duration

	// Release is Put for a process that ends: its people leave after within, unless they come
	// back elsewhere.
	Release(ctx context.Context, people []Person, within time.Duration) error

	// Sweep removes the people whose lease has ended, of any process. Each change is returned
	// to one process only. more tells that there are more to remove.
	Sweep(ctx context.Context) (changes []Change, more bool, err error)
}
