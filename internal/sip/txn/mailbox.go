package txn

import (
	"sync"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// event is one entry of a mailbox: a function to call or a message to handle.
type event struct {
	f    func()
	msg  *sip.Message
	flow transport.Flow
	at   time.Duration // when it came, on the lane's clock
	shed bool          // came when too much was waiting
	over bool          // came above its rate
	odd  bool          // begins something, and its sender is not known (Layer.SetKnown)
}

// Where many messages wait, requests that begin something stand back for those
// that do not, and are taken a few at a time.
const (
	crowd    = 32 // messages that wait or are being handled
	someNews = 4

	// maxOdd is how many requests of senders that are not known may wait then; more are
	// dropped. Who means it repeats them.
	maxOdd = 256
)

// mailbox is a lane's queue, in order of arrival, and the lane's turn: whoever
// has the turn is the only one to touch the lane. Writers append under the lock,
// who has the turn takes all at once, so that neither waits for the other's work.
//
// Under load it is two queues: what belongs to a running call is handled before
// what begins one. Late answers make peers repeat what they have said, so that
// there is more to do just when there is no time for it; and a call that runs has
// more to lose. Behind both wait those whom nobody knows: whatever they flood us
// with, calls of who may call do not wait for it, and are not refused for it.
type mailbox struct {
	limit int
	wake  chan struct{} // capacity 1: for the lane's goroutine

	mu       sync.Mutex
	events   []event
	news     []event // requests that begin something, behind events
	odd      []event // those of senders that are not known, behind news
	room     int     // of news, beyond which they are to be refused; 0: no limit
	messages int     // received messages that wait or are being handled
	taken    bool    // somebody has the turn
	asked    bool    // the lane's goroutine wants it next
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
	idle := !b.taken
	b.mu.Unlock()
	if idle {
		b.signal()
	}
}

// put appends a received message; ok is false when four times the limit wait, or
// too many of senders that are not known. With here, the caller would rather handle it himself: he has the turn if the lane was
// idle. What is to be refused does not wait: that costs less than to keep it.
func (b *mailbox) put(in transport.Inbound, at time.Duration, over, odd, here bool) (ok, turn bool) {
	begins := begins(in.Msg)
	b.mu.Lock()
	if b.closed || b.messages >= 4*b.limit {
		defer b.mu.Unlock()
		return b.closed, false
	}
	full := b.room > 0 && len(b.news) >= b.room
	ev := event{msg: in.Msg, flow: in.Flow, at: at, shed: !odd && (full || b.messages >= b.limit), over: over, odd: odd}
	switch crowded := len(b.news)+len(b.odd) > 0 || b.messages >= crowd; {
	case odd && crowded && len(b.odd) >= maxOdd:
		b.mu.Unlock()
		return false, false
	case odd && crowded:
		b.odd = append(b.odd, ev)
	case begins && crowded && !(ev.shed && canWait(in.Msg)):
		b.news = append(b.news, ev)
	default:
		b.events = append(b.events, ev)
	}
	b.messages++
	idle := !b.taken
	turn = idle && here
	b.taken = b.taken || turn
	b.mu.Unlock()
	if idle && !turn {
		b.signal()
	}
	return true, turn
}

func (b *mailbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// turn takes the turn for the lane's goroutine, or has it woken when whoever has it
// gives it back.
func (b *mailbox) turn() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = b.taken
	b.taken = true
	return !b.asked
}

// next exchanges the filled queue for spare, whose handled messages no longer
// count; where it is empty, some requests that begin something are next. When
// there are none the turn is given back. Only who has the turn calls it.
func (b *mailbox) next(spare []event, handled int) (events []event, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages -= handled
	switch {
	case b.closed || len(b.events)+len(b.news)+len(b.odd) == 0:
		b.release()
		return spare, false
	case len(b.events) > 0:
		events, b.events = b.events, spare[:0]
		return events, true
	}
	if len(b.news) > 0 {
		return someOf(&b.news, spare), true
	}
	return someOf(&b.odd, spare), true
}

// someOf takes the first few of a queue.
func someOf(queue *[]event, spare []event) []event {
	q := *queue
	n := min(len(q), someNews)
	events := append(spare[:0], q[:n]...)
	left := copy(q, q[n:])
	clear(q[left:])
	if *queue = q[:left]; left == 0 && cap(q) > keepBatch {
		*queue = nil
	}
	return events
}

// keep bounds how many requests that begin something may wait; 0: as many as may.
func (b *mailbox) keep(room int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.room = room
}

// yield gives the turn back to the lane's goroutine, whatever waits.
func (b *mailbox) yield(handled int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages -= handled
	b.asked = true
	b.release()
}

func (b *mailbox) release() {
	b.taken = false
	if b.asked || b.closed {
		b.asked = false
		b.signal()
	}
}

func (b *mailbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
}

// over tells that the lane is closed; the turn is then nobody's any more.
func (b *mailbox) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
