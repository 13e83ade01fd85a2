package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"pubsub/server/history"
	"pubsub/server/logs"
)

// Assets are the chat page and the static files. They are read once, so no path of a
// request can reach another file. Its methods are safe for concurrent use.
type Assets struct {
	index *template.Template
	files map[string]asset // by path, without the first slash
}

type asset struct {
	name string
	body []byte
	etag string
}

// LoadAssets reads all files of static, and the template index.html of templates.
func LoadAssets(static, templates fs.FS) (*Assets, error) {
	index, err := template.ParseFS(templates, "index.html")
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	a := &Assets{index: index, files: make(map[string]asset)}
	err = fs.WalkDir(static, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(static, path)
		a.files[path] = asset{path, body, etagOf(body)}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the static files: %w", err)
	}
	return a, nil
}

func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// Page answers with the chat page of the channel that the field channel names.
func (a *Assets) Page(w http.ResponseWriter, r *http.Request) error {
	query, err := FieldsOf(r)
	if err != nil {
		return err
	}
	channel, err := history.ParseChannel(query.First("channel"))
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := a.index.Execute(&page, struct{ Channel string }{channel}); err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	asset{"index.html", page.Bytes(), etagOf(page.Bytes())}.serve(w, r)
	return nil
}

// File answers with the static file at the path of the request, or with a 404.
func (a *Assets) File(w http.ResponseWriter, r *http.Request) error {
	file, found := a.files[strings.TrimPrefix(r.URL.Path, "/")]
	switch {
	case !found:
		return Refuse(http.StatusNotFound, "There is nothing at %s. The chat is at /.", logs.Cut(r.URL.Path, Quoted))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		return MethodNotAllowed(w, r)
	}
	file.serve(w, r)
	return nil
}

// policy is the Content-Security-Policy. The page runs scripts only from this server, and
// none that somebody wrote into a message. It connects only to this server, and no other
// page may show it in a frame.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// serve answers with the asset; net/http handles 304, ranges and the content type.
func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Content-Type-Options"] = nosniff
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("ETag", a.etag)
	w.Header().Set("Cache-Control", "no-cache") // browsers ask each time, which the ETag makes cheap
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(a.body))
}
