package attack

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"pubsub/bench/target"
)

// stopLimit is how long the server may take to end after SIGTERM; then the
// target kills it.
const stopLimit = 9 * time.Second

// Run does the attack to a fresh server and tells what was seen. The error is
// for an attack that could not be done; marks missed are in the row.
func (a Attack) Run(ctx context.Context, o Options) (row Row, err error) {
	s := &scene{Options: o, stderr: &stderr{fate: a.stderr}, secure: a.secure, proxied: a.proxied}
	defer s.stderr.Close()
	if s.target, err = target.Start(ctx, target.Spec{
		Name: a.Name, Command: a.shell + s.environment() + s.stderr.redirect() + o.Command, Prepare: s.prepare,
	}); err != nil {
		return row, err
	}
	if s.beside, err = target.Start(ctx, o.Beside.WithCertificate(a.secure)); err != nil {
		s.target.Stop()
		return row, err
	}
	row, err = a.watched(ctx, s)
	s.beside.Stop()
	if !s.target.Alive() {
		s.miss("the server ended during the attack")
	}
	begin := time.Now()
	s.target.Stop()
	if took := time.Since(begin); took > stopLimit {
		s.miss("SIGTERM did not end the server within %s", stopLimit)
	}
	row.Notes, row.Missed = s.notes, append(s.missed, o.Marks.missed(row)...)
	return row, err
}

// environment goes before the server's command.
func (s *scene) environment() (text string) {
	if s.secure {
		text += "export PUBSUB_TLS_CERT={dir}/cert.pem PUBSUB_TLS_KEY={dir}/key.pem; "
	}
	if s.proxied {
		text += "export PUBSUB_TRUSTED_HOPS=1; "
	}
	return text
}

// prepare fills the target's folder.
func (s *scene) prepare(dir string, port int) error {
	if s.secure {
		if err := target.Certify(dir, port); err != nil {
			return err
		}
	}
	return s.stderr.prepare(dir, port)
}

// watched lets people chat before, during and after the attack.
func (a Attack) watched(ctx context.Context, s *scene) (Row, error) {
	row := Row{Attack: a.Name, About: a.About}
	n := s.Clients
	if a.people > 0 {
		n = min(n, a.people)
	}
	p, err := s.gather(ctx, n)
	if err != nil {
		return row, err
	}
	var posting sync.WaitGroup
	posts, endPosts := context.WithCancel(ctx)
	posting.Go(func() { p.post(posts) })
	pause(ctx, s.Before)
	row.Before, row.Messages = s.target.Memory(), -s.messages()
	p.phase.Store(int32(during))
	err = a.attacked(ctx, s, &row)
	p.phase.Store(int32(after))
	pause(ctx, s.After)
	row.After = s.target.Memory()
	row.Messages = max(row.Messages+s.messages(), 0)
	row.Peak = max(row.Peak, row.After) // what is not read may be written only then

	endPosts()
	posting.Wait()
	p.finish(ctx, 15*time.Second)
	row.heard(p)
	row.Answers, row.Broken = s.answers.String(), s.answers.broken.Load()+p.answers.broken.Load()
	if p.strange != "" {
		s.note("%s", p.strange)
	}
	return row, err
}

// attacked is the attack itself, with eyes on the server.
func (a Attack) attacked(ctx context.Context, s *scene, row *Row) error {
	watch, endWatch := context.WithCancel(ctx)
	var watching sync.WaitGroup
	var peak atomic.Int64
	watching.Go(func() { s.weigh(watch, &peak) })
	watching.Go(func() {
		h := s.probe(watch)
		row.Worst, row.Median = h.times.Max(), h.times.Quantile(.5)
		if h.failed > 0 {
			s.note("%d of %d looks at /healthz had no answer", h.failed, h.times.Count())
		}
	})
	watching.Go(func() {
		beside := &scene{target: s.beside, secure: s.secure}
		h := beside.probe(watch)
		row.Beside = h.times.Max()
	})
	limited, cancel := ctx, context.CancelFunc(func() {})
	if !a.counted {
		limited, cancel = context.WithTimeout(ctx, s.For)
	}
	begin := time.Now()
	err := a.run(limited, s)
	row.Took = time.Since(begin)
	cancel()
	endWatch()
	watching.Wait()
	row.Peak = max(peak.Load(), s.target.Memory())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.Name, err)
	}
	return nil
}

// weigh follows the server's memory until ctx ends.
func (s *scene) weigh(ctx context.Context, peak *atomic.Int64) {
	for pause(ctx, 200*time.Millisecond) {
		peak.Store(max(peak.Load(), s.target.Memory()))
	}
}
