package api_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"sidetrack/internal/api"
)

func serveEvents(t *testing.T) (*api.Broker, *httptest.Server) {
	t.Helper()
	b := double()
	server := httptest.NewServer(handler(b))
	t.Cleanup(server.Close)
	t.Cleanup(b.Events.Close) // first
	return b.Events, server
}

func TestEventsArriveInOrder(t *testing.T) {
	broker, server := serveEvents(t)
	broker.Publish("call.start", "before the reader came: not for it")
	a, b := follow(t, server, ""), follow(t, server, "")
	for i := range 100 {
		broker.Publish("call.stop", map[string]int{"n": i})
	}
	for name, r := range map[string]*reader{"a": a, "b": b} {
		var last uint64
		for i := range 100 {
			e, ok := r.next()
			id, _ := strconv.ParseUint(e.id, 10, 64)
			if !ok || e.kind != "call.stop" || e.data != fmt.Sprintf(`{"n":%d}`, i) || last != 0 && id != last+1 {
				t.Fatalf("reader %s, event %d: %+v after id %d", name, i, e, last)
			}
			last = id
		}
	}
}

func TestEventsAreResumed(t *testing.T) {
	broker, server := serveEvents(t)
	first := follow(t, server, "")
	broker.Publish("x", 0)
	seen, _ := first.next()
	first.close()
	for i := 1; i < 5; i++ {
		broker.Publish("x", i)
	}
	again := follow(t, server, seen.id)
	broker.Publish("x", 5)
	for want := 1; want <= 5; want++ {
		if e, ok := again.next(); !ok || e.data != strconv.Itoa(want) {
			t.Fatalf("resumed after %s: %+v, want %d", seen.id, e, want)
		}
	}
	// One who comes back from the time of an earlier process gets all there is.
	old := follow(t, server, "17")
	if e, ok := old.next(); !ok || e.data != "0" {
		t.Errorf("from another life: %+v", e)
	}
	if r := follow(t, server, "nonsense"); r.status != 400 {
		t.Errorf("bad Last-Event-ID: %d", r.status)
	}
}

// costly counts how often it is made JSON.
type costly struct{ made *atomic.Int32 }

func (c costly) MarshalJSON() ([]byte, error) {
	c.made.Add(1)
	return []byte(`"<told>"`), nil
}

// An event costs its JSON only where somebody reads it: now, later, or by way of a webhook that wants it.
func TestEventsThatNobodyReadsAreNotEncoded(t *testing.T) {
	broker, server := serveEvents(t)
	value := costly{new(atomic.Int32)}
	var forwarded []string
	broker.Forward(func(e api.Event) {
		if e.Type == "wanted" {
			forwarded = append(forwarded, string(e.JSON()))
		}
	})
	for range 100 {
		broker.Publish("x", value)
	}
	if n := value.made.Load(); n != 0 {
		t.Errorf("encoded %d times for nobody", n)
	}
	broker.Publish("wanted", value)
	broker.Publish("x", func() {}) // has no JSON: nobody hears of it
	broker.Publish("x", 1)
	const want = `"\u003ctold\u003e"`
	if n := value.made.Load(); n != 1 || len(forwarded) != 1 || forwarded[0] != want {
		t.Errorf("encoded %d times for %q", n, forwarded)
	}
	r := follow(t, server, "1")
	for i := range 101 {
		if e, ok := r.next(); !ok || e.data != want {
			t.Fatalf("event %d: %+v", i, e)
		}
	}
	if e, ok := r.next(); !ok || e.data != "1" {
		t.Errorf("%+v", e)
	}
}

// Of more events than are kept the latest ones are shown; the gap in the ids
// tells that some are missing.
func TestOldEventsAreForgotten(t *testing.T) {
	broker, server := serveEvents(t)
	for i := range 10000 {
		broker.Publish("x", i)
	}
	broker.Close()
	broker2, server2 := serveEvents(t)
	for i := range 10000 {
		broker2.Publish("x", i)
	}
	r := follow(t, server2, "1")
	e, ok := r.next()
	n, _ := strconv.Atoi(e.data)
	if !ok || n < 10000-4096 || n > 10000-3072 {
		t.Errorf("first of the kept ones: %+v", e)
	}
	if r := follow(t, server, ""); r.status != 503 {
		t.Errorf("a closed broker takes readers: %d", r.status)
	}
}

func TestTooManyReadersAreRefused(t *testing.T) {
	broker := api.NewBroker()
	b := double()
	b.Events = broker
	server := httptest.NewServer(handler(b))
	defer server.Close()
	defer broker.Close()
	refused := 0
	for range 120 {
		if r := follow(t, server, ""); r.status == 503 {
			refused++
		}
	}
	if refused != 20 {
		t.Errorf("%d of 120 readers refused", refused)
	}
}

// A reader that takes nothing is cut off; Publish never waits for it, and
// others hear everything.
func TestSlowReaderIsCutOff(t *testing.T) {
	broker, server := serveEvents(t)
	slow, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprintf(slow, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	head := make([]byte, 12)
	if _, err := slow.Read(head); err != nil || !bytes.HasPrefix(head, []byte("HTTP/1.1 200")) {
		t.Fatalf("%q %v", head, err)
	}
	fast := follow(t, server, "")
	big := strings.Repeat("x", 16<<10)
	for i := range 3000 { // 48 MB: more than any socket buffers
		broker.Publish("x", big)
		if e, ok := fast.next(); !ok || len(e.data) != len(big)+2 {
			t.Fatalf("the fast reader lost event %d: %v", i, ok)
		}
	}
}

// Close lets readers have what was published, then ends them.
func TestCloseEndsReadersInOrder(t *testing.T) {
	broker, server := serveEvents(t)
	r := follow(t, server, "")
	for i := range 50 {
		broker.Publish("x", i)
	}
	broker.Close()
	broker.Publish("x", "too late")
	n := 0
	for {
		if _, ok := r.next(); !ok {
			break
		}
		n++
	}
	if n != 50 {
		t.Errorf("%d events before the end", n)
	}
}
