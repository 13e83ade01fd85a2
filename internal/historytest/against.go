package historytest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
)

var (
	steps = flag.Int("against.steps", 0, "how much is done with a log and its model; 0: 10,000, or with -short 1,000")
	seed  = flag.Uint64("against.seed", 1, "what is done")
)

// stepsOfWorld is how many steps are taken with each pair of logs.
const stepsOfWorld = 250

// Against takes the same random steps with a log and with its model, while time passes, and
// expects the same results.
func Against(t *testing.T, open, model Open) {
	n := *steps
	if n == 0 && testing.Short() {
		n = 1000
	} else if n == 0 {
		n = 10_000
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	for i := range (n + stepsOfWorld - 1) / stepsOfWorld {
		synctest.Test(t, func(t *testing.T) {
			options := randomBounds(random, i)
			w := &pair{t: t, random: random, options: options, log: open(t, options), model: model(t, options)}
			for step := range stepsOfWorld {
				w.at = fmt.Sprintf("world %d with %+v, step %d", i, options, step)
				w.step()
			}
		})
	}
}

// maxObject is so large that two owners hardly ever have equal bytes: which of them makes
// room is not specified then.
const maxObject = 40_000

// randomBounds returns bounds at which it is clear which owner has most.
func randomBounds(random *rand.Rand, world int) history.Options {
	o := history.Options{Home: "home"}
	if random.IntN(2) == 0 {
		o.Messages = 1 + random.IntN(12)
	}
	if random.IntN(3) > 0 {
		o.Age = time.Minute
	}
	switch world % 3 {
	case 0:
		o.Channels, o.ChannelsPerOwner = 4, 3
	case 1:
		o.BytesPerOwner = 3*maxObject + random.IntN(5*maxObject)
		o.Bytes = 6*maxObject + random.IntN(5*maxObject)
	}
	return o
}

// pair is a log and its model.
type pair struct {
	t          *testing.T
	random     *rand.Rand
	options    history.Options
	log, model history.Log
	at         string // the current step, for errors

	places []place // places that were seen
	posts  []history.Post
}

// place is the same place in both logs.
type place struct {
	channel    string
	log, model history.Cursor
}

func (w *pair) step() {
	switch n := w.random.IntN(100); {
	case n < 45:
		w.post()
	case n < 85:
		w.read()
	case n < 88:
		w.list()
	case n < 99:
		w.pass(time.Duration(1+w.random.IntN(40)) * time.Second)
	case w.random.IntN(4) == 0:
		w.pass(30 * time.Hour) // after that all is forgotten
	}
}

// pass lets time pass: at least a second if messages have an age, because expired messages
// may take room until a second after the last sweep.
func (w *pair) pass(d time.Duration) { time.Sleep(d) }

func (w *pair) channel() string {
	return []string{"home", "a", "b", "c", "d", "e"}[w.random.IntN(6)]
}

func (w *pair) post() {
	owners := 4
	if w.options.Channels > 0 {
		owners = 2 // it is clear which of them has more
	}
	p := history.Post{
		Channel: w.channel(), By: ann, Object: fmt.Appendf(nil, `{"n":%0*d}`, 1+w.random.IntN(maxObject), w.random.IntN(1000)),
	}
	for range w.random.IntN(owners) {
		p.By = p.By.Next()
	}
	if w.random.IntN(8) == 0 {
		p.Key = fmt.Sprint(w.random.IntN(4))
		w.posts = append(w.posts, p)
	}
	if len(w.posts) > 0 && w.random.IntN(8) == 0 {
		p = w.posts[w.random.IntN(len(w.posts))]
	}
	got, err := w.log.Append(context.Background(), p)
	want, wantErr := w.model.Append(context.Background(), p)
	require.ErrorIs(w.t, err, wantErr, w.at)
	require.Equal(w.t, want.Repeat, got.Repeat, w.at)
	require.Equal(w.t, want.Message, got.Message, w.at)
	w.same(p.Channel, got.Cursor, want.Cursor)
	if w.options.Age > 0 {
		w.pass(time.Second)
	} else {
		w.pass(time.Millisecond) // so that the order of messages is clear
	}
}

// same expects the same place in both logs, and keeps it.
func (w *pair) same(channel string, log, model history.Cursor) {
	require.Equal(w.t, model.ID, log.ID, w.at)
	require.False(w.t, model.Check.Differs(log.Check), w.at)
	if model.Epoch != "" {
		w.places = append(w.places, place{channel, log, model})
	}
}

func (w *pair) read() {
	q := history.Query{Channel: w.channel(), Limit: w.random.IntN(8), Fresh: true}
	if w.random.IntN(3) == 0 {
		q.Limit = everything
	}
	of := q
	switch kind := w.random.IntN(8); kind {
	case 0:
		q.Since = history.Now()
	case 1:
		q.Since = history.Last(uint64(w.random.IntN(8)))
	case 2:
		q.Since = history.All()
	case 3:
		q.Since = history.AfterID(uint64(w.random.IntN(30)))
	case 4:
		q.Since = history.AfterTime(time.Now().Add(-time.Duration(w.random.IntN(100)) * time.Second))
	case 5:
		q.Since = history.Back()
	}
	of.Since = q.Since
	if q.Since == history.Now() && len(w.places) > 0 {
		p := w.places[max(0, len(w.places)-1-w.random.IntN(40))]
		q.Channel, of.Channel = p.channel, p.channel
		q.Since, of.Since = history.After(p.log), history.After(p.model)
		if w.random.IntN(3) == 0 {
			q.Since, of.Since = history.Before(p.log), history.Before(p.model)
		}
	}
	got, err := w.log.Read(context.Background(), q)
	require.NoError(w.t, err, w.at)
	want, err := w.model.Read(context.Background(), of)
	require.NoError(w.t, err, w.at)
	at := fmt.Sprintf("%s, %+v", w.at, q)
	require.Equal(w.t, ids(want), ids(got), at)
	require.Equal(w.t, want.Messages, got.Messages, at)
	require.Equal(w.t, want.Gap, got.Gap, at)
	require.Equal(w.t, want.More, got.More, at)
	if w.options.Bytes == 0 { // otherwise the messages that tell of a flood may have left
		require.Equal(w.t, want.Flood, got.Flood, at)
	}
	require.Equal(w.t, want.LastTime, got.LastTime, at)
	w.same(q.Channel, got.Start, want.Start)
	w.same(q.Channel, got.Cursor, want.Cursor)
}

func (w *pair) list() {
	require.Equal(w.t, channels(w.t, w.model), channels(w.t, w.log), w.at)
}
