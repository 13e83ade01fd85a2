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

// field is the field of a request that asks to be present.
const field = "presence"

// NameOf returns the name under which the client of a request wants to be present, "" if it
// does not. A name in the token comes first, so that nobody can use the name of somebody
// else. The error is a [web.Problem].
func NameOf(fields web.Fields, grant access.Grant) (string, error) {
	if !fields.Has(field) {
		return "", nil
	}
	name, err := Name(fields.First(field), grant)
	return name, web.About(field, err)
}

// Name returns the token's name, or else the given one. It is normalized, so that names which
// look the same are the same. The error is a [web.Problem].
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
