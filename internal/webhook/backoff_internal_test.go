package webhook

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Waits double from a second to a minute, each give or take a fifth and seldom the same twice.
func TestBackoff(t *testing.T) {
	for n, about := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 8 * time.Second, 5: 16 * time.Second,
		6: 32 * time.Second, 7: time.Minute, 8: time.Minute, 1000: time.Minute,
	} {
		waits := make([]time.Duration, 200)
		for i := range waits {
			waits[i] = backoff(n)
		}
		least, most := slices.Min(waits), slices.Max(waits)
		if least < about*8/10 || most > about*12/10 || most-least < about/10 {
			t.Errorf("failure %d: %v to %v, wanted about %v", n, least, most, about)
		}
	}
}

// answers is what a receiver answers, one after the other; then 200. No network is between.
type answers struct {
	list []http.Response
	mu   sync.Mutex
	at   []time.Time // of each request
}

func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	resp := http.Response{StatusCode: 200, Header: http.Header{}}
	if n := len(a.at); n < len(a.list) {
		resp = a.list[n]
	}
	resp.Body = io.NopCloser(strings.NewReader(""))
	a.at = append(a.at, time.Now())
	return &resp, nil
}

// A receiver that says when to come again is left alone until then, but no longer than ten minutes; one that says less than
// the back-off, nothing or nonsense gets the back-off.
func TestReceiverSaysWhen(t *testing.T) {
	answer := func(status int, after string) http.Response {
		return http.Response{StatusCode: status, Header: http.Header{"Retry-After": {after}}}
	}
	for _, tt := range []struct {
		name   string
		list   []http.Response
		wanted []time.Duration // between requests, at least; at most a half more
	}{
		{"429", []http.Response{answer(429, "30")}, []time.Duration{30 * time.Second}},
		{"503", []http.Response{answer(503, "45"), answer(503, "90")}, []time.Duration{45 * time.Second, 90 * time.Second}},
		{"a date", []http.Response{answer(503, "Sat, 01 Jan 2000 00:00:50 GMT")}, []time.Duration{50 * time.Second}}, // midnight here
		{"a date long gone", []http.Response{answer(503, "Fri, 31 Dec 1999 23:59:59 GMT")}, []time.Duration{800 * time.Millisecond}},
		{"a date far away", []http.Response{answer(503, "Fri, 31 Dec 9999 23:59:59 GMT")}, []time.Duration{maxRetryAfter}},
		{"more than fits", []http.Response{answer(503, "9223372036854775807")}, []time.Duration{maxRetryAfter}},
		{"too long", []http.Response{answer(503, "86400")}, []time.Duration{maxRetryAfter}},
		{"less than the back-off", []http.Response{answer(503, "1"), answer(503, "1"), answer(503, "1")}, []time.Duration{time.Second, 1600 * time.Millisecond, 3200 * time.Millisecond}},
		{"nonsense", []http.Response{answer(503, "soon"), answer(503, "-7"), answer(503, "-9223372036854775807")}, []time.Duration{800 * time.Millisecond, 1600 * time.Millisecond, 3200 * time.Millisecond}},
		{"none", []http.Response{answer(500, ""), answer(500, ""), answer(500, ""), answer(500, "")}, []time.Duration{800 * time.Millisecond, 1600 * time.Millisecond, 3200 * time.Millisecond, 6400 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{list: tt.list}
				hook := Hook{Name: "crm", URL: "http://receiver.example/", Secret: "0123456789abcdefg", GiveUp: time.Hour}
				c := &courier{name: hook.Name, backoff: backoff, log: slog.New(slog.DiscardHandler), metrics: newMetrics(&Sender{}), changed: make(chan struct{}, 1)}
				c.post.Store(&post{hook: hook, client: &http.Client{Transport: a}})
				if !c.insist(context.Background(), record{ID: 1, Type: "x", Time: time.Now(), Data: []byte("{}")}) {
					t.Fatal("given up")
				}
				if len(a.at) != len(tt.wanted)+1 {
					t.Fatalf("%d requests", len(a.at))
				}
				for i, least := range tt.wanted {
					if d := a.at[i+1].Sub(a.at[i]); d < least || d > least*3/2 {
						t.Errorf("wait %d was %v, wanted %v", i+1, d, least)
					}
				}
			})
		})
	}
}
