package api

import (
	"embed"
	"net/http"
)

// The page at / and its files. They hold no data; what they show is asked
// from the interface by whoever has been let in.
//
//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page load its own files and ask its own proxy, nothing else.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageFile serves one of the page's files.
func pageFile(name, contentType string) http.HandlerFunc {
	data, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		panic(err) // embedded: it is there or the program was not built
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentType+"; charset=utf-8")
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		w.Write(data)
	}
}

// wantsPage tells a browser that opens the page from a program.
func wantsPage(r *http.Request) bool {
	switch r.URL.Path {
	case "/", "/page.js", "/ladder.js", "/style.css":
		return true
	}
	return false
}
