package post

import (
	"bytes"
	"cmp"
	"mime"
	"net/http"
	"unicode/utf8"

	"pubsub/server/web"
)

// Message reads a nick and a message. They come from an urlencoded or multipart form, from a
// JSON object, or from the query if the body lacks them. A JSON object keeps its other
// fields, a form does not. Every error is a [web.Problem].
func (b *Body) Message() (any, error) {
	query, err := web.FieldsOf(b.request)
	if err != nil {
		return nil, err
	}
	if mediaType(b.request) == "application/json" {
		return b.messageOf(query)
	}
	form, err := b.form()
	if err != nil {
		return nil, err
	}
	posted := &message{cmp.Or(form.Last("nick"), query.Last("nick")), cmp.Or(form.Last("message"), query.Last("message"))}
	if posted.Message == nil || *posted.Message == "" {
		return nil, ErrNoMessage
	}
	for _, text := range []*string{posted.Nick, posted.Message} {
		if text != nil && !utf8.ValidString(*text) {
			return nil, errNotUTF8
		}
	}
	return posted, nil
}

// form reads an urlencoded or multipart form. No body is an empty form.
func (b *Body) form() (web.Fields, error) {
	switch mediaType(b.request) {
	case "", "application/x-www-form-urlencoded":
		text, err := b.bytes()
		if err != nil {
			return nil, err
		}
		if looksLikeJSON(text) {
			return nil, errJSONInForm
		}
		charset, err := charsetOf(b.request)
		if err != nil {
			return nil, err
		}
		fields, err := web.ParseFields(string(text))
		fields.Change(func(value string) string { return toUTF8(value, charset) })
		return fields, err
	case "multipart/form-data":
		return b.multipart()
	}
	return nil, web.Refuse(http.StatusUnsupportedMediaType, "This Content-Type cannot be posted here. Send a form or application/json.")
}

// message is the object that a form posts.
type message struct {
	Nick    *string `json:"nick"`
	Message *string `json:"message"`
}

// mediaType returns the Content-Type without parameters, "" if the request has none.
func mediaType(r *http.Request) string {
	header := r.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	if err != nil && header != "" {
		return "malformed"
	}
	return kind
}

// looksLikeJSON finds JSON that was sent with curl -d, which labels it as a form.
func looksLikeJSON(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
}

var (
	errJSONInForm = web.Refuse(http.StatusUnsupportedMediaType, `This is JSON that is called a form. Send it with the header "Content-Type: application/json".`)
	// ErrNoMessage refuses a post whose message is missing or empty.
	ErrNoMessage = web.Refuse(http.StatusBadRequest, `There is no message. Send a non-empty field "message", and your "nick" if you like.`)
	errNotUTF8   = web.Refuse(http.StatusBadRequest, "The text is not UTF-8. Encode it as UTF-8 and send it again.")
)

// messageOf reads a JSON object. A nick or message that it lacks is taken from the query.
func (b *Body) messageOf(query web.Fields) (any, error) {
	object, err := b.Object()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"nick", "message"} {
		if _, posted := object[name]; posted {
			continue
		}
		if text := query.Last(name); text != nil && utf8.ValidString(*text) {
			object[name] = *text
		}
	}
	if message, isText := object["message"].(string); !isText || message == "" {
		return nil, ErrNoMessage
	}
	switch object["nick"].(type) {
	case nil:
		object["nick"] = nil
	case string:
	default:
		return nil, web.Refuse(http.StatusBadRequest, `"nick" must be a text or null.`)
	}
	dropAliases(object)
	return object, nil
}
