//go:build interop

package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sidetrack/internal/api"
)

// crowd is a proxy of 5,000 recorded calls, as the page sees it: packets pass between two looks.
type crowd struct {
	begun time.Time
	looks atomic.Int64
}

const crowded = 5000

func (c *crowd) overview(_ context.Context, q api.OverviewQuery) (any, error) {
	look := int(c.looks.Add(1))
	var found []int
	for n := range crowded {
		if n = crowded - 1 - n; strings.Contains(fmt.Sprintf("sip:agent%d@phones.example", n), q.Search) {
			found = append(found, n)
		}
	}
	page := found[min(q.Page*q.Limit, len(found)):]
	items := []any{}
	for _, n := range page[:min(q.Limit, len(page))] {
		items = append(items, c.call(n, look))
	}
	return map[string]any{
		"time": time.Now().UTC(), "version": "crowd", "calls": crowded, "matching": len(found),
		"recordings": map[string]int{"recording": crowded}, "items": items,
		"srs": []any{map[string]any{"recorder": "main", "index": 0, "srs": "sip:198.51.100.7", "state": "fit", "failures": 0, "sessions": crowded}},
	}, nil
}

func (c *crowd) call(n, look int) any {
	id, packets := fmt.Sprintf("call%016d", n), 1000+n+look*50
	var streams, copies, legs []any
	for i, party := range []string{"caller", "callee"} {
		streams = append(streams, map[string]any{"index": 0, "kind": "audio", "party": party, "codec": "PCMA", "active": true, "packets": packets, "octets": packets * 172, "strangers": 0})
		copies = append(copies, map[string]any{"label": fmt.Sprint(i + 1), "party": party, "codec": "PCMA", "packets_in": packets, "packets_copied": packets, "dropped": 0, "paused": false})
		legs = append(legs, map[string]any{"side": party, "sip_call_id": id, "local_tag": "t", "remote_tag": "u", "target": "sip:x@192.0.2.1", "peer": "192.0.2.1:5060"})
	}
	return map[string]any{
		"id": id, "sip_call_id": id + "@phones.example", "from": fmt.Sprintf("sip:agent%d@phones.example", n), "to": "sip:+493055500@pbx.example",
		"route": "in", "state": "answered", "since": c.begun, "answered": c.begun, "legs": legs, "streams": streams,
		"recordings": []any{map[string]any{
			"id": "r" + id, "call_id": id, "call": map[string]string{"sip_call_id": id, "from": "a", "to": "b"}, "recorder": "main", "name": "main",
			"srs": "sip:198.51.100.7", "state": "recording", "since": c.begun, "started": c.begun, "streams": copies, "attempts": []any{},
		}},
	}
}

func empty(context.Context) ([]api.Item, error) { return nil, nil }

// With 5,000 calls the page shows fifty, asks for no more than those, leaves the rows and the focus where they are while
// numbers change, finds one call of all, and turns to the last page.
func TestPageWith5000Calls(t *testing.T) {
	c := &crowd{begun: time.Now().UTC()}
	var largest, answers atomic.Int64
	server := api.New(api.Config{Log: slog.New(slog.DiscardHandler), Access: api.Access{Local: api.RoleAdmin}, Backend: api.Backend{
		Ready: func() error { return nil }, Overview: c.overview, Calls: empty, Recordings: empty, SRSs: empty, Recorders: empty, Rules: empty,
	}})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sized := &sizing{ResponseWriter: w}
		server.ServeHTTP(sized, r)
		if r.URL.Path == "/api/v1/overview" {
			answers.Add(1)
			largest.Store(max(largest.Load(), sized.n))
		}
	}))
	defer srv.Close()
	b := newChromium(t)
	b.look(1280, 800, "light")
	b.ask("Page.navigate", map[string]any{"url": srv.URL + "/"}, nil)
	b.until(`document.querySelectorAll("#rows tr").length === 50 && document.getElementById("place").innerText === "1–50 of 5000"`)
	// Numbers change, rows and the focus stay.
	b.eval(`window.first = document.querySelector("#rows tr"); document.querySelector("#rows button").focus(); window.seen = document.querySelector("#rows .number:nth-child(6)").innerText`)
	b.until(`document.querySelector("#rows .number:nth-child(6)").innerText !== window.seen`)
	if same := b.eval(`document.querySelector("#rows tr") === window.first && document.activeElement === document.querySelector("#rows button")`); same != "true" {
		t.Error("the row was made anew, or has lost the focus")
	}
	if n := b.eval(`document.getElementsByTagName("*").length`); len(n) > 4 || n > "2000" && len(n) == 4 {
		t.Errorf("%s elements", n)
	}
	render := b.eval(`(() => { const t = performance.now(); for (let i = 0; i < 20; i++) { state.now.items.forEach(c => c.streams.forEach(s => s.packets++)); show(); } return (performance.now() - t) / 20; })()`)
	picture(t, b, "page-5000")
	b.eval(`const w = document.getElementById("word"); w.value = "agent17@"; w.dispatchEvent(new Event("input", {bubbles: true}))`)
	b.until(`document.querySelectorAll("#rows tr").length === 1 && document.getElementById("rows").innerText.includes("agent17@")`)
	b.eval(`const v = document.getElementById("word"); v.value = ""; v.dispatchEvent(new Event("input", {bubbles: true}))`)
	b.until(`document.getElementById("place").innerText === "1–50 of 5000"`)
	b.eval(`turn(99)`)
	b.until(`document.getElementById("place").innerText === "4951–5000 of 5000" && document.getElementById("older").disabled`)
	b.until(`document.getElementById("rows").innerText.includes("agent0@")`)
	if n := largest.Load(); n == 0 || n > 16<<10 {
		t.Errorf("an answer had %d octets", n)
	}
	if bad := b.complaints("404"); len(bad) > 0 {
		t.Errorf("the page complains: %v", bad)
	}
	plain, _ := json.Marshal(c.call(1, 1))
	t.Logf("%d answers, the largest of %d octets (a call alone has %d); showing changed numbers takes %s ms", answers.Load(), largest.Load(), len(plain), render)
}

// sizing counts what is answered.
type sizing struct {
	http.ResponseWriter
	n int64
}

func (s *sizing) Write(b []byte) (int, error) {
	s.n += int64(len(b))
	return s.ResponseWriter.Write(b)
}

func (s *sizing) Unwrap() http.ResponseWriter { return s.ResponseWriter }
