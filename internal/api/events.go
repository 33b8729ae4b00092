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
	kept    []Event
	readers map[chan Event]struct{}
	forward func(Event) // may be nil
	closed  bool
}

// Event is one that was published. Few have readers, so it becomes JSON for each of these.
type Event struct {
	ID    uint64
	Type  string
	value any
}

// JSON is the event itself; nil where its value has no such form, which is a fault of its type.
func (e Event) JSON() []byte {
	data, err := json.Marshal(e.value)
	if err != nil {
		return nil
	}
	return data
}

// NewBroker returns an empty broker. Its ids begin with the time in
// microseconds, so that those of a later process are higher and a reader that
// comes back after a restart misses nothing.
func NewBroker() *Broker {
	return &Broker{next: uint64(time.Now().UnixMicro()), readers: map[chan Event]struct{}{}}
}

// Forward has each event given to f too, in order, until Close. f must not block.
func (b *Broker) Forward(f func(Event)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forward = f
}

// Publish stores an event of the given type. value is what it says as JSON, to whoever reads it at whatever time:
// nothing that it holds may change any more, nor should it hold much that is not told.
func (b *Broker) Publish(kind string, value any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	e := Event{b.next, kind, value}
	b.next++
	if len(b.kept) == eventsKept {
		b.kept = append(b.kept[:0], b.kept[eventsKept/4:]...)
	}
	b.kept = append(b.kept, e)
	if b.forward != nil {
		b.forward(e)
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
func (b *Broker) join(last uint64) ([]Event, chan Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.readers) >= maxReaders {
		return nil, nil
	}
	var missed []Event
	if last > 0 {
		for _, e := range b.kept {
			if e.ID > last {
				missed = append(missed, e)
			}
		}
	}
	r := make(chan Event, readerBacklog)
	b.readers[r] = struct{}{}
	return missed, r
}

func (b *Broker) leave(r chan Event) {
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
func (s stream) follow(r *http.Request, events <-chan Event) {
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
func (s stream) send(events ...Event) error {
	s.SetWriteDeadline(time.Now().Add(2 * keepAlive))
	for _, e := range events {
		data := e.JSON()
		if data == nil {
			continue
		}
		if _, err := fmt.Fprintf(s, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Type, data); err != nil {
			return err
		}
	}
	return s.Flush()
}
