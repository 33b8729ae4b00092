package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// OverviewQuery says which calls the page shows.
type OverviewQuery struct {
	Search    string   // within addresses, Call-ID, route and state; case does not count; "": all
	Recording string   // state of a recording that a call must have; "": any call
	Page      int      // from 0, the newest calls first
	Limit     int      // calls of a page
	IDs       []string // these calls instead of a page
	Lately    int      // so many of the recordings that have ended and are not whole
}

const (
	overviewLimit = 50
	maxSearch     = 200
	maxIDs        = 100
)

// recordingStates are those that the page may ask for.
var recordingStates = []string{"", "starting", "waiting", "recording", "paused", "moving", "ended"}

// you is who asks, as the page has to know: what it may offer.
type you struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

// overview is GET /api/v1/overview: one answer with all that the page shows.
func (b Backend) overview(w http.ResponseWriter, r *http.Request) {
	q, wrong := overviewQuery(r.URL.Query())
	if wrong != "" {
		problem(w, http.StatusBadRequest, wrong)
		return
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

func overviewQuery(values url.Values) (q OverviewQuery, wrong string) {
	q = OverviewQuery{Search: values.Get("search"), Recording: values.Get("recording"), Limit: overviewLimit}
	if len(q.Search) > maxSearch {
		return q, "search has more than " + strconv.Itoa(maxSearch) + " bytes"
	}
	if !slices.Contains(recordingStates, q.Recording) {
		return q, "recording is one of" + strings.Join(recordingStates, " ")
	}
	if ids := values.Get("ids"); ids != "" {
		if q.IDs = strings.SplitN(ids, ",", maxIDs+1); len(q.IDs) > maxIDs {
			return q, "ids are more than " + strconv.Itoa(maxIDs)
		}
	}
	for name, into := range map[string]*int{"page": &q.Page, "limit": &q.Limit, "lately": &q.Lately} {
		s := values.Get(name)
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 1000 || name == "limit" && n == 0 {
			return q, name + " is no number from 0 (limit: 1) to 1000"
		}
		*into = n
	}
	return q, ""
}
