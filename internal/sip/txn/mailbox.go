package txn

import (
	"sync"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// event is one entry of a mailbox: a function to call or a message to handle.
type event struct {
	f    func()
	msg  *sip.Message
	flow transport.Flow
	shed bool // came when too much was waiting
	over bool // came above its rate
}

// mailbox is a lane's queue, in order of arrival. Writers append under the
// lock, the lane takes all at once, so that neither waits for the other's work.
type mailbox struct {
	limit int
	wake  chan struct{} // capacity 1

	mu       sync.Mutex
	events   []event
	messages int // received messages that wait or are being handled
	closed   bool
}

// post appends a call; it is refused only after close.
func (b *mailbox) post(f func()) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.events = append(b.events, event{f: f})
	b.mu.Unlock()
	b.signal()
}

// put appends a received message; false when four times the limit wait.
func (b *mailbox) put(in transport.Inbound, over bool) bool {
	b.mu.Lock()
	if b.closed || b.messages >= 4*b.limit {
		b.mu.Unlock()
		return b.closed
	}
	b.events = append(b.events, event{msg: in.Msg, flow: in.Flow, shed: b.messages >= b.limit, over: over})
	b.messages++
	b.mu.Unlock()
	b.signal()
	return true
}

func (b *mailbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take exchanges the filled queue for spare, whose handled messages no longer
// count. ok is false after close.
func (b *mailbox) take(spare []event, handled int) (events []event, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	events, b.events = b.events, spare[:0]
	b.messages -= handled
	return events, !b.closed
}

func (b *mailbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
}
