package tokens

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// keys find the key for a token.
type keys interface {
	// methods are the signature methods that a token may have. The kind of the keys fixes
	// them: otherwise a token could make the server use a public key as a secret.
	methods() []string
	key(ctx context.Context, t *jwt.Token) (any, error)
}

// LeastSecret is the least length of a secret in bytes: RFC 7518, section 3.2.
const LeastSecret = 32

func keysOf(o Options) (keys, error) {
	switch {
	case o.Key != "" && o.JWKS != "":
		return nil, errors.New("set a key or a JWKS address, not both")
	case o.JWKS != "":
		return newRemote(o.JWKS, o.Log)
	case isPath(o.Key):
		text, err := os.ReadFile(o.Key)
		if err != nil {
			return nil, fmt.Errorf("the key cannot be read: %w", err)
		}
		return publicKey(text)
	case len(o.Key) < LeastSecret:
		return nil, fmt.Errorf("a secret has at least %d bytes; this makes one: openssl rand -hex 32", LeastSecret)
	}
	return single{jwt.SigningMethodHS256.Alg(), []byte(o.Key)}, nil
}

// isPath tells whether a key is the path of a file. A secret may have slashes, too.
func isPath(key string) bool {
	if strings.HasPrefix(key, "/") || strings.HasPrefix(key, "./") || strings.HasPrefix(key, "../") || strings.HasSuffix(key, ".pem") {
		return true
	}
	_, err := os.Stat(key)
	return err == nil
}

// single is one key, for one method.
type single struct {
	method string
	value  any
}

func (s single) methods() []string                            { return []string{s.method} }
func (s single) key(context.Context, *jwt.Token) (any, error) { return s.value, nil }

// publicKey reads a public key, or that of a certificate, from PEM.
func publicKey(text []byte) (keys, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the file of the key is not PEM: it must begin with -----BEGIN PUBLIC KEY-----")
	}
	var key any
	var err error
	switch block.Type {
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("the file has a %s: this server needs the public key only, and no private one", strings.ToLower(block.Type))
	}
	if err != nil {
		return nil, fmt.Errorf("the public key cannot be read: %w", err)
	}
	return singleOf(key)
}

const leastRSA = 2048 // bits

func singleOf(key any) (keys, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < leastRSA {
			return nil, fmt.Errorf("an RSA key has at least %d bits", leastRSA)
		}
		return single{jwt.SigningMethodRS256.Alg(), key}, nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return nil, errors.New("an EC key is on the curve P-256, for ES256")
		}
		return single{jwt.SigningMethodES256.Alg(), key}, nil
	case ed25519.PublicKey:
		return single{jwt.SigningMethodEdDSA.Alg(), key}, nil
	}
	return nil, errors.New("the public key must be RSA, EC on P-256, or Ed25519")
}
