package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"pubsub/server/history"
)

// Tickets are values that can be taken once. All instances share them.
type Tickets struct {
	log  *Log
	stay time.Duration
}

// Tickets returns tickets that are kept for the given time.
func (l *Log) Tickets(stay time.Duration) *Tickets { return &Tickets{l, stay} }

// KeepTicket keeps a value. The error is [history.ErrAway].
func (t *Tickets) KeepTicket(ctx context.Context, ticket string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c := t.log.client
	err := c.Do(ctx, c.B().Set().Key(t.log.names.ticket(ticket)).Value(rueidis.BinaryString(value)).Ex(t.stay).Build()).Error()
	t.log.heed(err)
	if err != nil {
		return fmt.Errorf("%w: %w", history.ErrAway, err)
	}
	return nil
}

// TakeTicket returns a value and forgets it; nil if there is none. The error is
// [history.ErrAway].
func (t *Tickets) TakeTicket(ctx context.Context, ticket string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c := t.log.client
	value, err := c.Do(ctx, c.B().Getdel().Key(t.log.names.ticket(ticket)).Build()).AsBytes()
	t.log.heed(err)
	switch {
	case rueidis.IsRedisNil(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %w", history.ErrAway, err)
	}
	return value, nil
}
