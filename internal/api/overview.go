package api

import (
	"context"
	"net/http"
	"strconv"
)

// OverviewQuery says which calls the page shows.
type OverviewQuery struct {
	Search string // within addresses, Call-ID, route and state; case does not count; "": all
	Page   int    // from 0, the newest calls first
	Limit  int    // calls of a page
}

const (
	overviewLimit = 50
	maxSearch     = 200
)

// you is who asks, as the page has to know: what it may offer.
type you struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

// overview is GET /api/v1/overview: one answer with all that the page shows.
func (b Backend) overview(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	q := OverviewQuery{Search: values.Get("search"), Limit: overviewLimit}
	if len(q.Search) > maxSearch {
		problem(w, http.StatusBadRequest, "search has more than "+strconv.Itoa(maxSearch)+" bytes")
		return
	}
	for name, into := range map[string]*int{"page": &q.Page, "limit": &q.Limit} {
		s := values.Get(name)
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 1000 || name == "limit" && n == 0 {
			problem(w, http.StatusBadRequest, name+" is no number from 0 (limit: 1) to 1000")
			return
		}
		*into = n
	}
	ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
	defer cancel()
	now, err := b.Overview(ctx, q)
	if err != nil {
		fail(w, err)
		return
	}
	c := callerOf(r.Context())
	write(w, http.StatusOK, map[string]any{"you": you{c.Name, c.Role.String()}, "now": now})
}
