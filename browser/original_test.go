package browser_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// asTheOriginal asks and posts as the page of the Python original does: one poll after the other, each answered with one
// message, and posts beside them on whichever connection is free. It says nothing of what it has.
const asTheOriginal = `
	window.heard = [];
	window.listen = async () => {
		for (;;) {
			const {message} = await (await fetch("/sub", {cache: "no-store"})).json();
			heard.push(message);
		}
	};
	window.sayAll = (name, messages, every) => new Promise((done) => {
		let said = 0, answered = 0;
		const timer = setInterval(async () => {
			if (++said === messages) clearInterval(timer);
			const body = new URLSearchParams({nick: name, message: name + "-" + said});
			await fetch("/pub", {method: "POST", body});
			if (++answered === messages) done();
		}, every);
	});
	listen();`

// lines lead to a server as a browser is far from it.
var lines = map[string]func(t *testing.T, lag time.Duration) (url string, s *server){
	"plain": func(t *testing.T, lag time.Duration) (string, *server) {
		s := start(t, nil)
		return "http://" + pubsubtest.SlowProxy(t, s.Site.URL.Host, lag), s
	},
	"nginx": func(t *testing.T, lag time.Duration) (string, *server) {
		s := start(t, []string{"PUBSUB_TRUSTED_HOPS=1"})
		nginx, _ := pubsubtest.StartNginx(t, s.Site.URL.Host)
		return "http://" + pubsubtest.SlowProxy(t, nginx, lag), s
	},
	"HTTP2": func(t *testing.T, lag time.Duration) (string, *server) {
		dir, err := pubsubtest.Build()
		require.NoError(t, err)
		addr := pubsubtest.Reserve(t, "127.0.0.1")
		cmd := exec.Command(filepath.Join(dir, "pubsub"))
		trusted(t)
		cmd.Env = []string{"PUBSUB_ADDR=" + addr, "PUBSUB_TLS_CERT=" + certificate.cert, "PUBSUB_TLS_KEY=" + certificate.key, "PUBSUB_PUBLISH_RATE=0"}
		pubsubtest.Run(t, cmd, "The chat is at https://")
		return "https://" + pubsubtest.SlowProxy(t, addr, lag), nil
	},
}

// One tab of the original's page, on a line of any length, shows every message once. Of several, which nothing tells apart,
// some may be given what was another's; how much is logged: docs/use.md has a table of that.
func TestTheOriginalsPageOnALongLine(t *testing.T) {
	t.Parallel()
	lasts := pubsubtest.Size(8*time.Second, 3*time.Second)
	for name, line := range lines {
		for _, lag := range []time.Duration{0, 40 * time.Millisecond, 200 * time.Millisecond} {
			for _, rate := range []int{2, 20} {
				for _, tabs := range []int{1, 3} {
					if testing.Short() && (lag != 40*time.Millisecond || rate != 20 || tabs != 1) {
						continue
					}
					t.Run(fmt.Sprintf("%s, %v, %d a second, %d tabs", name, lag, rate, tabs), func(t *testing.T) {
						t.Parallel()
						awaitTurn(t)
						url, s := line(t, lag/2)
						showOriginals(t, url, s, tabs, int(lasts.Seconds())*rate, time.Second/time.Duration(rate))
					})
				}
			}
		}
	}
}

// showOriginals has the first of so many tabs say so many messages, and looks at what each shows.
func showOriginals(t *testing.T, url string, s *server, tabs, messages int, every time.Duration) {
	b := startBrowser(t)
	var all []*tab
	for range tabs {
		p := b.visit(url + "/healthz")
		eval[bool](p, "(() => {"+asTheOriginal+"return true})()")
		all = append(all, p)
	}
	if s != nil {
		s.awaitListening(tabs)
	} else {
		has(all[0], true, fmt.Sprintf(`fetch("/debug").then((r) => r.text()).then((text) => text.startsWith("polling = %d\n"))`, tabs))
	}
	eval[bool](all[0], fmt.Sprintf(`sayAll("ann", %d, %d).then(() => true)`, messages, every.Milliseconds()))
	for _, p := range all {
		if tabs == 1 { // so that what a busy machine holds up is not taken for lost
			has(p, messages, `new Set(heard).size`)
		}
		heard := p.settles()
		times := make(map[string]int)
		for _, text := range heard {
			times[text]++
		}
		lost, doubled := messages-len(times), len(heard)-len(times)
		t.Logf("of %d messages %d lost, %d doubled", messages, lost, doubled)
		if tabs == 1 {
			assert.Zero(t, lost, "lost")
			assert.Zero(t, doubled, "doubled: %s", strings.Join(heard, " "))
		}
	}
}

// settles waits until a tab shows no more messages, and returns them.
func (p *tab) settles() (heard []string) {
	p.t.Helper()
	const still = 20 // looks, a tenth of a second apart
	for same, before := 0, -1; same < still; {
		heard = eval[[]string](p, `new Promise((done) => setTimeout(() => done(heard), 100))`)
		if len(heard) == before {
			same++
		} else {
			same, before = 0, len(heard)
		}
	}
	return heard
}
