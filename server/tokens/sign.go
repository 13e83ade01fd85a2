package tokens

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Sign makes a token. The key is a secret, or the path of a PEM file with a private key (PKCS
// #8). Audience and issuer are left out if they are empty.
func Sign(key string, c Claims, audience, issuer string) (string, error) {
	method, value, err := signer(key)
	if err != nil {
		return "", err
	}
	b := body{PubSub: c.Rights}
	b.Subject, b.Issuer = c.Name, issuer
	b.IssuedAt, b.ExpiresAt = jwt.NewNumericDate(time.Now()), jwt.NewNumericDate(c.Expires)
	if audience != "" {
		b.Audience = jwt.ClaimStrings{audience}
	}
	return jwt.NewWithClaims(method, b).SignedString(value)
}

func signer(key string) (jwt.SigningMethod, any, error) {
	if !isPath(key) {
		if len(key) < LeastSecret {
			return nil, nil, fmt.Errorf("a secret has at least %d bytes; this makes one: openssl rand -hex 32", LeastSecret)
		}
		return jwt.SigningMethodHS256, []byte(key), nil
	}
	text, err := os.ReadFile(key)
	if err != nil {
		return nil, nil, fmt.Errorf("the key cannot be read: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, nil, errors.New("to sign takes the private key: a PEM file that begins with -----BEGIN PRIVATE KEY-----")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("the private key cannot be read: %w", err)
	}
	switch private := private.(type) {
	case *rsa.PrivateKey:
		return jwt.SigningMethodRS256, private, nil
	case *ecdsa.PrivateKey:
		return jwt.SigningMethodES256, private, nil
	case ed25519.PrivateKey:
		return jwt.SigningMethodEdDSA, private, nil
	}
	return nil, nil, errors.New("the private key must be RSA, EC on P-256, or Ed25519")
}
