package web

import (
	"net/http"
	"strconv"
	"strings"
)

// acceptsGzip tells whether a client accepts gzip. values are those of its header
// Accept-Encoding.
func acceptsGzip(values []string) bool { return accepts(values, "gzip", "x-gzip") }

// acceptsBrotli is the same for Brotli. Browsers accept it over HTTPS and from localhost.
func acceptsBrotli(values []string) bool { return accepts(values, "br", "br") }

// accepts tells whether a client accepts an encoding, which has two names. Anything malformed
// is not accepted, as every client can read the plain answer.
func accepts(values []string, name, alias string) bool {
	named, refused, others := false, false, false
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			coding, weight, _ := strings.Cut(item, ";")
			switch coding = trim(coding); {
			case strings.EqualFold(coding, name), strings.EqualFold(coding, alias):
				named, refused = true, refused || !isPositive(weight)
			case coding == "*": // encodings that are not named
				others = isPositive(weight)
			}
		}
	}
	return !refused && (named || others)
}

// isPositive tells whether a weight such as "q=0.5" is more than 0. No weight means 1.
func isPositive(weight string) bool {
	if weight = trim(weight); weight == "" {
		return true
	}
	name, value, _ := strings.Cut(weight, "=")
	q, err := strconv.ParseFloat(trim(value), 64)
	return err == nil && strings.EqualFold(trim(name), "q") && 0 < q && q <= 1
}

// trim removes the white space that HTTP allows between the parts of a header.
func trim(text string) string { return strings.Trim(text, " \t") }

// Values of headers. Answers share them: do not change them.
var (
	gzipped      = []string{"gzip"}
	brotlied     = []string{"br"}
	varyEncoding = []string{"Accept-Encoding"}
)

// vary tells caches that the answer depends on Accept-Encoding.
func vary(h http.Header) {
	if len(h["Vary"]) == 0 {
		h["Vary"] = varyEncoding
		return
	}
	h.Add("Vary", "Accept-Encoding")
}
