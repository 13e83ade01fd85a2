package web

import (
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// Fields are the fields of a query or a form, in order. The zero value has none. A map, such
// as url.Values, would take six allocations for the two fields of a poll, and thousands of
// polls come at the same time.
type Fields []field

type field struct{ name, value string }

// FieldsOf parses the query of a request. Its errors are those of [ParseFields].
func FieldsOf(r *http.Request) (Fields, error) { return ParseFields(r.URL.RawQuery) }

// ParseFields parses urlencoded text by the rules of
// https://url.spec.whatwg.org/#urlencoded-parsing. So a semicolon is part of a value, which
// matters for messages that people type into curl. But a malformed escape is an error: a
// [Problem] with status 400.
func ParseFields(text string) (Fields, error) {
	if text == "" {
		return nil, nil
	}
	all := make(Fields, 0, 4)
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, Refuse(http.StatusBadRequest, "The fields are not urlencoded: %v. A %% is written as %%25.", err)
		}
		all = append(all, field{name, value})
	}
	return all, nil
}

// MultipartFields returns the fields of a form, without its files.
func MultipartFields(form *multipart.Form) Fields {
	var all Fields
	for name, values := range form.Value {
		for _, value := range values {
			all = append(all, field{name, value})
		}
	}
	return all
}

// Change replaces each value by the result of change.
func (f Fields) Change(change func(value string) string) {
	for i := range f {
		f[i].value = change(f[i].value)
	}
}

// Has tells whether there is a field with that name.
func (f Fields) Has(name string) bool {
	for i := range f {
		if f[i].name == name {
			return true
		}
	}
	return false
}

// First returns the value of the first field with that name, "" if there is none.
func (f Fields) First(name string) string {
	for i := range f {
		if f[i].name == name {
			return f[i].value
		}
	}
	return ""
}

// Last returns the value of the last field with that name, nil if there is none.
func (f Fields) Last(name string) *string {
	for i := range f {
		if at := len(f) - 1 - i; f[at].name == name {
			return &f[at].value
		}
	}
	return nil
}
