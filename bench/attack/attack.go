// Package attack does to a server what a hostile stranger would, while honest
// people chat on it, and tells what that cost the server and them.
//
// An attack is a function over a scene. The table below has them all; each
// family has a file. run.go is the order of events, people.go the honest chat,
// health.go the newcomer who only wants to know whether the server answers, and
// wire.go the connections, each from a loopback address of one's choice.
package attack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pubsub/bench/target"
)

// Attack is one way to hurt a server.
type Attack struct {
	Name  string
	About string // one sentence: what it does

	run     func(context.Context, *scene) error
	counted bool   // ends by a count, not by the clock
	shell   string // goes before the server's command
	stderr  fate
	secure  bool // the server speaks TLS, and with it HTTP/2
	proxied bool // all come from one address, as through a proxy that says whose they are
	people  int  // at most so many honest people; 0 for as many as asked for
}

// All is every attack, in the order of the table.
var All = []Attack{
	{Name: "none", run: none,
		About: "No attack: what the honest chat costs by itself."},
	{Name: "forwarded", run: forwarded,
		About: "990 polls without a cursor on 16 channels, each with a new Forwarded and User-Agent, answered by posts of the attacker."},
	{Name: "unread-lists", run: unreadLists,
		About: "9,990 channel names of 128 bytes are polled and posted to, nearly all there may be, then 1,000 connections ask for /channels and never read."},
	{Name: "unread-pages", run: unreadPages,
		About: "A channel is filled with 1,000 messages of 16 KB, then 5,000 connections ask for a page of it and never read."},
	{Name: "dear-reads", run: dearReads,
		About: "50 connections ask without a pause for what costs most: lists, transcripts, metrics, 100 KB of JSON, new channels."},
	{Name: "keys", run: keys,
		About: "100,000 idempotency keys from 1,000 addresses; then whether a key silences another message of its sender, or another sender."},
	{Name: "channels", run: channels,
		About: "101 addresses post to 100 new channels each; then whether newcomers still get in, and whether those who waited noticed."},
	{Name: "subs", run: subs(900, 1, 20),
		About: "900 polls on one channel are answered, and 20 posts of 16 KB come before they ask again; over and over."},
	{Name: "subs-many", run: subs(3000, 30, 400),
		About: "The same with 3,000 polls of 30 addresses and 400 posts."},
	{Name: "history", run: historyOfOne,
		About: "One address posts 16 KB to many rooms as fast as it may."},
	{Name: "history-many", run: historyOfMany,
		About: "60 addresses post 100 messages of 16 KB each at once."},
	{Name: "logs", run: logs, stderr: read,
		About: "Two connections ask without a pause for paths of 15 KB that are not there; what the server logs is counted."},
	{Name: "logs-unread", run: logs, stderr: unread,
		About: "The same while nobody reads the server's log."},
	{Name: "logs-gone", run: logsGone, stderr: read,
		About: "The same while the reader of the log goes away."},
	{Name: "descriptors", run: descriptors, shell: "ulimit -n 1024; ", people: 100,
		About: "The server may open 1,024 files; 1,100 connections of one address ask once and stay."},
	{Name: "descriptors-proxied", run: descriptorsProxied, shell: "ulimit -n 1024; ", proxied: true, people: 100,
		About: "The server may open 1,024 files and is behind a proxy; one stranger has 1,000 polls, over as many connections of the proxy."},
	{Name: "hang-ups", run: hangUps, secure: true,
		About: "4,000 at a time ask over HTTP/2 and hang up after 10 ms; then how long an honest request of that address takes."},
	{Name: "h2-unread", run: unreadOverHTTP2, secure: true,
		About: "400 connections of HTTP/2 ask for 250 pages each, with no room for an answer."},
	{Name: "h2-resets", run: resets, secure: true,
		About: "Requests over HTTP/2 are taken back at once, at 100 Mbit/s over 40 connections."},
	{Name: "h2-empty", run: emptyData, secure: true,
		About: "Bodies over HTTP/2 in empty pieces without an end, at 100 Mbit/s over 40 connections."},
	{Name: "ws-parts", run: emptyParts,
		About: "Texts over 40 WebSockets in empty pieces without an end, at 100 Mbit/s."},
	{Name: "ws-json", run: wordyTexts,
		About: "Texts of 90 KB that have to be parsed and mean nothing, over 40 WebSockets as fast as these are taken."},
	{Name: "two-instances", run: twoInstances,
		About: "No attack but a mistake: a proxy deals requests to two servers in turn. How often does one reader ask in 5 s?"},
	{Name: "polls", run: polls("chat", ""),
		About: "10 addresses have 1,000 polls each on the chat and ask again at once; whether newcomers' polls are taken."},
	{Name: "polls-quiet", run: polls("lobby", ""),
		About: "The same in a room where nothing is said, so that all 10,000 stay; whether newcomers' polls are taken there."},
	{Name: "polls-since", run: polls("chat", "?since=now"),
		About: "As polls, with polls that say what they have."},
	{Name: "polls-since-quiet", run: polls("lobby", "?since=now&timeout=60"),
		About: "As polls-quiet, with such polls."},
	{Name: "mix", run: mix, counted: true,
		About: "Small doses of all of these in random order, by the number of requests."},
}

// none is for comparison.
func none(ctx context.Context, _ *scene) error {
	<-ctx.Done()
	return nil
}

// Named is the attacks that names lists with commas between them; "all" is all.
func Named(names string) ([]Attack, error) {
	if names == "all" {
		return All, nil
	}
	var some []Attack
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(All, func(a Attack) bool { return a.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no attack %q; take some of %s, or all", name, strings.Join(Names(), ","))
		}
		some = append(some, All[i])
	}
	return some, nil
}

// Names is what the attacks are called.
func Names() (names []string) {
	for _, a := range All {
		names = append(names, a.Name)
	}
	return names
}

// Options say how an attack is run.
type Options struct {
	Command  string      // starts a server; {port} becomes a free port
	Beside   target.Spec // starts one that nobody attacks, and that a newcomer asks, too
	Clients  int         // honest people who read the chat
	Before   time.Duration
	For      time.Duration
	After    time.Duration
	Requests int // of the mix
	Marks    Marks
}

// Validate tells what cannot be run.
func (o Options) Validate() error {
	switch {
	case !strings.Contains(o.Command, "{port}"):
		return fmt.Errorf("name with -command what starts a server; {port} in it becomes a free port")
	case o.Clients < 1 || o.Requests < 1:
		return fmt.Errorf("-clients and -requests must be above 0")
	case o.Clients > maxPeople:
		return fmt.Errorf("-clients may be %d at most: each has an address of its own", maxPeople)
	case o.Before <= 0 || o.For <= 0 || o.After < 0:
		return fmt.Errorf("-before and -for must be above 0")
	}
	return nil
}
