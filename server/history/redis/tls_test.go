package redis_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/history"
	"pubsub/server/history/redis"
)

// certificate writes a certificate that nobody knows, and its key.
func certificate(t *testing.T) (cert, key string) {
	s := httptest.NewTLSServer(nil) // which has one
	defer s.Close()
	pair, dir := s.TLS.Certificates[0], t.TempDir()
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	}
	return cert, key
}

// Heroku's Redis has such a certificate.
func TestCertificateThatCannotBeVerified(t *testing.T) {
	cert, key := certificate(t)
	addr := pubsubtest.Reserve(t, "127.0.0.1")
	_, port, _ := strings.Cut(addr, ":")
	start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
	_, err := redis.Open("rediss://"+addr, history.Options{})
	require.ErrorContains(t, err, "certificate")
	log, err := redis.Open("rediss://"+addr+"?tls=unverified", history.Options{})
	require.NoError(t, err)
	require.NoError(t, log.Close())
}
