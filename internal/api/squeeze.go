package api

import (
	"compress/gzip"
	"net/http"
	"strings"
)

// squeezed answers compressed where the asker can read that: what the page asks
// again and again is much, and much alike. Nothing in it is a secret that
// somebody could guess at by its length.
func squeezed(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			serve(w, r)
			return
		}
		s := &squeezing{ResponseWriter: w}
		defer s.close()
		serve(s, r)
	}
}

// squeezing compresses a 200; other answers are short.
type squeezing struct {
	http.ResponseWriter
	zip  *gzip.Writer
	told bool
}

// WriteHeader decides whether the body is compressed.
func (s *squeezing) WriteHeader(status int) {
	s.told = true
	if status == http.StatusOK {
		s.Header().Set("Content-Encoding", "gzip")
		s.zip, _ = gzip.NewWriterLevel(s.ResponseWriter, gzip.BestSpeed) // a level that there is
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *squeezing) Write(b []byte) (int, error) {
	if !s.told {
		s.WriteHeader(http.StatusOK)
	}
	if s.zip == nil {
		return s.ResponseWriter.Write(b)
	}
	return s.zip.Write(b)
}

// Unwrap is for note.
func (s *squeezing) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *squeezing) close() {
	if s.zip != nil {
		s.zip.Close() // the reader has gone when it fails
	}
}
