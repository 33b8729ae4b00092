package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

type page struct {
	Items []any  `json:"items"`
	Next  string `json:"next"` // cursor of the page that follows, "" at the end
}

// list answers with one page of items in the order of their keys. The cursor
// names the last item shown, so that items which come and go meanwhile neither
// repeat nor hide others.
func list(get func(ctx context.Context) ([]Item, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		limit, after, err := pageOf(r)
		if err != "" {
			problem(w, http.StatusBadRequest, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
		defer cancel()
		items, failure := get(ctx)
		if failure != nil {
			fail(w, failure)
			return
		}
		write(w, http.StatusOK, cut(items, limit, after))
	}
}

func pageOf(r *http.Request) (limit int, after, problem string) {
	limit = defaultLimit
	if s := r.URL.Query().Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxLimit {
			return 0, "", "limit must be a number from 1 to " + strconv.Itoa(maxLimit)
		}
		limit = n
	}
	if s := r.URL.Query().Get("cursor"); s != "" {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			return 0, "", "cursor is not one that this list gave"
		}
		after = string(b)
	}
	return limit, after, ""
}

func cut(items []Item, limit int, after string) page {
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Compare(a.position(), b.position())
	})
	start := 0
	if after != "" {
		start, _ = slices.BinarySearchFunc(items, after, func(i Item, p string) int {
			if i.position() > p {
				return 1
			}
			return -1
		})
	}
	p := page{Items: []any{}}
	end := min(start+limit, len(items))
	for _, i := range items[start:end] {
		p.Items = append(p.Items, i.Value)
	}
	if end < len(items) && end > start {
		p.Next = base64.RawURLEncoding.EncodeToString([]byte(items[end-1].position()))
	}
	return p
}

func (i Item) position() string { return i.Key + "\x00" + i.ID }
