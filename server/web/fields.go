package server

import (
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// fields are what a query or a form has, in their order. A map as net/url makes
// it has six allocations for the two fields of a poll, and thousands of polls
// ask again at once.
type fields []field

type field struct{ name, value string }

// fieldsOf reads the query of r.
func fieldsOf(r *http.Request) (fields, error) { return parseFields(r.URL.RawQuery) }

// parseFields reads what is urlencoded, as
// https://url.spec.whatwg.org/#urlencoded-parsing has it: a semicolon is text,
// people type them into curl. What is malformed is the sender's to mend.
func parseFields(text string) (fields, error) {
	if text == "" {
		return nil, nil
	}
	all := make(fields, 0, 4)
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
			return nil, refuse(http.StatusBadRequest, "The fields are not urlencoded: %v. A %% is written as %%25.", err)
		}
		all = append(all, field{name, value})
	}
	return all, nil
}

// multipartFields are those of a form that are no files.
func multipartFields(form *multipart.Form) fields {
	var all fields
	for name, values := range form.Value {
		for _, value := range values {
			all = append(all, field{name, value})
		}
	}
	return all
}

// has tells whether there is a field of that name.
func (f fields) has(name string) bool {
	for i := range f {
		if f[i].name == name {
			return true
		}
	}
	return false
}

// first returns the value of the first field of that name, "" if there is none.
func (f fields) first(name string) string {
	for i := range f {
		if f[i].name == name {
			return f[i].value
		}
	}
	return ""
}

// last returns the value of the last field of that name, nil if there is none.
func (f fields) last(name string) *string {
	for i := range f {
		if at := len(f) - 1 - i; f[at].name == name {
			return &f[at].value
		}
	}
	return nil
}
