package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"pubsub/server/history"
)

// defaultChannel is the one of the original's endpoints.
const defaultChannel = "chat"

// channelOf returns the channel that a path names, the default one where it
// names none. It is a copy: the path is a part of a request that may be long,
// and a channel's name outlives it.
func channelOf(name string) (string, error) {
	if name == "" {
		return defaultChannel, nil
	}
	name, err := checkChannel(name)
	return strings.Clone(name), err
}

func checkChannel(name string) (string, error) {
	valid := 1 <= len(name) && len(name) <= 128 && name != "." && name != ".." // browsers take these out of a path
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == '~', c == '-':
		default:
			valid = false
		}
	}
	if !valid {
		return "", refuse(http.StatusBadRequest, "A channel's name has 1 to 128 of the characters A–Z a–z 0–9 . _ ~ -, and is not . or ..")
	}
	return name, nil
}

// readPosted reads a nick and a message from the query, a form of either kind,
// or a JSON object, the body before the query, and returns them as a compact
// JSON object. Other fields of a JSON object are kept, those of a form are not.
func (s *Server) readPosted(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	query, err := fieldsOf(r)
	if err != nil {
		return nil, err
	}
	var form fields
	switch mediaType(r) {
	case "application/json":
		return s.readPostedJSON(w, r, query)
	case "", "application/x-www-form-urlencoded":
		body, err := s.readBody(w, r)
		if err != nil {
			return nil, err
		}
		if looksLikeJSON(body) {
			return nil, errJSONInForm
		}
		if form, err = parseFields(string(body)); err != nil {
			return nil, err
		}
	case "multipart/form-data":
		if form, err = s.readMultipart(w, r); err != nil {
			return nil, err
		}
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "This Content-Type cannot be posted here. Send a form or application/json.")
	}
	posted := struct {
		Nick    *string `json:"nick"`
		Message *string `json:"message"`
	}{cmp.Or(form.last("nick"), query.last("nick")), cmp.Or(form.last("message"), query.last("message"))}
	if posted.Message == nil || *posted.Message == "" {
		return nil, errNoMessage
	}
	for _, text := range []*string{posted.Nick, posted.Message} {
		if text != nil && !utf8.ValidString(*text) {
			return nil, errNotUTF8
		}
	}
	return s.compact(posted)
}

// mediaType is the request's Content-Type without parameters, "" without one.
func mediaType(r *http.Request) string {
	header := r.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	if err != nil && header != "" {
		return "malformed"
	}
	return kind
}

// looksLikeJSON tells what people send with curl -d, which calls it a form.
func looksLikeJSON(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
}

var (
	errJSONInForm = refuse(http.StatusUnsupportedMediaType, `This is JSON that is called a form. Send it with the header "Content-Type: application/json".`)
	errNoMessage  = refuse(http.StatusBadRequest, `There is no message. Send a non-empty field "message", and your "nick" if you like.`)
	errNotUTF8    = refuse(http.StatusBadRequest, "The text is not UTF-8. Encode it as UTF-8 and send it again.")
)

func (s *Server) readPostedJSON(w http.ResponseWriter, r *http.Request, query fields) ([]byte, error) {
	object, err := s.readObject(w, r)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"nick", "message"} {
		if _, posted := object[name]; posted {
			continue
		}
		if text := query.last(name); text != nil && utf8.ValidString(*text) {
			object[name] = *text
		}
	}
	if message, isText := object["message"].(string); !isText || message == "" {
		return nil, errNoMessage
	}
	switch object["nick"].(type) {
	case nil:
		object["nick"] = nil
	case string:
	default:
		return nil, refuse(http.StatusBadRequest, `"nick" must be a text or null.`)
	}
	dropAliases(object)
	return s.compact(object)
}

// maxDepth is how deep posted JSON may be nested. Python's reader gives up at
// about 1,000 levels and others earlier, and with a message all after it.
const maxDepth = 100

// readObject reads a JSON object, without the fields that the server sets.
// Nothing is left in it that a reader's JSON parser could stumble over.
func (s *Server) readObject(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	if kind := mediaType(r); kind != "application/json" && kind != "" {
		return nil, refuse(http.StatusUnsupportedMediaType, "This Content-Type cannot be posted here. Send application/json.")
	}
	body, err := s.readBody(w, r)
	if err != nil {
		return nil, err
	}
	if limit := s.config.MaxMessageBytes; limit > 0 && leastSize(body) > limit {
		return nil, s.tooLarge() // to read it first would cost much more than to refuse it
	}
	if !utf8.Valid(body) {
		return nil, errNotUTF8
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // whole numbers stay as they are, however long
	err = decoder.Decode(&object)
	if _, after := decoder.Token(); err != nil || object == nil || after != io.EOF {
		return nil, refuse(http.StatusBadRequest, `The body is not a JSON object, such as {"message": "hi"}.`)
	}
	if err := checkValue(object, 1); err != nil {
		return nil, err
	}
	dropAliases(object)
	return object, nil
}

// dropAliases drops the fields that the server sets, in whatever case, and what a
// reader that does not tell upper from lower case would take for the nick or the
// message that stands beside it, as Go's does.
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

// leastSize is how many bytes JSON has at least when it is written anew: without
// blanks, and one for each escape.
func leastSize(body []byte) (size int) {
	inText := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inText = !inText
		case !inText && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		case inText && c == '\\':
			if i++; i < len(body) && body[i] == 'u' {
				i += 4
			}
		}
		size++
	}
	return size
}

func checkValue(value any, depth int) error {
	if depth > maxDepth {
		return refuse(http.StatusBadRequest, "The JSON is nested more than %d levels deep.", maxDepth)
	}
	switch value := value.(type) {
	case json.Number:
		if _, err := value.Float64(); err != nil {
			return refuse(http.StatusBadRequest, "The JSON has a number that is too large for a 64-bit float. Send it as a text.")
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

// compact encodes what was posted and holds it against the limit.
func (s *Server) compact(posted any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // readers put it into a page as text, not as HTML
	if err := encoder.Encode(posted); err != nil {
		return nil, refuse(http.StatusBadRequest, "The message cannot be written as JSON: %v.", err)
	}
	object := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if limit := s.config.MaxMessageBytes; limit > 0 && len(object) > limit {
		return nil, s.tooLarge()
	}
	return object, nil
}

func (s *Server) tooLarge() error {
	return refuse(http.StatusRequestEntityTooLarge, "A message may have %d bytes. Send less at a time.", s.config.MaxMessageBytes)
}

// limitBody bounds a body well above what the message in it may have, since
// urlencoding and JSON's escapes take up to six bytes for one.
func (s *Server) limitBody(w http.ResponseWriter, r *http.Request) {
	if limit := s.config.MaxMessageBytes; limit > 0 {
		r.Body = http.MaxBytesReader(w, r.Body, int64(6*limit+4<<10))
	}
}

func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	s.limitBody(w, r)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, s.bodyError(err)
	}
	return body, nil
}

func (s *Server) readMultipart(w http.ResponseWriter, r *http.Request) (fields, error) {
	s.limitBody(w, r)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "The multipart form has no boundary in its Content-Type.")
	}
	form, err := parts.ReadForm(1 << 30) // limitBody has the say; nothing goes to disk
	if err == nil {
		_, err = io.Copy(io.Discard, r.Body) // the form ends before a body that was cut short
	}
	if err != nil {
		return nil, s.bodyError(err)
	}
	return multipartFields(form), nil
}

func (s *Server) bodyError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return s.tooLarge()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(http.StatusRequestTimeout, "The body did not arrive within %v. Send it again.", bodyTimeout)
	}
	return refuse(http.StatusBadRequest, "The body ends early or is malformed. Check its length and send it again.")
}
