package post

import (
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"pubsub/server/web"
)

// charsets are those that older programs name beside UTF-8. ASCII is a part of UTF-8.
var charsets = map[string]*charmap.Charmap{
	"": nil, "utf-8": nil, "utf8": nil, "us-ascii": nil, "ascii": nil,
	"iso-8859-1": charmap.ISO8859_1, "latin1": charmap.ISO8859_1,
	"windows-1252": charmap.Windows1252, "cp1252": charmap.Windows1252,
}

// charsetOf returns the charset of a body, nil for UTF-8.
func charsetOf(r *http.Request) (*charmap.Charmap, error) {
	_, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // mediaType has checked the header
	name := parameters["charset"]
	of, known := charsets[strings.ToLower(name)]
	if !known {
		return nil, web.Refuse(http.StatusUnsupportedMediaType, "The charset %.20q is not taken here. Send UTF-8.", name)
	}
	return of, nil
}

// toUTF8 decodes a text in a charset. A text that is UTF-8 stays as it is, because some
// libraries name an old charset whatever they send.
func toUTF8(text string, of *charmap.Charmap) string {
	if of == nil || utf8.ValidString(text) {
		return text
	}
	decoded, _ := of.NewDecoder().String(text) // every byte is a character
	return decoded
}
