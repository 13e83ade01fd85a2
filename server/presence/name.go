package presence

import (
	"cmp"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"pubsub/server/access"
	"pubsub/server/web"
)

// field is in the query of who wants to be present.
const field = "presence"

// maxName is how many characters a name may have, as a nick on the page.
const maxName = 64

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
// given. The error is a [web.Problem].
func Name(given string, grant access.Grant) (string, error) {
	name := strings.TrimSpace(cmp.Or(grant.Name, given))
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, isHidden) || !strings.ContainsFunc(name, isSeen) {
		return "", web.Refuse(http.StatusBadRequest, "A name has 1 to %d characters that can be seen, and no control characters.", maxName)
	}
	return name, nil
}

// isHidden is for what could break a line, or turn the direction of what stands behind it.
func isHidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

func isSeen(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r)
}
