package conns_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/conns"
)

// rekeyer makes the records of a client that changes its keys, see RFC 8446, 4.6.3 and 7.2.
// Package tls only answers to that.
type rekeyer struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	n      uint64 // records under this key
}

// Types of records.
const (
	handshakeRecord   = 22
	applicationRecord = 23
)

// newRekeyer goes on after so many records of a client whose keys were logged.
func newRekeyer(t *testing.T, keyLog []byte, records uint64) *rekeyer {
	found := regexp.MustCompile(`CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)`).FindSubmatch(keyLog)
	require.NotNil(t, found)
	secret, err := hex.DecodeString(string(found[1]))
	require.NoError(t, err)
	r := &rekeyer{}
	r.use(secret)
	r.n = records
	return r
}

func (r *rekeyer) use(secret []byte) {
	r.secret, r.iv, r.n = secret, expand(secret, "iv", 12), 0
	block, _ := aes.NewCipher(expand(secret, "key", 16)) // the size is right
	r.aead, _ = cipher.NewGCM(block)
}

// expand is HKDF-Expand-Label.
func expand(secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := append([]byte{0, byte(n), byte(len(label))}, label...)
	b, _ := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n) // so few bytes do not fail
	return b
}

func (r *rekeyer) record(kind byte, content ...byte) []byte {
	plain := append(content, kind)
	head := binary.BigEndian.AppendUint16([]byte{applicationRecord, 3, 3}, uint16(len(plain)+r.aead.Overhead()))
	nonce := bytes.Clone(r.iv)
	last := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(last, binary.BigEndian.Uint64(last)^r.n)
	r.n++
	return r.aead.Seal(head, nonce, plain, head)
}

// update asks the other side for new keys, too.
func (r *rekeyer) update() []byte {
	b := r.record(handshakeRecord, 24, 0, 0, 1, 1)
	r.use(expand(r.secret, "traffic upd", sha256.Size))
	return b
}

// A client that asks for new keys on and on, and reads none, has nothing kept for it
// beyond a bound.
func TestKeysThatNobodyReads(t *testing.T) {
	const updates = 60_000
	ended := make(chan error, 1)
	var keyLog bytes.Buffer
	c := secretlyWith(t, func(c *tls.Config) { c.KeyLogWriter = &keyLog }, func(c *conns.Hijacked) {
		defer c.Close()
		inputs := make(chan struct{}, 1)
		c.OnEnd(func() {})
		err := c.OnInput(func() {
			select {
			case inputs <- struct{}{}:
			default:
			}
		})
		for b := make([]byte, 1000); err == nil && !bytes.HasSuffix(b, []byte("end")); {
			var n int
			b = b[:1000]
			if n, err = c.TryRead(b); n == 0 && err == nil {
				<-inputs
			}
			b = b[:n]
		}
		if err == nil {
			_, _, err = c.TryWrite([]byte("hi"))
		}
		ended <- err
	})
	require.Equal(t, uint16(tls.TLS_AES_128_GCM_SHA256), c.ConnectionState().CipherSuite)
	client := newRekeyer(t, keyLog.Bytes(), 1)
	for i := range updates {
		b := client.update()
		if i%10 == 9 { // many in a row are refused
			b = append(b, client.record(applicationRecord, '.')...)
		}
		if _, err := c.NetConn().Write(b); err != nil {
			break
		}
	}
	_, _ = c.NetConn().Write(client.record(applicationRecord, []byte("end")...)) // fails if it has ended already
	require.Error(t, <-ended)
}
