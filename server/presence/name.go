package presence

import (
	"cmp"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"pubsub/server/access"
	"pubsub/server/web"
)

// field is in the query of who wants to be present.
const field = "presence"

// NameOf returns under which name the sender of a request wants to be present, "" if it
// does not. With a token that has a name it is that one, so that nobody is present as
// somebody else. The error is a [web.Problem].
func NameOf(fields web.Fields, grant access.Grant) (string, error) {
	if !fields.Has(field) {
		return "", nil
	}
	name, err := Name(fields.First(field), grant)
	return name, web.About(field, err)
}

// Name returns the name under which somebody is told: the token's, or the one that was
// given. Names that differ only in how they are written are one. The error is a
// [web.Problem].
func Name(given string, grant access.Grant) (string, error) {
	name := strings.TrimSpace(cmp.Or(grant.Name, given))
	if err := web.CheckName(name); err != nil {
		return "", err
	}
	name = norm.NFC.String(strings.Join(strings.Fields(name), " "))
	if utf8.RuneCountInString(name) > web.MaxName {
		return "", web.Refuse(http.StatusBadRequest, "A name has at most %d characters.", web.MaxName)
	}
	return name, nil
}
