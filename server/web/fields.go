package web

import (
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// Fields are what a query or a form has, in their order. A map as net/url makes
// it has six allocations for the two fields of a poll, and thousands of polls
// ask again at once.
type Fields []field

type field struct{ name, value string }

// FieldsOf reads the query of r.
func FieldsOf(r *http.Request) (Fields, error) { return ParseFields(r.URL.RawQuery) }

// ParseFields reads what is urlencoded, as
// https://url.spec.whatwg.org/#urlencoded-parsing has it: a semicolon is text,
// people type them into curl. What is malformed is the sender's to mend.
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

// MultipartFields are those of a form that are no files.
func MultipartFields(form *multipart.Form) Fields {
	var all Fields
	for name, values := range form.Value {
		for _, value := range values {
			all = append(all, field{name, value})
		}
	}
	return all
}

// Has tells whether there is a field of that name.
func (f Fields) Has(name string) bool {
	for i := range f {
		if f[i].name == name {
			return true
		}
	}
	return false
}

// First returns the value of the first field of that name, "" if there is none.
func (f Fields) First(name string) string {
	for i := range f {
		if f[i].name == name {
			return f[i].value
		}
	}
	return ""
}

// Last returns the value of the last field of that name, nil if there is none.
func (f Fields) Last(name string) *string {
	for i := range f {
		if at := len(f) - 1 - i; f[at].name == name {
			return &f[at].value
		}
	}
	return nil
}
