package web

import "bytes"

// stripComments returns a script or a style sheet without indentation, and without comments
// on lines of their own. Their lines stay empty, so that an error names the right line. The
// language is not parsed: no line within a text may begin like a comment.
func stripComments(source []byte) []byte {
	var out bytes.Buffer
	within := false
	for line := range bytes.Lines(source) {
		text := bytes.TrimSpace(line)
		end := bytes.Index(text, []byte("*/"))
		switch {
		case within:
			within = !bytes.HasSuffix(text, []byte("*/"))
		case bytes.HasPrefix(text, []byte("//")):
		case bytes.HasPrefix(text, []byte("/*")) && end < 0:
			within = true
		case bytes.HasPrefix(text, []byte("/*")) && end == len(text)-2:
		default:
			out.Write(text)
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}
