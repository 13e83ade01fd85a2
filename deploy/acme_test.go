package deploy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"pubsub/internal/pubsubtest"
)

const domain = "chat.example.test"

// A real ACME server issues a certificate for the domain, and a restart uses it again.
func TestCertificateOfAnIssuer(t *testing.T) {
	if testing.Short() {
		t.Skip("Pebble, the issuer, takes long to build: make check has it")
	}
	t.Parallel()
	dir := t.TempDir()
	https, plain := pubsubtest.Reserve(t, "127.0.0.1"), pubsubtest.Reserve(t, "127.0.0.1")
	issuer := startIssuer(t, dir, https, plain)
	binaries, err := pubsubtest.Build()
	require.NoError(t, err)
	start := func() *pubsubtest.Process {
		cmd := exec.Command(filepath.Join(binaries, "pubsub"))
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(dir, "issuer.pem"), "PUBSUB_DOMAIN="+domain, "PUBSUB_CERT_DIR="+filepath.Join(dir, "certs"),
			"PUBSUB_ACME="+issuer, "PUBSUB_ADDR="+https, "PUBSUB_REDIRECT_ADDR="+plain)
		p, err := pubsubtest.Launch(cmd, "The chat is at https://"+domain)
		require.NoError(t, err)
		t.Cleanup(func() { _ = p.Stop(syscall.SIGKILL) })
		return p
	}
	p := start()
	first := certificateAt(t, https)
	require.Equal(t, []string{domain}, first.DNSNames)
	require.Contains(t, first.Issuer.CommonName, "Pebble")
	require.NoError(t, p.Stop(syscall.SIGTERM))
	start()
	require.Equal(t, first.SerialNumber, certificateAt(t, https).SerialNumber, "issued once")

	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	r, err := http.NewRequest(http.MethodGet, "http://"+plain+"/?channel=room", nil)
	require.NoError(t, err)
	r.Host = domain
	resp, err := client.Do(r)
	require.NoError(t, err)
	resp.Body.Close()
	_, port, _ := net.SplitHostPort(https)
	require.Equal(t, "https://"+domain+":"+port+"/?channel=room", resp.Header.Get("Location"))
}

// certificateAt is what a client is shown that asks for the domain.
func certificateAt(t *testing.T, addr string) *x509.Certificate {
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: pubsubtest.Patience}, Config: &tls.Config{ServerName: domain, InsecureSkipVerify: true}}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// startIssuer starts Pebble, which finds the domain at these addresses. It returns the
// address of its directory.
func startIssuer(t *testing.T, dir, https, plain string) string {
	pebble := filepath.Join(dir, "pebble")
	build := exec.Command("go", "build", "-o", pebble, "github.com/letsencrypt/pebble/v2/cmd/pebble")
	build.Dir = "../.ci/tools"
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)
	selfSigned(t, filepath.Join(dir, "issuer.pem"), filepath.Join(dir, "issuer.key"))
	portOf := func(addr string) int {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		require.NoError(t, err)
		return tcp.Port
	}
	addr := pubsubtest.Reserve(t, "127.0.0.1")
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": addr, "managementListenAddress": pubsubtest.Reserve(t, "127.0.0.1"),
		"certificate": filepath.Join(dir, "issuer.pem"), "privateKey": filepath.Join(dir, "issuer.key"),
		"httpPort": portOf(plain), "tlsPort": portOf(https),
	}})
	require.NoError(t, err)
	file := filepath.Join(dir, "pebble.json")
	require.NoError(t, os.WriteFile(file, config, 0o600))
	cmd := exec.Command(pebble, "-config", file, "-dnsserver", startDNS(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	p, err := pubsubtest.Launch(cmd, "ACME directory available")
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Stop(syscall.SIGKILL) })
	return "https://" + addr + "/dir"
}

// selfSigned writes a certificate for this machine.
func selfSigned(t *testing.T, cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER}), 0o600))
}

// startDNS answers that every name is this machine, and has no other records. It speaks DNS
// over TCP, as Pebble does.
func startDNS(t *testing.T) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				answerDNS(c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// answerDNS answers the questions on a connection. Each message has its length before it.
func answerDNS(c net.Conn) {
	for {
		var length uint16
		if binary.Read(c, binary.BigEndian, &length) != nil {
			return
		}
		text := make([]byte, length)
		var m dnsmessage.Message
		if _, err := io.ReadFull(c, text); err != nil || m.Unpack(text) != nil || len(m.Questions) != 1 {
			return
		}
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
		}
		packed, err := m.AppendPack(make([]byte, 2))
		if err != nil {
			return
		}
		binary.BigEndian.PutUint16(packed, uint16(len(packed)-2))
		if _, err := c.Write(packed); err != nil {
			return
		}
	}
}
