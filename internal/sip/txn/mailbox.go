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
	at   time.Duration // when it came or was posted, on the lane's clock
	kind kind
	shed bool // came when too much was waiting
	over bool // came above its rate
	odd  bool // stands back, and its sender is a Stranger (Layer.SetKnown)
}

// Where many messages wait, requests that begin something stand back for those
// that do not, and are taken a few at a time.
const (
	crowd    = 32 // messages that wait or are being handled
	someNews = 4

	// maxOdd is how many requests of strangers may wait then; more are dropped. Who means
	// it repeats them. By a connection nobody repeats, nor forges where he is from: of
	// those more may wait, as after a restart, when all phones come at once, and the
	// others are told.
	maxOdd       = 256
	maxOddStream = 1024
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
	space sync.Cond     // on mu: there may be room for those outside, or the box is closed

	mu       sync.Mutex
	events   []event
	news     []event // requests that begin something, behind events
	odd      []event // those of strangers, behind news
	room     int     // of news, beyond which they are to be refused; 0: no limit
	messages int     // received messages that wait or are being handled
	outside  int     // readers of streams that wait for room
	taken    bool    // somebody has the turn
	asked    bool    // the lane's goroutine wants it next
	closed   bool
}

// post appends a call; it is refused only after close.
func (b *mailbox) post(ev event) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.events = append(b.events, ev)
	idle := !b.taken
	b.mu.Unlock()
	if idle {
		b.signal()
	}
}

// put appends a received message; ok is false when it is not taken, since too much
// waits already. With here, the caller would rather handle it himself: he has the turn
// if the lane was idle. What is to be refused does not wait: that costs less than to
// keep it. Where four times the limit wait, messages of streams wait outside.
func (b *mailbox) put(ev event, here bool) (ok, turn bool) {
	b.mu.Lock()
	for ev.streams() && (!ev.waits() || ev.kind == cancels) && b.messages >= 4*b.limit && !b.closed {
		b.outside++
		b.space.Wait()
		b.outside--
	}
	if b.closed || !b.takes(&ev) {
		defer b.mu.Unlock()
		return b.closed, false
	}
	full := b.room > 0 && len(b.news) >= b.room
	ev.shed = !ev.odd && ev.waits() && (full || b.messages >= b.limit)
	switch crowded := b.crowded(); {
	case ev.odd && crowded:
		b.odd = append(b.odd, ev)
	case ev.waits() && crowded && !(ev.shed && ev.canWait()):
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

// crowded tells whether requests that begin something stand back. The caller holds mu.
func (b *mailbox) crowded() bool {
	return len(b.news)+len(b.odd) > 0 || b.messages >= crowd
}

// takes tells whether there is room for a message: what runs, and what ends an INVITE,
// has twice as much as what begins something. A CANCEL of an INVITE that waits itself, or
// of none, has some more than that. The caller holds mu.
func (b *mailbox) takes(ev *event) bool {
	switch {
	case ev.odd && b.crowded():
		if ev.streams() {
			return len(b.odd) < maxOddStream
		}
		return len(b.odd) < maxOdd
	case ev.kind == cancels:
	case ev.waits() && ev.msg.Method == "CANCEL":
		return b.messages < 3*b.limit
	case ev.waits():
		return b.messages < 2*b.limit
	}
	return b.messages < 4*b.limit
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
	b.done(handled)
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

// oldest tells when the first of what comes next in the filled queue came.
func (b *mailbox) oldest() (at time.Duration, waits bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.events) == 0 {
		return 0, false
	}
	return b.events[0].at, true
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
	b.done(handled)
	b.asked = true
	b.release()
}

// done notes that messages have been handled. The caller holds mu.
func (b *mailbox) done(handled int) {
	if b.messages -= handled; b.outside > 0 && b.messages < 3*b.limit {
		b.space.Broadcast()
	}
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
	b.space.Broadcast()
	b.mu.Unlock()
	b.signal()
}

// over tells that the lane is closed; the turn is then nobody's any more.
func (b *mailbox) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
