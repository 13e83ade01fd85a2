package main

import (
	"embed"
	"io/fs"
)

//go:embed static templates clients/js/*.js
var files embed.FS

// folder is an embedded folder.
func folder(name string) fs.FS {
	sub, _ := fs.Sub(files, name) // cannot fail, as the folder is embedded
	return sub
}

// staticFiles are those of the chat page, and in js/ the client for JavaScript: the page
// uses it as pages of others do.
func staticFiles() fs.FS { return joined{folder("static"), folder("clients")} }

// joined is folders that look as one. What two of them have is the first one's.
type joined []fs.FS

// Open opens the first file of that name.
func (j joined) Open(name string) (f fs.File, err error) {
	for _, one := range j {
		if f, err = one.Open(name); err == nil {
			return f, nil
		}
	}
	return nil, err
}

// ReadDir returns what all folders of that name have.
func (j joined) ReadDir(name string) (all []fs.DirEntry, err error) {
	found := false
	for _, one := range j {
		var entries []fs.DirEntry
		if entries, err = fs.ReadDir(one, name); err == nil {
			all, found = append(all, entries...), true
		}
	}
	if found {
		err = nil
	}
	return all, err
}
