package conformance_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outcome is what becomes of a post: its status and, at 200, what a waiting poll hears.
type outcome struct {
	status        int
	nick, message any
}

func heard(nick, message any) outcome { return outcome{http.StatusOK, nick, message} }
func refused(status int) outcome      { return outcome{status: status} }

const (
	whyUTF8       = "the original takes UTF-8 for Latin-1 under Python 3; UTF-8 is UTF-8"
	whyNoMessage  = "the original publishes null or nothing; a chat line without text helps nobody"
	whyPercent    = "the original publishes malformed percent-encoding as text; whoever sends it is told"
	whyJSON       = "the original does not read JSON"
	whyType       = "the original takes any text for a form; another content type is refused by name"
	whyLimit      = "the original takes up to 100 KB; a message has a limit"
	greeting      = "héllo €😀"
	formOfUTF8    = "message=h%C3%A9llo+%E2%82%AC%F0%9F%98%80"
	attachedFile  = "--b\r\nContent-Disposition: form-data; name=\"message\"; filename=\"a.txt\"\r\n\r\ntext\r\n--b--\r\n"
	markup        = `<script>alert("1 & 2")</script>`
	controlsQuery = "message=a%00b%0Ac%09d"
	controls      = "a\x00b\nc\td"
)

// latin1 is the text that the original makes of UTF-8.
func latin1(text string) string {
	var mangled strings.Builder
	for _, b := range []byte(text) {
		mangled.WriteRune(rune(b))
	}
	return mangled.String()
}

var publishCases = []struct {
	name, query string
	body        body
	want        differs[outcome]
}{
	{"query", "nick=ann&message=hi", nothing, same(heard("ann", "hi"))},
	{"form", "", form("nick", "ann", "message", "hi"), same(heard("ann", "hi"))},
	{"multipart", "", parts("nick", "ann", "message", "hi"), same(heard("ann", "hi"))},
	{"form in Latin-1", "", typed(urlencoded+"; charset=ISO-8859-1", "nick=Zo%EB&message=caf%E9"), same(heard("Zoë", "café"))},
	{"form that is called Latin-1", "", typed(urlencoded+"; charset=iso-8859-1", "nick=ann&message=caf%C3%A9"), same(heard("ann", "café"))},
	{"JSON in Windows-1252", "", typed("application/json; charset=windows-1252", "{\"message\": \"5 \x80\"}"),
		differs[outcome]{heard(nil, "5 €"), heard(nil, nil), whyJSON}},
	{"form with charset", "", typed(urlencoded+"; charset=UTF-8", "nick=ann&message=hi"), same(heard("ann", "hi"))},
	{"form without a content type", "", typed("", "nick=ann&message=hi"), same(heard("ann", "hi"))},
	{"form over query", "nick=q&message=q", form("nick", "f", "message", "f"), same(heard("f", "f"))},
	{"multipart over query", "nick=q&message=q", parts("nick", "f", "message", "f"), same(heard("f", "f"))},
	{"half from each", "nick=q", form("message", "f"), same(heard("q", "f"))},
	{"half from each, multipart", "message=q", parts("nick", "f"), same(heard("f", "q"))},
	{"last of a repeated name, query", "message=a&message=b", nothing, same(heard(nil, "b"))},
	{"last of a repeated name, form", "", typed(urlencoded, "message=a&message=b"), same(heard(nil, "b"))},
	{"last of a repeated name, multipart", "", parts("message", "a", "message", "b"), same(heard(nil, "b"))},
	{"nick missing", "", form("message", "hi"), same(heard(nil, "hi"))},
	{"nick empty", "", form("nick", "", "message", "hi"), same(heard("", "hi"))},
	{"other fields", "", form("nick", "ann", "message", "hi", "color", "red"), same(heard("ann", "hi"))},
	{"plus and percent, query", "message=a+b%20c%2B", nothing, same(heard(nil, "a b c+"))},
	{"plus and percent, form", "", typed(urlencoded, "message=a+b%20c%2B"), same(heard(nil, "a b c+"))},
	{"semicolon in a form", "", typed(urlencoded, "message=a;nick=b"), same(heard(nil, "a;nick=b"))},
	{"semicolon in a query", "message=a;nick=b", nothing, same(heard(nil, "a;nick=b"))},
	{"markup is text", "", form("nick", markup, "message", markup), same(heard(markup, markup))},
	{"control characters", controlsQuery, nothing, same(heard(nil, controls))},
	{"line breaks in multipart", "", parts("message", "a\r\nb"), same(heard(nil, "a\r\nb"))},
	{"long", "", form("message", strings.Repeat("x", 10_000)), same(heard(nil, strings.Repeat("x", 10_000)))},

	{"UTF-8 in multipart", "", parts("nick", greeting, "message", greeting), same(heard(greeting, greeting))},
	{"byte order mark before JSON", "", jsonText("\ufeff" + `{"message": "hi"}`), differs[outcome]{heard(nil, "hi"), heard(nil, nil), whyJSON}},
	{"byte order mark before a form", "", typed(urlencoded, "\ufeffmessage=hi"), differs[outcome]{heard(nil, "hi"), heard(nil, nil), whyNoMessage}},
	{"UTF-8 in a form", "", typed(urlencoded, formOfUTF8),
		differs[outcome]{heard(nil, greeting), heard(nil, latin1(greeting)), whyUTF8}},
	{"UTF-8 in a query", formOfUTF8, nothing,
		differs[outcome]{heard(nil, greeting), heard(nil, latin1(greeting)), whyUTF8}},
	{"bare UTF-8 in a form", "", typed(urlencoded, "message="+greeting),
		differs[outcome]{heard(nil, greeting), heard(nil, latin1(greeting)), whyUTF8}},

	{"nothing", "", nothing, differs[outcome]{refused(400), heard(nil, nil), whyNoMessage}},
	{"nick alone", "", form("nick", "ann"), differs[outcome]{refused(400), heard("ann", nil), whyNoMessage}},
	{"message empty", "", form("message", ""), differs[outcome]{refused(400), heard(nil, ""), whyNoMessage}},
	{"empty form over query", "message=q", form("message", ""),
		differs[outcome]{refused(400), heard(nil, ""), whyNoMessage}},
	{"message as a file", "", typed("multipart/form-data; boundary=b", attachedFile),
		differs[outcome]{refused(400), heard(nil, nil), whyNoMessage}},
	{"bad percent in a query", "message=a%ZZb", nothing, differs[outcome]{refused(400), heard(nil, "a%ZZb"), whyPercent}},
	{"bad percent in a form", "", typed(urlencoded, "message=a%ZZb"),
		differs[outcome]{refused(400), heard(nil, "a%ZZb"), whyPercent}},
	{"plain text", "", typed("text/plain", "message=hi"), differs[outcome]{refused(415), heard(nil, "hi"), whyType}},
	{"beyond the limit", "", form("message", strings.Repeat("x", 60_000)),
		differs[outcome]{refused(413), heard(nil, strings.Repeat("x", 60_000)), whyLimit}},

	{"JSON", "", jsonText(`{"nick": "ann", "message": "hi"}`),
		differs[outcome]{heard("ann", "hi"), heard(nil, nil), whyJSON}},
	{"JSON, nick missing", "", jsonText(`{"message": "hi"}`),
		differs[outcome]{heard(nil, "hi"), heard(nil, nil), whyJSON}},
	{"JSON in UTF-8 and escapes", "", jsonText(`{"message": "h` + "é" + `llo \u20ac\ud83d\ude00"}`),
		differs[outcome]{heard(nil, greeting), heard(nil, nil), whyJSON}},
	{"JSON with charset", "", typed("application/json; charset=utf-8", `{"message": "hi"}`),
		differs[outcome]{heard(nil, "hi"), heard(nil, nil), whyJSON}},
	{"JSON over query", "nick=q&message=q", jsonText(`{"nick": "ann", "message": "hi"}`),
		differs[outcome]{heard("ann", "hi"), heard("q", "q"), whyJSON}},
}

func TestPublish(t *testing.T) {
	for _, c := range publishCases {
		t.Run(c.name, func(t *testing.T) {
			want := c.want.want(t)
			poll := base.Polls(t, 1, "/sub")[0]
			a := base.Post(t, "/pub?"+c.query, c.body)

			if want.status != http.StatusOK {
				a.RequireRefused(t, want.status)
				// What the poll hears is the next post: the refused one was not published.
				marker := fresh()
				base.Post(t, "/pub", form("message", marker))
				want = heard(nil, marker)
			} else {
				assert.Equal(t, "sent", a.Object(t)["status"])
			}
			got := poll.Receive(t, "GET").Object(t)
			require.Contains(t, got, "nick")
			assert.Equal(t, want.nick, got["nick"])
			assert.Equal(t, want.message, got["message"])
		})
	}
}

func TestPublishAnswersAlsoWhenNobodyListens(t *testing.T) {
	base.AwaitPolling(t, 0)
	assert.Equal(t, "sent", base.Post(t, "/pub", form("message", fresh())).Object(t)["status"])
}
