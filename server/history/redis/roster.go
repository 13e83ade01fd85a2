package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"pubsub/server/roster"
)

//go:embed roster.lua
var rosterSource string

//go:embed who.lua
var whoSource string

//go:embed typed.lua
var typedSource string

var (
	rosterScript = rueidis.NewLuaScript(rosterSource)
	whoScript    = rueidis.NewLuaScript(whoSource)
	typedScript  = rueidis.NewLuaScript(typedSource)
)

const sweepAtMax = 300 // leases in one call

// Roster is a [roster.Shared] in the Redis of a log. Its errors are [history.ErrAway]. Its
// methods are safe for concurrent use.
type Roster struct {
	log      *Log
	instance string // different in each process
	lease    time.Duration
}

var _ roster.Shared = (*Roster)(nil)

// Roster returns a roster whose leases last for the given time.
func (l *Log) Roster(lease time.Duration) *Roster {
	return &Roster{log: l, instance: strings.ToLower(rand.Text()), lease: lease}
}

// Lease implements [roster.Shared].
func (r *Roster) Lease() time.Duration { return r.lease }

// Put implements [roster.Roster].
func (r *Roster) Put(ctx context.Context, people []roster.Person) ([]roster.Change, error) {
	_, changes, err := r.act(ctx, "put", micros(r.lease), people)
	return changes, err
}

// Take implements [roster.Roster].
func (r *Roster) Take(ctx context.Context, people []roster.Person) ([]roster.Change, error) {
	_, changes, err := r.act(ctx, "take", "", people)
	return changes, err
}

// Release implements [roster.Shared].
func (r *Roster) Release(ctx context.Context, people []roster.Person, within time.Duration) error {
	_, _, err := r.act(ctx, "release", micros(within), people)
	return err
}

// Sweep implements [roster.Shared].
func (r *Roster) Sweep(ctx context.Context) (changes []roster.Change, more bool, err error) {
	looked, changes, err := r.act(ctx, "sweep", strconv.Itoa(sweepAtMax), nil)
	return changes, looked == sweepAtMax, err
}

// act runs roster.lua.
func (r *Roster) act(ctx context.Context, what, number string, people []roster.Person) (looked int, changes []roster.Change, err error) {
	args := append(make([]string, 0, 4+2*len(people)), what, string(r.log.names), r.instance, number)
	for _, p := range people {
		args = append(args, p.Channel, p.Name)
	}
	said, err := r.log.call(ctx, rosterScript, []string{r.log.names.leases()}, args)
	if err != nil {
		return 0, nil, err
	}
	n, _ := said[0].AsInt64()
	all, err := said[1].ToArray()
	if err != nil {
		return 0, nil, err
	}
	changes, err = changesOf(all)
	return int(n), changes, err
}

func changesOf(said []rueidis.RedisMessage) (changes []roster.Change, err error) {
	const fields = 5
	for change := range slices.Chunk(said, fields) {
		channel, _ := change[0].ToString()
		name, _ := change[1].ToString()
		joined, _ := change[2].AsInt64()
		count, _ := change[3].AsInt64()
		recent, err := change[4].AsInt64()
		if err != nil {
			return nil, fmt.Errorf("what is said of %q: %w", channel, err)
		}
		changes = append(changes, roster.Change{Person: roster.Person{Channel: channel, Name: name},
			Joined: joined == 1, Count: int(count), Named: roster.IsNamed(int(count), int(recent))})
	}
	return changes, nil
}

// Who implements [roster.Roster].
func (r *Roster) Who(ctx context.Context, channel string) (count int, names []string, err error) {
	count, _, names, err = r.who(ctx, channel, 0)
	slices.Sort(names)
	return count, names, err
}

// Count implements [roster.Roster].
func (r *Roster) Count(ctx context.Context, channel string) (count int, tell bool, err error) {
	count, tell, _, err = r.who(ctx, channel, countEvery)
	return count, tell, err
}

// countEvery is a little less than the time after which a process tries again.
const countEvery = 950 * time.Millisecond

func (r *Roster) who(ctx context.Context, channel string, mark time.Duration) (count int, tell bool, names []string, err error) {
	said, err := r.log.ask(ctx, whoScript, []string{r.log.names.here(channel), r.log.names.counted(channel)},
		[]string{strconv.Itoa(roster.MaxNames), strconv.FormatInt(mark.Milliseconds(), 10)})
	if err != nil {
		return 0, false, nil, err
	}
	names, err = said[2].AsStrSlice()
	n, _ := said[0].AsInt64()
	may, _ := said[1].AsInt64()
	return int(n), may == 1, names, err
}

// Typed implements [roster.Roster].
func (r *Roster) Typed(ctx context.Context, p roster.Person) (tell bool, err error) {
	of := r.log.names.typing(p.Channel)
	said, err := r.log.call(ctx, typedScript, []string{of + ":" + p.Name, of},
		[]string{strconv.FormatInt(roster.TypingEvery.Milliseconds(), 10), strconv.Itoa(roster.MaxNamed)})
	if err != nil {
		return false, err
	}
	may, err := said[0].AsInt64()
	return may == 1, err
}
