package rates

import "time"

// Rate is how fast tokens come, and how many are saved up.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// Bucket has somebody's tokens. Its zero value is full. It is not safe for concurrent use.
type Bucket struct {
	taken float64 // of the burst; more than that if some are promised that are not there yet
	at    time.Time
}

// fill adds what has come since.
func (b *Bucket) fill(r Rate) {
	now := time.Now()
	b.taken = max(0, b.taken-now.Sub(b.at).Seconds()*r.PerSecond)
	b.at = now
}

// untilOne is how long it takes until there is one token.
func (b *Bucket) untilOne(r Rate) time.Duration {
	lacking := b.taken + 1 - r.Burst
	return time.Duration(max(0, lacking) / r.PerSecond * float64(time.Second))
}

// Take takes so many tokens, or those that there are. It returns how many it lacks.
func (b *Bucket) Take(r Rate, tokens float64) (lacking float64) {
	b.fill(r)
	lacking = max(0, b.taken+tokens-r.Burst)
	b.taken += tokens - lacking
	return lacking
}

// GiveBack gives tokens back.
func (b *Bucket) GiveBack(tokens float64) { b.taken = max(0, b.taken-tokens) }
