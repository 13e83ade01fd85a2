package clients_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each client speaks TLS in each of its ways, and knows whom it may trust.
func TestTLS(t *testing.T) {
	t.Parallel()
	proxy := httputil.NewSingleHostReverseProxy(full(t, 1).URL)
	transport := new(http.Transport)
	proxy.Transport, proxy.FlushInterval = transport, -1
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of clients that leave
	front := httptest.NewTLSServer(proxy)
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		transport.CloseIdleConnections()
	})
	trusted := filepath.Join(t.TempDir(), "trusted.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	require.NoError(t, os.WriteFile(trusted, text, 0o600))
	for _, d := range drivers {
		for _, way := range d.ways {
			cmd := d.read(t, front.URL, way, "all", "room")
			cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+trusted, "NODE_EXTRA_CA_CERTS="+trusted)
			r := startOne(t, d.name+" "+way+" over TLS", cmd)
			require.Equal(t, "room 1", r.next().Message, r.name)
		}
		cmd := d.post(t, front.URL, "tls")
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+trusted, "NODE_EXTRA_CA_CERTS="+trusted)
		run(t, cmd, []string{"hi"})
	}
}
