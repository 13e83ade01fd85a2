package web

import "bytes"

// withoutComments returns a script or a style sheet without the comments that have lines of
// their own, and without what indents the others. Empty lines are left in the place of
// comments, so that an error names the right line. It does not read the language: no text
// that goes over several lines may have a line that begins like a comment.
func withoutComments(source []byte) []byte {
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
