package txn

import (
	"runtime/debug"
	"strings"
	"time"

	"sidetrack/internal/sip"
)

const (
	timersEvery = 64   // events of one batch between two looks at the timers
	keepBatch   = 4096 // larger batches are given back to the collector
	visitLimit  = 32   // events after which a transport reader goes back to reading
)

// Lane runs everything of its Call-IDs one after the other, in order of arrival.
// Post, Index and NewCallID may be called from anywhere, all else only on the
// lane: in handlers, in posted calls and in timers.
//
// The lane has a goroutine, and it has a turn, which only one goroutine has at a
// time. A transport reader that finds the lane idle, and nothing more to be read,
// takes the turn and handles its message itself: waking the lane's goroutine,
// mostly on another processor, costs more than many a message. Under load the
// readers leave the messages to the lanes, so that all processors work.
type Lane struct {
	layer *Layer
	index int
	epoch time.Time
	box   mailbox
	runs  runs
	alarm *time.Timer // for the lane's goroutine; made by Start
	ended chan struct{}

	// Owned by who has the turn.
	timers  timerHeap
	alarmAt time.Duration // since epoch; 0: the alarm is not set
	spare   []event       // a batch that has been handled, to be filled again
	servers map[key]*serverTx
	merges  map[key]*serverTx // by what merged requests have in common
	clients map[key]*clientTx
	waiting map[pathKey]*clientTx // head of the list of those that a broken path concerns
	dials   map[dialKey][]dialWaiter
	binds   map[bindKey]DialogHandler
	shed    shedSet
	wait    pressure
	room    int // as the mailbox knows it
}

type bindKey struct{ callID, tag string }

func newLane(l *Layer, index int) *Lane {
	lane := &Lane{
		layer:   l,
		index:   index,
		epoch:   time.Now(),
		box:     mailbox{limit: l.cfg.MailboxLimit, wake: make(chan struct{}, 1), taken: true},
		runs:    runs{open: make(map[uint64]int32)},
		ended:   make(chan struct{}),
		servers: make(map[key]*serverTx),
		merges:  make(map[key]*serverTx),
		clients: make(map[key]*clientTx),
		waiting: make(map[pathKey]*clientTx),
		dials:   make(map[dialKey][]dialWaiter),
		binds:   make(map[bindKey]DialogHandler),
	}
	lane.box.space.L = &lane.box.mu
	return lane
}

// Post has f called on the lane after all that is already in its mailbox. It
// may be called from any goroutine, never blocks and never drops f, except
// after Close.
func (l *Lane) Post(f func()) { l.box.post(event{f: f, at: time.Since(l.epoch)}) }

// After has f called once d has passed.
func (l *Lane) After(d time.Duration, f func()) *Timer {
	t := &Timer{owner: call(f)}
	t.set(l, d)
	return t
}

// Now returns the time.
func (l *Lane) Now() time.Time { return l.layer.cfg.Now() }

// Index returns the lane's number, 0 to N-1.
func (l *Lane) Index() int { return l.index }

// NewCallID returns a random Call-ID whose messages come to this lane; host
// may be empty.
func (l *Lane) NewCallID(host string) string {
	for {
		id := sip.NewTag()
		if host != "" {
			id += "@" + host
		}
		if l.layer.LaneFor(id) == l {
			return id
		}
	}
}

// Bind sends the requests and the ACKs of a dialog to h: those with that
// Call-ID whose To-tag is localTag. A second Bind replaces the first.
func (l *Lane) Bind(callID, localTag string, h DialogHandler) {
	k := bindKey{callID, localTag}
	if l.binds[k] == nil {
		l.Enter(callID)
		k = bindKey{strings.Clone(callID), strings.Clone(localTag)} // parts of a message that need not live as long
	}
	l.binds[k] = h
}

// Unbind ends a Bind; requests of the dialog go to Handler from now on.
func (l *Lane) Unbind(callID, localTag string) {
	if k := (bindKey{callID, localTag}); l.binds[k] != nil {
		delete(l.binds, k)
		l.Leave(callID)
	}
}

// run is the lane's goroutine. The lane is born with the turn taken by it.
func (l *Lane) run() {
	defer close(l.ended)
	defer l.alarm.Stop()
	for !l.box.over() {
		l.work(0)
		l.sleep()
	}
}

// sleep waits for mail or for the alarm, and for the turn.
func (l *Lane) sleep() {
	for {
		select {
		case <-l.box.wake:
		case <-l.alarm.C:
		}
		if l.box.turn() {
			return
		}
	}
}

// work handles what has come and gives the turn back; when limit is not 0, to the
// lane's goroutine after about so many events.
func (l *Lane) work(limit int) {
	for handled, count := 0, 0; ; {
		l.keepTime()
		batch, more := l.box.next(l.spare, handled)
		if !more {
			return
		}
		handled = l.handle(batch)
		count += len(batch)
		if l.spare = batch; cap(batch) > keepBatch {
			l.spare = nil
		}
		if limit > 0 && count >= limit {
			l.keepTime()
			l.box.yield(handled)
			return
		}
	}
}

// keepTime runs the timers that are due and sets the alarm for the next one. An
// alarm that is set for too early stays: most timers are stopped before they are
// due, and to set it anew for each would cost more than to wake for nothing. Where
// something waits, what is due since it came is due after it: an answer that has come
// in time is none that is missing.
func (l *Lane) keepTime() {
	if len(l.timers) == 0 {
		return
	}
	if at, waits := l.box.oldest(); waits {
		l.runTimers(at)
		return // the next look is when that has been handled
	}
	if l.runTimers(time.Since(l.epoch)); l.alarmAt <= time.Since(l.epoch) {
		l.alarmAt = 0
	}
	if len(l.timers) == 0 {
		return
	}
	if first := l.timers[0].at; l.alarmAt == 0 || first < l.alarmAt {
		l.alarmAt = first
		l.alarm.Reset(first - time.Since(l.epoch))
	}
}

// handle works off a batch and returns how many of it were messages.
func (l *Lane) handle(batch []event) (messages int) {
	for i := range batch {
		ev := batch[i]
		batch[i] = event{} // the batch is reused: it must not keep messages alive
		if ev.f != nil {
			l.guarded(ev.f)
		} else {
			messages++
			l.guardedMessage(&ev)
		}
		if i%timersEvery == timersEvery-1 && i+1 < len(batch) {
			l.runTimers(batch[i+1].at)
		}
	}
	return messages
}

// runTimers runs the timers that were due at that time.
func (l *Lane) runTimers(at time.Duration) {
	for {
		t := l.timers.due(at)
		if t == nil {
			return
		}
		l.guardedTimer(t)
	}
}

func (l *Lane) guarded(f func()) {
	defer l.recovered()
	f()
}

func (l *Lane) guardedTimer(t *Timer) {
	defer l.recovered()
	t.fire()
}

func (l *Lane) guardedMessage(ev *event) {
	defer l.recovered()
	l.dispatch(ev)
}

// recovered keeps a fault in the handling of one call from ending all others.
func (l *Lane) recovered() {
	if v := recover(); v != nil {
		l.panicked(v)
	}
}

func (l *Lane) panicked(v any) {
	l.layer.metrics.reject(rejectPanic)
	l.layer.log.Error("panic on a SIP lane", "lane", l.index, "panic", v, "stack", string(debug.Stack()))
}
