package web_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/server/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is what a client gets that accepts the encodings.
func answer(t require.TestingT, c *web.Compressor, accepts string, body []byte) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	if accepts != "" {
		r.Header.Set("Accept-Encoding", accepts)
	}
	require.NoError(t, web.WriteBody(c.For(w, r), http.StatusOK, body))
	return w
}

func unpack(t require.TestingT, w *httptest.ResponseRecorder) string {
	require.Equal(t, []string{"gzip"}, w.Header()["Content-Encoding"])
	z, err := gzip.NewReader(w.Body)
	require.NoError(t, err)
	body, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(body)
}

// text is compressible, of so many bytes, and unlike that of any other n.
func text(n, bytes int) []byte { return fmt.Appendf(nil, "%0*d", bytes, n) }

func TestWhichAnswersAreCompressed(t *testing.T) {
	c := web.NewCompressor()
	for size, compressed := range map[int]bool{0: false, 1: false, 1023: false, 1024: true, 10_000: true, 64 << 10: true, 64<<10 + 1: false} {
		body := text(1, size)[:size]
		got := answer(t, c, "gzip", body)
		asItIs := answer(t, c, "", body)
		require.Equal(t, string(body), asItIs.Body.String())
		require.Empty(t, asItIs.Header()["Content-Encoding"])
		require.Equal(t, got.Header()["Vary"], asItIs.Header()["Vary"], "%d", size)
		if compressed {
			require.Less(t, got.Body.Len(), size)
			require.Equal(t, string(body), unpack(t, got))
			require.Equal(t, []string{"Accept-Encoding"}, got.Header()["Vary"])
		} else {
			require.Equal(t, string(body), got.Body.String())
			require.Empty(t, got.Header()["Content-Encoding"])
			require.Empty(t, got.Header()["Vary"])
		}
	}
}

// What gzip would make longer is sent as it is.
func TestWhatCannotBeCompressed(t *testing.T) {
	var noise bytes.Buffer
	z, _ := gzip.NewWriterLevel(&noise, gzip.HuffmanOnly)
	for i := range 3000 {
		fmt.Fprint(z, i*i*i)
	}
	require.NoError(t, z.Close())
	w := answer(t, web.NewCompressor(), "gzip", noise.Bytes()[:8<<10])
	require.Empty(t, w.Header()["Content-Encoding"])
	require.Equal(t, noise.Bytes()[:8<<10], w.Body.Bytes())
}

// A body that comes after the beginning of its answer is a part, which must not be
// compressed by itself.
func TestPartsAreNotCompressed(t *testing.T) {
	c, w, r := web.NewCompressor(), httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	asking := c.For(w, r)
	first, last := text(1, 2000), text(2, 2000)
	require.NoError(t, web.Write(asking, http.StatusOK, web.JSON, first))
	require.NoError(t, web.WriteBody(asking, http.StatusOK, last))
	require.Equal(t, string(first)+string(last), w.Body.String())
	require.Empty(t, w.Header()["Content-Encoding"])
}

func TestTextsAreJoined(t *testing.T) {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	long := string(text(1, 2000))
	require.NoError(t, web.WriteText(web.NewCompressor().For(w, r), long, "\n\n"))
	require.Equal(t, long+"\n\n", unpack(t, w))
}

// However many get the same at the same time, it is compressed once, even where each has
// a copy of it.
func TestEachContentIsCompressedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := web.NewCompressor()
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { require.Equal(t, string(text(7, 20_000)), unpack(t, answer(t, c, "gzip", text(7, 20_000)))) })
		}
		all.Wait()
		require.EqualValues(t, 1, c.Made())
		time.Sleep(3 * time.Second)
		answer(t, c, "gzip", text(7, 20_000))
		require.EqualValues(t, 2, c.Made(), "it was not kept for ever")
	})
}

// Many who get different things share the writers, or get theirs plain.
func TestDifferentContents(t *testing.T) {
	c := web.NewCompressor()
	var all sync.WaitGroup
	for i := range 2000 {
		all.Go(func() {
			want := string(text(i%97, 5000))
			w := answer(t, c, "gzip", []byte(want))
			got := w.Body.String()
			if len(w.Header()["Content-Encoding"]) > 0 {
				got = unpack(t, w)
			}
			require.Equal(t, want, got)
		})
	}
	all.Wait()
	require.Positive(t, c.Made())
}

// What is kept is little, and nothing soon after.
func TestCompressorKeepsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := web.NewCompressor()
		var bodies []weak.Pointer[byte]
		for i := range 100 {
			body := text(i, 60_000)
			bodies = append(bodies, weak.Make(&body[0]))
			answer(t, c, "gzip", body)
		}
		require.EqualValues(t, 100, c.Made())
		require.LessOrEqual(t, alive(bodies), 16)
		time.Sleep(3 * time.Second)
		require.Zero(t, alive(bodies))
		runtime.KeepAlive(c)
	})
}

func alive(bodies []weak.Pointer[byte]) (n int) {
	runtime.GC()
	for _, b := range bodies {
		if b.Value() != nil {
			n++
		}
	}
	return n
}

// The cost of an answer of 10 KB: plain, compressed anew, and as one of many.
func BenchmarkAnswer10KB(b *testing.B) {
	message := func(i int) []byte {
		var s strings.Builder
		for j := range 110 {
			fmt.Fprintf(&s, `{"id":%d,"timestamp":1795285979.%06d,"channel":"chat","nick":"n%d","message":"what was said: %d"},`, j, i*j%999_983, j%9, i+j*j)
		}
		return []byte(s.String()[:10_000])
	}
	run := func(name, accepts string, different int) {
		b.Run(name, func(b *testing.B) {
			c, bodies := web.NewCompressor(), make([][]byte, different)
			for i := range bodies {
				bodies[i] = message(i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w := answer(b, c, accepts, bodies[i%different])
				b.ReportMetric(float64(w.Body.Len()), "bytes")
			}
		})
	}
	run("plain", "", 1)
	run("own", "gzip", 100)
	run("shared", "gzip", 1)
}
