package browser_test

import (
	"crypto/sha256"
	"encoding/base64"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// Over HTTPS a browser speaks HTTP/2, and everything goes over one connection of it.
func TestChatOverHTTP2(t *testing.T) {
	t.Parallel()
	dir, err := pubsubtest.Build()
	require.NoError(t, err)
	files := t.TempDir()
	cert, key := filepath.Join(files, "cert.pem"), filepath.Join(files, "key.pem")
	certificate := pubsubtest.Certificate(t, cert, key, 1)
	addr := pubsubtest.Reserve(t, "127.0.0.1")
	cmd := exec.Command(filepath.Join(dir, "pubsub"))
	cmd.Env = []string{"PUBSUB_ADDR=" + addr, "PUBSUB_TLS_CERT=" + cert, "PUBSUB_TLS_KEY=" + key}
	pubsubtest.Run(t, cmd, "The chat is at https://")

	trusted := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	b := startChromium(t, chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(trusted[:])))
	p, other := b.open("https://"+addr), b.open("https://"+addr)
	p.takeNick("ann")
	p.say("hello")
	other.shows("ann: hello")
	p.shows("ann: hello")
	const protocols = `[...new Set(performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation")).
		filter(({transferSize}) => transferSize > 0).map((entry) => entry.nextHopProtocol))].join()`
	has(p, "h2", protocols)
}
