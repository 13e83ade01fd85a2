package post

import (
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"pubsub/server/web"
)

// charsets are those that older programs name beside UTF-8, of which ASCII is a part.
var charsets = map[string]*charmap.Charmap{
	"": nil, "utf-8": nil, "utf8": nil, "us-ascii": nil, "ascii": nil,
	"iso-8859-1": charmap.ISO8859_1, "latin1": charmap.ISO8859_1,
	"windows-1252": charmap.Windows1252, "cp1252": charmap.Windows1252,
}

// charsetOf returns how the text of a body is written, nil for UTF-8.
func charsetOf(r *http.Request) (*charmap.Charmap, error) {
	_, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // mediaType has looked at it
	name := parameters["charset"]
	of, known := charsets[strings.ToLower(name)]
	if !known {
		return nil, web.Refuse(http.StatusUnsupportedMediaType, "The charset %.20q is not taken here. Send UTF-8.", name)
	}
	return of, nil
}

// toUTF8 returns a text that a client says to have written in a charset. What is UTF-8 stays
// so: some libraries name the charset that was usual long ago, whatever they send.
func toUTF8(text string, of *charmap.Charmap) string {
	if of == nil || utf8.ValidString(text) {
		return text
	}
	decoded, _ := of.NewDecoder().String(text) // every byte is a character
	return decoded
}
