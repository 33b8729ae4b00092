package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"sidetrack/internal/api"
)

type page struct {
	Items []int
	Next  string
}

// pages reads a list page by page; between is called after each.
func pages(t *testing.T, b api.Backend, limit int, between func(shown []int)) (shown []int) {
	t.Helper()
	h := handler(b)
	for cursor := ""; ; {
		a := ask(h, "GET", fmt.Sprintf("/api/v1/calls?limit=%d&cursor=%s", limit, url.QueryEscape(cursor)), "")
		var p page
		if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != 200 || len(p.Items) > limit {
			t.Fatalf("%+v: %v", a, err)
		}
		shown = append(shown, p.Items...)
		if p.Next == "" {
			return shown
		}
		cursor = p.Next
		between(shown)
	}
}

func listOf(items *[]int) api.Backend {
	b := double()
	b.Calls = func(context.Context) ([]api.Item, error) {
		var out []api.Item
		for _, n := range slices.Backward(*items) { // unordered, as of a map
			out = append(out, api.Item{ID: fmt.Sprint(n), Key: fmt.Sprintf("%04d", n/2), Value: n}) // two share a key
		}
		return out, nil
	}
	return b
}

func TestPagesShowEachItemOnce(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 6, 7, 100} {
		items := make([]int, n)
		for i := range items {
			items[i] = i
		}
		for _, limit := range []int{1, 2, 3, 100} {
			shown := pages(t, listOf(&items), limit, func([]int) {})
			if len(shown) != n || !slices.IsSorted(shown) {
				t.Errorf("%d items in pages of %d: %v", n, limit, shown)
			}
		}
	}
}

// While pages are read, calls end (among them the one the cursor names) and
// others begin: what stays is shown exactly once.
func TestPagesUnderChange(t *testing.T) {
	var items []int
	for i := range 40 {
		items = append(items, i)
	}
	stays := func(n int) bool { return n < 40 && n%3 != 2 }
	shown := pages(t, listOf(&items), 3, func(shown []int) {
		last := shown[len(shown)-1]
		items = slices.DeleteFunc(items, func(n int) bool { return !stays(n) && (n <= last || n >= 40) })
		if len(items) < 60 {
			items = append(items, 1000+last)
		}
	})
	seen := map[int]int{}
	for _, n := range shown {
		seen[n]++
	}
	for n := range 40 {
		if stays(n) && seen[n] != 1 {
			t.Errorf("item %d was shown %d times", n, seen[n])
		}
	}
}
