package target

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// WithCertificate is the spec of the floor or of this server, speaking TLS if it
// is to.
func (s Spec) WithCertificate(secure bool) Spec {
	if !secure {
		return s
	}
	s.Prepare = Certify
	if s.Name == "floor" {
		s.Command += " -queue 16 -cert {dir}/cert.pem -key {dir}/key.pem"
	} else {
		s.Command += " -tls-cert {dir}/cert.pem -tls-key {dir}/key.pem"
	}
	return s
}

// Certify is a [Spec.Prepare] that writes a certificate for this machine into the folder,
// cert.pem and key.pem.
func Certify(dir string, _ int) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}
