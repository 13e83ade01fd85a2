package post

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"pubsub/server/history"
	"pubsub/server/web"
)

// maxDepth is how deep posted JSON may be nested. Python's parser fails at about 1,000
// levels, and others earlier. A client whose parser fails at one message could not get the
// next ones.
const maxDepth = 100

// Object reads a JSON object, and drops the fields that the server sets. It refuses JSON that
// some parsers cannot read: deep nesting, numbers beyond a 64-bit float, and text that is not
// UTF-8. Every error is a [web.Problem].
func (b *Body) Object() (map[string]any, error) {
	if kind := mediaType(b.request); kind != "application/json" && kind != "" {
		return nil, web.Refuse(http.StatusUnsupportedMediaType, "This Content-Type cannot be posted here. Send application/json.")
	}
	charset, err := charsetOf(b.request)
	if err != nil {
		return nil, err
	}
	text, err := b.bytes()
	if err != nil {
		return nil, err
	}
	if charset != nil {
		text = []byte(toUTF8(string(text), charset))
	}
	return parseObject(text, b.max)
}

// parseObject parses a JSON object of at most max bytes, as Object does.
func parseObject(text []byte, max int) (map[string]any, error) {
	if max > 0 && leastSize(text) > max {
		return nil, tooLarge(max) // before parsing, which would cost much more
	}
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a float64 would change long integers
	err := decoder.Decode(&object)
	if _, after := decoder.Token(); err != nil || object == nil || after != io.EOF {
		return nil, web.Refuse(http.StatusBadRequest, `The body is not a JSON object, such as {"message": "hi"}.`)
	}
	if err := checkValue(object, 1); err != nil {
		return nil, err
	}
	dropAliases(object)
	return object, nil
}

// dropAliases drops the fields that the server sets, in upper or lower case, because parsers
// such as Go's take ID for id. For the same reason it drops a NICK beside a nick, and a
// MESSAGE beside a message.
func dropAliases(object map[string]any) {
	for name := range object {
		for _, reserved := range history.Reserved {
			if strings.EqualFold(name, reserved) {
				delete(object, name)
			}
		}
		for _, ours := range []string{"nick", "message"} {
			if _, beside := object[ours]; beside && name != ours && strings.EqualFold(name, ours) {
				delete(object, name)
			}
		}
	}
}

func checkValue(value any, depth int) error {
	if depth > maxDepth {
		return web.Refuse(http.StatusBadRequest, "The JSON is nested more than %d levels deep.", maxDepth)
	}
	switch value := value.(type) {
	case json.Number:
		if _, err := value.Float64(); err != nil {
			return web.Refuse(http.StatusBadRequest, "The JSON has a number that is too large for a 64-bit float. Send it as a text.")
		}
	case []any:
		for _, each := range value {
			if err := checkValue(each, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, each := range value {
			if err := checkValue(each, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
