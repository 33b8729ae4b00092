package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	eventsKept    = 4096             // for readers that come back with Last-Event-ID
	readerBacklog = 1024             // events a reader may lag behind
	keepAlive     = 15 * time.Second // comment lines that keep proxies from closing
)

// Broker keeps the latest events and passes them to readers. Publish never
// waits; a reader that lags too far behind is cut off and may come back.
type Broker struct {
	mu      sync.Mutex
	next    uint64 // id of the next event; ids start at 1
	kept    []storedEvent
	readers map[chan storedEvent]struct{}
	closed  bool
	done    chan struct{}
}

type storedEvent struct {
	id   uint64
	kind string
	data []byte
}

// NewBroker returns an empty broker.
func NewBroker() *Broker {
	return &Broker{next: 1, readers: map[chan storedEvent]struct{}{}, done: make(chan struct{})}
}

// Publish stores an event of the given type; data is encoded as JSON.
func (b *Broker) Publish(kind string, data any) {
	body, err := json.Marshal(data)
	if err != nil {
		return // a value that is no JSON is a fault of the caller's types
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	e := storedEvent{b.next, kind, body}
	b.next++
	if len(b.kept) == eventsKept {
		b.kept = append(b.kept[:0], b.kept[eventsKept/4:]...)
	}
	b.kept = append(b.kept, e)
	for r := range b.readers {
		select {
		case r <- e:
		default:
			delete(b.readers, r)
			close(r)
		}
	}
}

// Close ends all readers; later events are dropped.
func (b *Broker) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.done)
	}
}

// join returns what is kept after the event with id last, and a channel for
// what comes.
func (b *Broker) join(last uint64) ([]storedEvent, chan storedEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var missed []storedEvent
	if last > 0 {
		for _, e := range b.kept {
			if e.id > last {
				missed = append(missed, e)
			}
		}
	}
	r := make(chan storedEvent, readerBacklog)
	b.readers[r] = struct{}{}
	return missed, r
}

func (b *Broker) leave(r chan storedEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.readers, r)
}

// serve is GET /api/v1/events: server-sent events, resumed by Last-Event-ID.
func (b *Broker) serve(w http.ResponseWriter, r *http.Request) {
	last, _ := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	missed, events := b.join(last)
	defer b.leave(events)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	out.SetReadDeadline(time.Time{})
	w.WriteHeader(http.StatusOK)
	for _, e := range missed {
		e.write(w)
	}
	out.Flush()
	beat := time.NewTicker(keepAlive)
	defer beat.Stop()
	for {
		out.SetWriteDeadline(time.Now().Add(2 * keepAlive))
		select {
		case e, open := <-events:
			if !open {
				return
			}
			e.write(w)
		case <-beat.C:
			fmt.Fprint(w, ": \n\n")
		case <-b.done:
			return
		case <-r.Context().Done():
			return
		}
		if out.Flush() != nil {
			return
		}
	}
}

func (e storedEvent) write(w http.ResponseWriter) {
	fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.id, e.kind, e.data)
}
