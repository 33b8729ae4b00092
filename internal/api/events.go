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
	maxReaders    = 100              // event streams at once
	keepAlive     = 15 * time.Second // comment lines that keep proxies from closing
)

// Broker keeps the latest events and passes them to readers. Publish never
// waits; a reader that lags too far behind is cut off and may come back.
type Broker struct {
	mu      sync.Mutex
	next    uint64 // id of the next event
	kept    []storedEvent
	readers map[chan storedEvent]struct{}
	forward func(id uint64, kind string, data []byte) // may be nil
	closed  bool
}

type storedEvent struct {
	id   uint64
	kind string
	data []byte
}

// NewBroker returns an empty broker. Its ids begin with the time in
// microseconds, so that those of a later process are higher and a reader that
// comes back after a restart misses nothing.
func NewBroker() *Broker {
	return &Broker{next: uint64(time.Now().UnixMicro()), readers: map[chan storedEvent]struct{}{}}
}

// Forward has each event given to f too, in order, until Close. f must not block,
// and may keep data but not change it.
func (b *Broker) Forward(f func(id uint64, kind string, data []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forward = f
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
	if b.forward != nil {
		b.forward(e.id, kind, body)
	}
	for r := range b.readers {
		select {
		case r <- e:
		default:
			delete(b.readers, r)
			close(r)
		}
	}
}

// Close ends all readers, each once it has what was published; later events
// are dropped.
func (b *Broker) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for r := range b.readers {
		delete(b.readers, r)
		close(r)
	}
}

// join returns what is kept after the event with id last, and a channel for
// what comes, which is closed when the reader is cut off. It is nil when there
// are too many readers, or the broker is closed.
func (b *Broker) join(last uint64) ([]storedEvent, chan storedEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.readers) >= maxReaders {
		return nil, nil
	}
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
	var last uint64
	if s := r.Header.Get("Last-Event-ID"); s != "" {
		var err error
		if last, err = strconv.ParseUint(s, 10, 64); err != nil {
			problem(w, http.StatusBadRequest, "Last-Event-ID is not an id that this stream gave")
			return
		}
	}
	missed, events := b.join(last)
	if events == nil {
		problem(w, http.StatusServiceUnavailable, "no further reader of events is taken")
		return
	}
	defer b.leave(events)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	s := stream{w, http.NewResponseController(w)}
	s.SetReadDeadline(time.Time{})
	w.WriteHeader(http.StatusOK)
	if s.send(missed...) == nil {
		s.follow(r, events)
	}
}

// stream writes events to one reader.
type stream struct {
	http.ResponseWriter
	*http.ResponseController
}

// follow sends what comes until either side ends it.
func (s stream) follow(r *http.Request, events <-chan storedEvent) {
	beat := time.NewTicker(keepAlive)
	defer beat.Stop()
	for {
		var err error
		select {
		case e, open := <-events:
			if !open {
				return
			}
			err = s.send(e)
		case <-beat.C:
			fmt.Fprint(s, ": \n\n")
			err = s.send()
		case <-r.Context().Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// send writes and flushes; a reader that takes nothing for long is given up.
func (s stream) send(events ...storedEvent) error {
	s.SetWriteDeadline(time.Now().Add(2 * keepAlive))
	for _, e := range events {
		if _, err := fmt.Fprintf(s, "id: %d\nevent: %s\ndata: %s\n\n", e.id, e.kind, e.data); err != nil {
			return err
		}
	}
	return s.Flush()
}
