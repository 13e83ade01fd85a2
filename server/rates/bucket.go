package rates

import "time"

// Rate is how many tokens a bucket gains a second, and how many it holds.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// Bucket holds tokens. The zero value is full. It is not safe for concurrent use.
type Bucket struct {
	taken float64 // tokens of the burst that are gone; more than the burst if tokens were promised
	at    time.Time
}

// fill adds the tokens that have come since the last call.
func (b *Bucket) fill(r Rate) {
	now := time.Now()
	b.taken = max(0, b.taken-now.Sub(b.at).Seconds()*r.PerSecond)
	b.at = now
}

// untilOne returns how long it takes until there is one token.
func (b *Bucket) untilOne(r Rate) time.Duration {
	lacking := b.taken + 1 - r.Burst
	return time.Duration(max(0, lacking) / r.PerSecond * float64(time.Second))
}

// Take takes tokens, as many as there are. It returns how many are lacking.
func (b *Bucket) Take(r Rate, tokens float64) (lacking float64) {
	b.fill(r)
	lacking = max(0, b.taken+tokens-r.Burst)
	b.taken += tokens - lacking
	return lacking
}

// GiveBack puts tokens back.
func (b *Bucket) GiveBack(tokens float64) { b.taken = max(0, b.taken-tokens) }
