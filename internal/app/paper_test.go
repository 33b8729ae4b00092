package app_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"sidetrack/internal/api"
)

// paper is openapi.yaml as a judge of answers: what the system says must be
// described, to the last field.
func paper(t *testing.T) (*openapi3.T, routers.Router) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return doc, router
}

// asDescribed holds one answer against the paper. What the paper does not know
// must have been refused.
func (s *stage) asDescribed(req *http.Request, resp *http.Response, body []byte) {
	s.t.Helper()
	plain, _ := http.NewRequest(req.Method, "/", nil)
	plain.URL.Path, plain.URL.RawQuery = req.URL.Path, req.URL.RawQuery
	route, params, err := s.router.FindRoute(plain)
	if err != nil {
		if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
			s.t.Errorf("%s %s is answered with %s and not described: %v", req.Method, req.URL, resp.Status, err)
		}
		return
	}
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if !strings.HasSuffix(kind, "json") && resp.StatusCode < 400 {
		if route.Operation.Responses.Status(resp.StatusCode).Value.Content.Get(kind) == nil {
			s.t.Errorf("%s %s: %s is not described", req.Method, req.URL, kind)
		}
		return
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: plain, PathParams: params, Route: route},
		Status:                 resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		s.t.Errorf("%s %s: %s is not as described: %v", req.Method, req.URL, body, err)
	}
}
