package web

import (
	"bytes"
	"html/template"
	"net/http"
	"strings"
)

// WantsPage tells whether a browser asks for a page to show, and not for a script.
func WantsPage(r *http.Request) bool {
	for _, accepts := range r.Header["Accept"] {
		if strings.Contains(accepts, "text/html") {
			return true
		}
	}
	return false
}

var html = []string{"text/html; charset=utf-8"}

// SeeOther redirects a browser from a form to a page.
func SeeOther(w http.ResponseWriter, address string) error {
	w.Header().Set("Location", address)
	return Write(w, http.StatusSeeOther, html, nil)
}

var problemPage = template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}} · pubsub</title>
<link rel="stylesheet" href="/pubsub.css">
<link rel="stylesheet" href="/plain.css">
<body class="problem">
<main>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
<p><a href="/">To the chat</a></p>
</main>
`))

// writeProblemPage answers with a page that has the text of a [Problem].
func writeProblemPage(w http.ResponseWriter, problem *Problem) {
	var page bytes.Buffer
	_ = problemPage.Execute(&page, struct{ Title, Text string }{http.StatusText(problem.Status), problem.Text}) // two texts, so this cannot fail
	w.Header().Set("Content-Security-Policy", policy)
	_ = Write(w, problem.Status, html, page.Bytes()) // if it fails, nobody can be told
}
