package web

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is how many characters the name of a present client may have, and a nick on the
// page.
const MaxName = 64

// Shows tells whether a text has a visible character.
func Shows(text string) bool { return strings.ContainsFunc(text, isSeen) }

func isSeen(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !isIgnorable(r)
}

// isIgnorable tells whether a character takes no room or is blank. Two names that differ in
// such characters only look the same.
func isIgnorable(r rune) bool {
	const brailleBlank = '\u2800'
	return r == brailleBlank || unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Alphabets that share letters of the same look, such as a and а.
var alike = []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic}

// CheckName refuses a name that could be mistaken for another, or that breaks the look of its
// line. So it refuses invisible and control characters, and letters of several alphabets in
// one word. Characters that join emoji or letters of some scripts are allowed where they are
// needed. The error is a [Problem].
func CheckName(name string) error {
	if !utf8.ValidString(name) || !Shows(name) || hides(name) {
		return Refuse(http.StatusBadRequest, "A name has 1 to %d characters that can be seen, and no control characters.", MaxName)
	}
	for word := range strings.FieldsSeq(name) {
		if mixes(word) {
			return Refuse(http.StatusBadRequest, "A name has letters of one alphabet in a word: some of another look the same.")
		}
	}
	return nil
}

func hides(name string) bool {
	const zeroWidthJoiner, zeroWidthNonJoiner = '\u200d', '\u200c'
	before := ' '
	for _, r := range name {
		joins := r == zeroWidthJoiner || r == zeroWidthNonJoiner || unicode.Is(unicode.Variation_Selector, r)
		switch {
		case joins && before != ' ' && !unicode.In(before, alike...):
		case isIgnorable(r), unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
			return true
		}
		before = r
	}
	return false
}

func mixes(word string) bool {
	var of *unicode.RangeTable
	for _, r := range word {
		for _, alphabet := range alike {
			if !unicode.Is(alphabet, r) || alphabet == of {
				continue
			}
			if of != nil {
				return true
			}
			of = alphabet
		}
	}
	return false
}
