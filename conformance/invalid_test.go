package conformance_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	mebibyte = strings.Repeat("x", 1<<20)
	binaries = string([]byte{0, 1, 2, 0x80, 0xfe, 0xff, '%', 0, '&', '=', 0x1b})
	part     = "--b\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\nhi"
)

var invalidPosts = []struct {
	name, query string
	body        body
	status      []int
}{
	{"no body", "", nothing, []int{400}},
	{"empty form", "", typed(urlencoded, ""), []int{400}},
	{"empty JSON", "", jsonText(""), []int{400}},
	{"empty multipart", "", typed("multipart/form-data; boundary=b", ""), []int{400}},

	{"1 MiB form", "", form("message", mebibyte), []int{413}},
	{"1 MiB multipart", "", parts("message", mebibyte), []int{413}},
	{"1 MiB multipart file", "", typed("multipart/form-data; boundary=b",
		strings.Replace(attachedFile, "text\r\n--b", mebibyte+"\r\n--b", 1)), []int{413}},
	{"1 MiB JSON", "", jsonText(`{"message": "` + mebibyte + `"}`), []int{413}},
	{"1 MiB JSON besides the message", "", jsonText(`{"message": "hi", "more": "` + mebibyte + `"}`), []int{413}},
	{"1 MiB of anything", "", typed("application/octet-stream", mebibyte), []int{413, 415}},
	{"1 MiB besides a good query", "message=hi", form("more", mebibyte), []int{413}},

	{"binary form", "", typed(urlencoded, binaries), []int{400}},
	{"binary multipart", "", typed("multipart/form-data; boundary=b", binaries), []int{400}},
	{"binary JSON", "", jsonText(binaries), []int{400}},
	{"binary", "", typed("application/octet-stream", binaries), []int{415}},

	{"JSON cut off", "", jsonText(`{"message": "hi`), []int{400}},
	{"JSON with a tail", "", jsonText(`{"message": "hi"} and more`), []int{400}},
	{"JSON twice", "", jsonText(`{"message": "hi"}{"message": "hi"}`), []int{400}},
	{"JSON array", "", jsonText(`["hi"]`), []int{400}},
	{"JSON text", "", jsonText(`"hi"`), []int{400}},
	{"JSON number", "", jsonText(`1`), []int{400}},
	{"JSON null", "", jsonText(`null`), []int{400}},
	{"JSON true", "", jsonText(`true`), []int{400}},
	{"JSON with single quotes", "", jsonText(`{'message': 'hi'}`), []int{400}},
	{"JSON too deep", "", jsonText(`{"message": "hi", "x": ` + strings.Repeat("[", 12_000)), []int{400}},
	{"JSON without message", "", jsonText(`{"nick": "ann"}`), []int{400}},
	{"JSON with empty message", "", jsonText(`{"message": ""}`), []int{400}},
	{"message that shows nothing", "", form("message", "\u200b\u3164"), []int{400}},
	{"JSON whose message shows nothing", "", jsonText(`{"message": "\u200b \n"}`), []int{400}},
	{"nick that hides something", "", jsonText(`{"message": "hi", "nick": "ann\u200b"}`), []int{400}},
	{"nick in two alphabets", "nick=%D0%B0nn", form("message", "hi"), []int{400}},
	{"JSON with null message", "", jsonText(`{"message": null}`), []int{400}},

	{"multipart without boundary", "", typed("multipart/form-data", part+"\r\n--b--\r\n"), []int{400, 415}},
	{"multipart with another boundary", "", typed("multipart/form-data; boundary=c", part+"\r\n--b--\r\n"), []int{400}},
	{"multipart cut off", "", typed("multipart/form-data; boundary=b", part), []int{400}},
	{"multipart with a bad header", "", typed("multipart/form-data; boundary=b", "--b\r\nbad header\r\n\r\nhi\r\n--b--\r\n"), []int{400}},

	{"percent cut off in the form", "", typed(urlencoded, "message=a%4"), []int{400}},
	{"bad percent in the form's names", "", typed(urlencoded, "%zz=1&message=a"), []int{400}},
	{"bad percent in the query", "message=%zz", nothing, []int{400}},
	{"bad percent in the query of a good form", "x=%zz", form("message", "hi"), []int{400}},

	{"JSON in UTF-16", "", typed("application/json; charset=utf-16", "{\x00}\x00"), []int{415}},
	{"plain text", "", typed("text/plain", "hi"), []int{415}},
	{"XML", "", typed("application/xml", "<message>hi</message>"), []int{415}},
	{"another multipart", "", typed("multipart/mixed; boundary=b", part+"\r\n--b--\r\n"), []int{415}},
	{"no type at all", "", typed(";", "message=hi"), []int{400, 415}},
	{"broken type", "", typed("application/json; charset", `{"message": "hi"}`), []int{400, 415}},
}

func TestInvalidPostsLeaveWaitingPollsAlone(t *testing.T) {
	if !ours(t, "it publishes null, or dies of it with a 500") {
		return
	}
	polls := base.Polls(t, 2, "/sub")
	for _, c := range invalidPosts {
		t.Run(c.name, func(t *testing.T) {
			base.Post(t, "/pub?"+c.query, c.body).RequireRefused(t, c.status...)
			base.Post(t, "/pub/"+fresh()+"?"+c.query, c.body).RequireRefused(t, c.status...)
		})
	}
	for name, sent := range map[string][]string{
		"form":      {"Content-Type: " + urlencoded, "message=hi"},
		"JSON":      {"Content-Type: application/json", `{"message": "hi"}`},
		"multipart": {"Content-Type: multipart/form-data; boundary=b", part + "\r\n--b--\r\n"},
	} {
		t.Run("half-sent "+name, func(t *testing.T) {
			c := base.Dial(t)
			c.Send(t, "POST", "/pub", sent[0], "Content-Length: 1000")
			c.SendText(t, sent[1])
			c.CloseWrite(t)
			c.Receive(t, "POST").RequireRefused(t, 400)
		})
		t.Run("half-sent in chunks "+name, func(t *testing.T) {
			c := base.Dial(t)
			c.Send(t, "POST", "/pub", sent[0], "Transfer-Encoding: chunked")
			c.SendText(t, "ff\r\n"+sent[1])
			c.CloseWrite(t)
			c.Receive(t, "POST").RequireRefused(t, 400)
		})
		t.Run("malformed chunks "+name, func(t *testing.T) {
			c := base.Dial(t)
			c.Send(t, "POST", "/pub", sent[0], "Transfer-Encoding: chunked")
			c.SendText(t, "zz\r\n"+sent[1]+"\r\n0\r\n\r\n")
			c.Receive(t, "POST").RequireRefused(t, 400)
		})
	}
	for _, path := range []string{"/pub", "/api/publish/" + fresh(), "/publish/" + fresh()} {
		for kind, text := range map[string]string{urlencoded: "message=hi", "application/json": `{"message": "hi"}`, "multipart/form-data; boundary=b": part + "\r\n--b--\r\n"} {
			if kind != "application/json" && path != "/pub" {
				continue
			}
			t.Run("compressed "+path+" "+kind, func(t *testing.T) {
				c := base.Dial(t)
				c.Send(t, "POST", path, "Content-Type: "+kind, "Content-Encoding: gzip", fmt.Sprint("Content-Length: ", len(text)))
				c.SendText(t, text)
				c.Receive(t, "POST").RequireRefused(t, 415)
			})
		}
	}
	requireUntouched(t, polls)
}

func TestGarbageLeavesWaitingPollsAlone(t *testing.T) {
	polls := base.Polls(t, 2, "/sub")
	garbages := []string{
		"garbage\r\n\r\n",
		binaries + "\r\n\r\n",
		"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", // TLS
		"GET /sub\r\n\r\n",
		"GET /sub HTTP/9.9\r\n\r\n",
		"GET /sub HTTP/1.1\r\n\r\n", // no Host
		"POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nmessage=",
	}
	if ours(t, "it publishes null for a post whose header is cut off or contradicts itself") {
		garbages = append(garbages, "POST /pub HTTP/1.1\r\nHost: x\r\n",
			"POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!")
	}
	for _, garbage := range garbages {
		c := base.Dial(t)
		c.SendText(t, garbage)
		c.CloseWrite(t)
		io.Copy(io.Discard, c) // whatever it says, it must have dealt with it
	}
	requireUntouched(t, polls)
}

// requireUntouched asks that the polls still wait, and that the next message is what they hear.
func requireUntouched(t *testing.T, polls []*conn) {
	t.Helper()
	base.AwaitPolling(t, len(polls))
	text := fresh()
	require.Equal(t, 200, base.Post(t, "/pub", form("message", text)).Status)
	for _, p := range polls {
		assert.Equal(t, text, p.Receive(t, "GET").Object(t)["message"])
	}
}

// What is refused before the server knows what is asked for is told as all else is.
func TestRequestsThatAreNoneAreToldSo(t *testing.T) {
	if *profile == original {
		t.Log("no cases: the original's HTTP server answers such requests with HTML")
		return
	}
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"no host":           {"GET / HTTP/1.1\r\n\r\n", 400},
		"another version":   {"GET / HTTP/4.0\r\nHost: chat\r\n\r\n", 400},
		"a header too long": {"GET / HTTP/1.1\r\nHost: chat\r\nX-Long: " + strings.Repeat("x", 30_000) + "\r\n\r\n", 431},
	} {
		t.Run(name, func(t *testing.T) {
			conn := base.Dial(t)
			conn.SendText(t, c.request)
			conn.Receive(t, "GET").RequireRefused(t, c.status)
		})
	}
}

// What curl -d sends, which calls it a form.
func TestJSONThatIsCalledAFormIsToldTheType(t *testing.T) {
	if !ours(t, whyJSON) {
		return
	}
	t.Parallel()
	for _, path := range []string{"/pub", "/pub/" + fresh(), "/publish/" + fresh(), "/api/publish/" + fresh()} {
		for _, text := range []string{`{"message":"hi"}`, " \n{\"message\":\"hi\"}", `{"message`} {
			a := base.Post(t, path, typed(urlencoded, text))
			a.RequireRefused(t, 415)
			assert.Contains(t, a.Body, "application/json", path)
		}
	}
	a := base.Post(t, "/pub", typed("", `{"message":"hi"}`))
	a.RequireRefused(t, 415)
	assert.Contains(t, a.Body, "application/json")
}
