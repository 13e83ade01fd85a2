package access

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"pubsub/server/lru"
	"pubsub/server/tokens"
	"pubsub/server/web"
)

// A browser's EventSource and WebSocket cannot send a token, and an address must not have
// one. So a client exchanges its token for a ticket, which may be in an address: it is good
// once, and for half a minute.

// TicketFor is how long a ticket is good.
const TicketFor = 30 * time.Second

// TicketStore keeps tickets. Instances that share a log share one. Its methods are safe for
// concurrent use, and may wait.
type TicketStore interface {
	// KeepTicket keeps a value for TicketFor.
	KeepTicket(ctx context.Context, ticket string, value []byte) error
	// TakeTicket returns the value and forgets it; nil if there is none.
	TakeTicket(ctx context.Context, ticket string) ([]byte, error)
}

// Ticket answers POST /ticket with a ticket for the token of a request.
func (c *Control) Ticket(w http.ResponseWriter, r *http.Request) error {
	if c.tokens == nil {
		return web.Refuse(http.StatusNotFound, "There are no tickets here, since no token is needed.")
	}
	if err := c.AdmitRead(r); err != nil { // because tickets take memory
		return err
	}
	claims, err := c.claimsOf(r)
	if err == nil && claims == nil {
		err = noToken("to be exchanged for a ticket")
	}
	if err != nil {
		return err
	}
	value, err := json.Marshal(claims)
	if err != nil {
		return err
	}
	ticket := rand.Text()
	if err := c.Tickets.KeepTicket(r.Context(), ticket, value); err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"ticket": ticket, "expires_in": int(TicketFor.Seconds())})
}

// Redeem returns the request with the rights of a ticket, which cannot be used again. Without
// tokens, or if ticket is "", Redeem returns r. The errors are a [web.Problem] for a ticket that
// is not known, and those of the [TicketStore].
func (c *Control) Redeem(r *http.Request, ticket string) (*http.Request, error) {
	if c.tokens == nil || ticket == "" {
		return r, nil
	}
	value, err := c.Tickets.TakeTicket(r.Context(), ticket)
	if err != nil {
		return nil, err
	}
	claims := new(tokens.Claims)
	if value == nil || json.Unmarshal(value, claims) != nil {
		return nil, web.Unauthorized("The ticket is not known: it is good once, and for %d seconds. Get a new one.", int(TicketFor.Seconds()))
	}
	return r.WithContext(context.WithValue(r.Context(), claimsKey{}, claims)), nil
}

// maxTickets is how many tickets are kept in memory. The oldest ones are dropped for new
// ones.
const maxTickets = 50_000

// ticketsHere is a TicketStore for a single process.
type ticketsHere struct {
	mu   sync.Mutex // guards kept; no other lock is taken under it
	kept *lru.Cache[string, keptTicket]
}

type keptTicket struct {
	value []byte
	until time.Time
}

func newTicketsHere() *ticketsHere {
	return &ticketsHere{kept: lru.New[string, keptTicket](maxTickets, nil)}
}

// KeepTicket implements [TicketStore].
func (t *ticketsHere) KeepTicket(_ context.Context, ticket string, value []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		_, oldest, found := t.kept.GetOldest()
		if !found || time.Now().Before(oldest.until) {
			break
		}
		t.kept.RemoveOldest()
	}
	t.kept.Add(ticket, keptTicket{value, time.Now().Add(TicketFor)})
	return nil
}

// TakeTicket implements [TicketStore].
func (t *ticketsHere) TakeTicket(_ context.Context, ticket string) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept, found := t.kept.Peek(ticket)
	t.kept.Remove(ticket)
	if !found || time.Now().After(kept.until) {
		return nil, nil
	}
	return kept.value, nil
}
