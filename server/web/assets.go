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

	"pubsub/server/asynclog"
)

// Assets are the chat page and the static files. They are read once at the start, so no path
// of a request can reach another file. The methods of Assets are safe for concurrent use.
//
// Each file has two addresses. The page uses the one with the hash of all files, which may be
// cached for ever, as other files have another hash. The plain address stays the same.
type Assets struct {
	index *template.Template
	files map[string]*asset       // by path, without the first slash
	parts map[string]*hashedAsset // the same files, for the address with the hash
	hash  string                  // of all static files
}

// LoadAssets reads and compresses all files of static, and reads the template index.html of
// templates.
func LoadAssets(static, templates fs.FS) (*Assets, error) {
	index, err := template.ParseFS(templates, "index.html")
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	a := &Assets{index: index, files: make(map[string]*asset), parts: make(map[string]*hashedAsset)}
	if err := a.load(static); err != nil {
		return nil, fmt.Errorf("read the static files: %w", err)
	}
	return a, nil
}

func (a *Assets) load(static fs.FS) error {
	all, w := sha256.New(), newPackers()
	err := fs.WalkDir(static, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(static, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(all, "%q %d\n", path, len(body))
		all.Write(body)
		f := newAsset(path, body)
		if len(body) <= maxCompressedFile {
			f.compressed = newVariant(compress(w.gzip, body))
			f.varies = f.compressed.body != nil
		}
		a.files[path], a.parts[path] = f, w.part(path, f.contentType, body)
		return nil
	})
	a.hash = hex.EncodeToString(all.Sum(nil)[:8])
	return err
}

// maxCompressedFile is the size of the largest static file that is compressed. Larger files
// are seldom text, and compressing them would delay the start.
const maxCompressedFile = 1 << 20

// Page is the content of the chat page.
type Page struct {
	Channel string
	Plain   bool   // for a browser without JavaScript
	Lines   []Line // the last messages, if Plain is set
	Hash    string // of the static files; set by Assets
	Origin  string // the origin that the browser asked; set by Assets
}

// Line is a message on the page.
type Line struct{ Time, Nick, Text string }

// Page answers with the chat page.
func (a *Assets) Page(w http.ResponseWriter, r *http.Request, shown Page) error {
	shown.Hash, shown.Origin = a.hash, originOf(r)
	var page bytes.Buffer
	if err := a.index.Execute(&page, shown); err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	f := newAsset("index.html", page.Bytes())
	if f.varies = worthCompressing(page.Len()); f.varies {
		f.compressed = newVariant(CompressorFor(w).compress(page.Bytes()))
	}
	f.serve(w, r)
	return nil
}

// originOf returns the origin that a browser asked, for addresses that must be absolute. Any
// proxy is believed when it says HTTPS, because only a picture depends on it.
func originOf(r *http.Request) string {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" || strings.Contains(r.Header.Get("Forwarded"), "proto=https") {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// File answers with the static file at the path of the request, or with a 404. The path may
// begin with /@ and a hash of all files. With an unknown hash, the page came from another
// version of the server, as happens while instances are replaced. The file may then differ
// from that version's, so no cache may keep it.
func (a *Assets) File(w http.ResponseWriter, r *http.Request) error {
	name, ours := strings.TrimPrefix(r.URL.Path, "/"), false
	if versioned, found := strings.CutPrefix(name, "@"); found {
		var hash string
		hash, name, _ = strings.Cut(versioned, "/")
		ours = hash == a.hash
	}
	f, found := a.files[name]
	switch {
	case !found:
		return Refuse(http.StatusNotFound, "There is nothing at %s. The chat is at /.", asynclog.Cut(r.URL.Path, Quoted))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		return MethodNotAllowed(w, r)
	case ours:
		a.parts[name].serve(w, r)
	default:
		f.serve(w, r)
	}
	return nil
}
