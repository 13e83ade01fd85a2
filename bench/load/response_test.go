package load_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/bench/load"
)

var responses = map[string]struct {
	text, body string
	status     int
}{
	"with a length":          {"HTTP/1.1 200 OK\r\nDate: today\r\ncontent-length:  5\r\n\r\nhello", "hello", 200},
	"empty":                  {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 200},
	"without a body":         {"HTTP/1.1 304 Not Modified\r\nEtag: 7\r\n\r\n", "", 304},
	"HTTP/1.0":               {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", 200},
	"without a reason":       {"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", "hi", 200},
	"in chunks":              {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "hello world", 200},
	"after heartbeats":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n1\r\n\n\r\n2\r\n{}\r\n0\r\n\r\n", "\n\n{}", 200},
	"with a chunk in hex":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0A\r\n0123456789\r\n0\r\n\r\n", "0123456789", 200},
	"a problem":              {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull", "full", 503},
	"with a body like heads": {"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\r\n\r\n\r\n\r\n", "\r\n\r\n\r\n\r\n", 200},
}

func TestReadResponse(t *testing.T) {
	for name, test := range responses {
		t.Run(name, func(t *testing.T) {
			next := "HTTP/1.1 200 OK\r\n"
			r, length, err := load.ReadResponse([]byte(test.text + next))
			require.NoError(t, err)
			require.Equal(t, len(test.text), length, "the next response is not touched")
			require.Equal(t, test.status, r.Status)
			require.Equal(t, test.body, string(r.Body))
		})
	}
}

func TestReadResponseInPieces(t *testing.T) {
	for name, test := range responses {
		t.Run(name, func(t *testing.T) {
			b := []byte(test.text)
			for n := range b {
				_, _, err := load.ReadResponse(b[:n])
				require.ErrorIs(t, err, load.ErrIncomplete, "%q", b[:n])
			}
			r, _, err := load.ReadResponse(b)
			require.NoError(t, err)
			require.Equal(t, test.body, string(r.Body), "earlier tries have changed nothing")
		})
	}
}

func TestReadResponseRefuses(t *testing.T) {
	for _, text := range []string{
		"SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nuntil the connection ends",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
		"\r\n\r\n",
	} {
		_, _, err := load.ReadResponse([]byte(text))
		require.Error(t, err, "%q", text)
		require.NotErrorIs(t, err, load.ErrIncomplete, "%q", text)
	}
}

func FuzzReadResponse(f *testing.F) {
	for _, test := range responses {
		f.Add([]byte(test.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, length, err := load.ReadResponse(b)
		if err == nil {
			require.LessOrEqual(t, length, len(b))
			require.LessOrEqual(t, len(r.Body), length)
		}
	})
}

func TestField(t *testing.T) {
	head := []byte("Date: today\r\nETAG:  3 \r\nEtag-More: 4\r\n")
	require.Equal(t, "3", string(load.Field(head, "Etag")))
	require.Nil(t, load.Field(head, "Age"))
}
