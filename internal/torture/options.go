package torture

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	pubsub "pubsub/clients/go"
)

// options say what is to be done.
type options struct {
	urls      []string // without a slash at the end
	dialect   dialect
	rate      float64 // posts a second, over all
	clients   int     // that read
	channels  int
	cut       float64 // share of the polls that are cut
	last      time.Duration
	seed      uint64
	noGaps    bool
	tokenKey  string
	tokenLife time.Duration
	patience  time.Duration
	ways      []pubsub.Way // of the client that reads; none is polls of our own
}

const help = `pubsub torture posts to a server, polls it, cuts connections at random, and
tells whether anything was lost, doubled, reordered or left untold. Kill the
server and start it again meanwhile: that is what it is for. Only do that to a
server of your own.

Usage: pubsub torture [flags] URL [URL...]

With several URLs they are instances of one server: what is posted at one is
read at another.

`

const helpOnLimits = `
The defaults stay under the default limits of pubsub. For more, start it with
  PUBSUB_PUBLISH_RATE=0               messages a second from one address
  PUBSUB_HISTORY_MESSAGES=100000      or readers are told that some expired
  PUBSUB_MAX_POLLS_PER_ADDRESS=0      for more than 1,000 clients
  PUBSUB_MAX_CONNECTIONS_PER_ADDRESS=0

The dialects:
  cursor    POST /pub/CHANNEL and GET /sub/CHANNEL?since=CURSOR
  original  POST /pub and GET /sub, without cursors: nothing is cut, and what a
            reader was not given is counted, but was never promised
  nchan     POST /pub/CHANNEL and GET /sub/CHANNEL, one message in an
            answer, and the place in its Last-Modified and Etag

The status is 0 if nothing was wrong, 1 if something was, 2 for wrong usage.
`

// flags returns the flags, which write into o and dialect.
func (o *options) flags(dialect, way *string) *flag.FlagSet {
	set := flag.NewFlagSet("torture", flag.ContinueOnError)
	set.SetOutput(io.Discard) // the caller tells
	set.Float64Var(&o.rate, "rate", 10, "messages a second, over all channels")
	set.IntVar(&o.clients, "clients", 20, "how many readers poll")
	set.IntVar(&o.channels, "channels", 4, "how many channels there are")
	set.Float64Var(&o.cut, "cut", 0.1, "share of the polls that are cut at a random moment")
	set.DurationVar(&o.last, "for", 30*time.Second, "how long to post")
	set.DurationVar(&o.patience, "patience", 10*time.Second, "how long nothing may come in the end until that is the end")
	set.Uint64Var(&o.seed, "seed", 1, "what is done at random is the same again with the same `number`")
	set.BoolVar(&o.noGaps, "no-gaps", false, "take every gap for a fault, even if it is told")
	set.StringVar(&o.tokenKey, "token-key", "", "the `secret` of a server that asks for tokens: each reader makes its own")
	set.DurationVar(&o.tokenLife, "token-for", 5*time.Second, "how long such a token is good")
	set.StringVar(way, "way", "poll", "how the readers ask: poll, sse, ws, or mixed, which changes the way\nagain and again; of the dialect cursor")
	set.StringVar(dialect, "dialect", "cursor", "how the server is spoken to: "+strings.Join(dialectNames(), ", "))
	return set
}

func writeHelp(w io.Writer) {
	fmt.Fprint(w, help)
	set := new(options).flags(new(string), new(string))
	set.SetOutput(w)
	set.PrintDefaults()
	fmt.Fprint(w, helpOnLimits)
}

func parse(args []string) (*options, error) {
	o, name, way := new(options), "", ""
	set := o.flags(&name, &way)
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	for _, text := range set.Args() {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("%q is not the URL of a server, such as http://127.0.0.1:8080 (flags stand before the URLs)", text)
		}
		o.urls = append(o.urls, strings.TrimRight(text, "/"))
	}
	o.dialect = dialects[name]
	if o.dialect == nil {
		return nil, fmt.Errorf("there is no dialect %q; take one of %s", name, strings.Join(dialectNames(), ", "))
	}
	var known bool
	if o.ways, known = ways[way]; !known || len(o.ways) > 0 && name != "cursor" {
		return nil, fmt.Errorf("there is no way %q with the dialect %s; take poll, sse, ws or mixed with the dialect cursor", way, name)
	}
	if !o.dialect.cuts() { // one channel, which all share, and the reader's place is the connection's
		o.channels, o.cut = 1, 0
	}
	return o, o.check()
}

func (o *options) check() error {
	switch {
	case len(o.urls) == 0:
		return errors.New("which server? Give its URL, such as http://127.0.0.1:8080")
	case !(o.rate > 0 && o.rate <= 1e5):
		return errors.New("-rate must be from above 0 to 100000")
	case o.channels < 1, o.clients < o.channels:
		return errors.New("-channels must be at least 1, and -clients at least as many, so that each is read")
	case !(o.cut >= 0 && o.cut <= 1):
		return errors.New("-cut must be from 0 to 1")
	case o.last <= 0:
		return errors.New("-for must be above 0")
	}
	return nil
}

func dialectNames() []string { return slices.Sorted(maps.Keys(dialects)) }
