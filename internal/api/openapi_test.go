package api_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"sidetrack/internal/api"
)

// paper is openapi.yaml, found valid.
func paper(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// Every operation is in the paper with its role, and the paper has no other.
func TestEveryOperationIsDescribed(t *testing.T) {
	var described []string
	for path, item := range paper(t).Paths.Map() {
		for method, op := range item.Operations() {
			described = append(described, fmt.Sprint(method, " ", path, " ", op.OperationID, " ", op.Extensions["x-role"]))
			if op.Summary == "" || op.Responses.Default() == nil && op.Extensions["x-role"] != "none" {
				t.Errorf("%s %s lacks a summary or its errors", method, path)
			}
		}
	}
	slices.Sort(described)
	served := handler(double()).Operations()
	for _, op := range served {
		if !slices.Contains(described, op) {
			t.Errorf("not described: %s", op)
		}
	}
	for _, op := range described {
		if !slices.Contains(served, op) {
			t.Errorf("described and not served: %s", op)
		}
	}
}
