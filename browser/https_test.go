package browser_test

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// certificate is one that signs itself. Chromium without windows trusts it.
var certificate struct {
	once           sync.Once
	dir, cert, key string
	hash           string
}

// trusted is the hash of the certificate's key.
func trusted(t *testing.T) (hash string) {
	t.Helper()
	c := &certificate
	c.once.Do(func() {
		dir, err := os.MkdirTemp("", "pubsub-certificate-")
		require.NoError(t, err)
		c.dir, c.cert, c.key = dir, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		sum := sha256.Sum256(pubsubtest.Certificate(t, c.cert, c.key, 1).RawSubjectPublicKeyInfo)
		c.hash = base64.StdEncoding.EncodeToString(sum[:])
	})
	return c.hash
}

// Over HTTPS a browser speaks HTTP/2, and everything goes over one connection of it.
func TestChatOverHTTP2(t *testing.T) {
	t.Parallel()
	awaitTurn(t)
	dir, err := pubsubtest.Build()
	require.NoError(t, err)
	b := startBrowser(t)
	addr := pubsubtest.Reserve(t, "127.0.0.1")
	cmd := exec.Command(filepath.Join(dir, "pubsub"))
	cmd.Env = []string{"PUBSUB_ADDR=" + addr, "PUBSUB_TLS_CERT=" + certificate.cert, "PUBSUB_TLS_KEY=" + certificate.key}
	pubsubtest.Run(t, cmd, "The chat is at https://")

	p, other := b.open("https://"+addr), b.open("https://"+addr)
	p.takeNick("ann")
	p.say("hello")
	other.shows("ann: hello")
	p.shows("ann: hello")
	const protocols = `[...new Set(performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation")).
		filter(({transferSize}) => transferSize > 0).map((entry) => entry.nextHopProtocol))].join()`
	has(p, "h2", protocols)
}
