package server_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Where tokens are, some may post who may not read, and could guess by the length of what
// others get compressed what else is in it.
func TestNothingIsCompressedWithTokens(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	ann := "Authorization: Bearer " + token(t, "ann", time.Hour, nil)
	resp, _ := s.do(t, "POST", "/pub/room-1", `{"message":"`+strings.Repeat("This is long. ", 700)+`"}`, ann, "Content-Type: application/json")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	for _, path := range []string{"/sub/room-1?since=all&timeout=0", "/history/room-1", "/?plain&channel=room-1"} {
		resp, _ = s.do(t, "GET", path, "", ann, "Accept-Encoding: gzip")
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
		require.Empty(t, resp.Header.Get("Content-Encoding"), path)
	}
}

// A message wakes a thousand polls, and what they get is compressed about once. Those who
// did not ask for that get it plain.
func TestThousandPollsShareOneCompression(t *testing.T) {
	t.Parallel()
	const polls = 1000
	config := open()
	config.MaxPollsPerChannel = 0
	s := start(t, config)
	conns := make([]net.Conn, polls)
	for i := range conns {
		c, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		defer c.Close()
		var accept []string
		if i%10 > 0 {
			accept = []string{"Accept-Encoding: gzip, deflate, br"}
		}
		_, err = io.WriteString(c, head("GET", "/sub?since=now", accept...))
		require.NoError(t, err)
		conns[i] = c
	}
	s.polling(t, polls)
	require.Zero(t, s.metric(t, "pubsub_compressions_total"))
	said := strings.Repeat("This is long. ", 700)
	s.post(t, said)
	bodies := make(map[string]int)
	for i, c := range conns {
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		body := io.Reader(resp.Body)
		if i%10 > 0 {
			require.Equal(t, "gzip", resp.Header.Get("Content-Encoding"))
			body, err = gzip.NewReader(body)
			require.NoError(t, err)
		} else {
			require.Empty(t, resp.Header.Get("Content-Encoding"))
		}
		require.Equal(t, "Accept-Encoding", resp.Header.Get("Vary"))
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		bodies[string(text)]++
	}
	require.Len(t, bodies, 1)
	for body := range bodies {
		require.Contains(t, body, said)
	}
	made := s.metric(t, "pubsub_compressions_total")
	require.Positive(t, made)
	require.LessOrEqual(t, made, 5.0, "more only if they took several seconds")
}

// A list that is written in parts is plain, and one that is written at once is compressed.
func TestListOfChannelsIsWholeInEitherForm(t *testing.T) {
	t.Parallel()
	config := open()
	config.MaxChannelsPerAddress = 0
	s := start(t, config)
	for i, c := range []struct {
		channels int
		encoding string
	}{{20, "gzip"}, {200, ""}} {
		for n := range c.channels {
			s.do(t, "POST", fmt.Sprintf("/pub/%d-%0100d?message=hi", i, n), "")
		}
		_, plain := s.do(t, "GET", "/channels", "", "Accept-Encoding: identity")
		resp, packed := s.do(t, "GET", "/channels", "", "Accept-Encoding: gzip")
		require.Equal(t, c.encoding, resp.Header.Get("Content-Encoding"))
		if c.encoding == "" {
			require.Equal(t, plain, packed)
			continue
		}
		z, err := gzip.NewReader(strings.NewReader(packed))
		require.NoError(t, err)
		unpacked, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Equal(t, plain, string(unpacked))
	}
}
