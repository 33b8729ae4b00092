package txn

import (
	"strconv"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

const (
	shedRate  = 1000    // stateless 503 per lane and second
	shedKnown = 1 << 16 // remembered keys per generation
	shedAge   = 32 * time.Second

	retryAfter = "5" // seconds
)

// Overload. What a lane cannot handle waits, and what has waited for long its
// sender repeats: work would grow where it cannot be done, and in the end nothing
// is in time. So requests that begin something wait behind all others, and for a
// bounded time: when that wait stays too long, no more of them are let in than are
// handled in shedTarget. The rest is refused at once, for a parse and a send, and the
// lane spends its time on calls that it can answer before their callers repeat
// themselves. What belongs to running calls is never refused.

const (
	shedWait     = 400 * time.Millisecond // leaves time to answer before the sender repeats the request (T1)
	shedPatience = time.Second            // a processor that was away for a moment is no overload
	shedMemory   = 10 * time.Second       // … unless there was one just before
	shedTarget   = 100 * time.Millisecond // how long who is let in waits during an overload
	shedRoom     = 4                      // let in at least
)

// pressure tells overload from a hiccup: the wait has been too long all the time.
// It is over when somebody did not have to wait at all, however many were refused:
// calls that come in bursts leave a lane idle in between, calls that are too many
// do not. All times are on the lane's clock.
type pressure struct {
	since, last time.Duration // since is 0 while the wait is short
	shedding    bool
	ended       time.Duration // when the last overload was over; 0: there was none

	window   time.Duration // when counting began
	taken    int           // since then
	rate     int           // taken in the second before
	shortest time.Duration // wait since window
}

// late notes how long a request that begins something has waited, and tells
// whether it is one to refuse.
func (p *pressure) late(wait, now time.Duration) bool {
	if now-p.last > 2*shedPatience {
		p.since, p.shedding, p.window, p.taken, p.shortest = 0, false, now, 0, wait
	}
	p.last = now
	p.shortest = min(p.shortest, wait)
	if age := now - p.window; age >= shedPatience {
		if p.shedding && p.shortest < shedTarget/4 {
			p.shedding, p.ended = false, now
		}
		p.rate = int(float64(p.taken) / age.Seconds())
		p.window, p.taken, p.shortest = now, 0, wait
	}
	switch {
	case wait <= shedWait:
		p.since = 0
		return false
	case p.since == 0:
		p.since = now
	}
	relapse := p.ended > 0 && now-p.ended < shedMemory
	p.shedding = p.shedding || relapse || now-p.since >= shedPatience
	return p.shedding
}

// room is how many requests that begin something may wait; 0: there is no overload.
func (p *pressure) room() int {
	if !p.shedding {
		return 0
	}
	return max(shedRoom, int(float64(max(p.rate, p.taken))*shedTarget.Seconds()))
}

// late tells whether a request has come too late, or to too long a queue.
func (l *Lane) late(ev *event) bool {
	if !ev.canWait() || ev.shed || ev.odd { // how long the last ones wait says nothing of the others
		return ev.shed && ev.canWait()
	}
	now := time.Since(l.epoch)
	late := l.wait.late(now-ev.at, now)
	if !late {
		l.wait.taken++
	}
	if room := l.wait.room(); room != l.room {
		l.room = room
		l.box.keep(room)
	}
	return late
}

// waits tells whether a message stands back for what runs. A CANCEL does: it must not
// come before an INVITE of the same Call-ID.
func (ev *event) waits() bool { return ev.kind != running }

// canWait tells whether a request is one that can as well be made later. An OPTIONS
// asks whether we are alive.
func (ev *event) canWait() bool {
	return ev.waits() && (ev.kind == foreign || ev.msg.Method != "OPTIONS" && ev.msg.Method != "CANCEL")
}

// shedSet remembers for 32 to 64 s which requests were refused under load, so
// that a retransmission that comes when the load is over is refused again:
// its sender has taken the 503 for final. Two generations of bounded size.
type shedSet struct {
	now, before map[key]struct{}
	since       time.Time

	tokens float64
	last   time.Time
}

// add notes a key and reports whether the set was empty.
func (s *shedSet) add(k key, now time.Time) (first bool) {
	first = s.now == nil
	if first || now.Sub(s.since) > shedAge || len(s.now) >= shedKnown {
		s.before, s.now, s.since = s.now, make(map[key]struct{}), now
	}
	s.now[k] = struct{}{}
	return first
}

func (s *shedSet) has(k key) bool {
	if s.now == nil {
		return false
	}
	_, ok := s.now[k]
	if !ok {
		_, ok = s.before[k]
	}
	return ok
}

// expireShed forgets everything when the last refusal is long past.
func (l *Lane) expireShed() {
	if l.Now().Sub(l.shed.since) < 2*shedAge {
		l.After(2*shedAge, l.expireShed)
		return
	}
	l.shed.now, l.shed.before = nil, nil
}

// allow takes a token of the rate limit.
func (s *shedSet) allow(now time.Time) bool {
	if s.last.IsZero() {
		s.tokens = shedRate
	}
	s.tokens = min(shedRate, s.tokens+now.Sub(s.last).Seconds()*shedRate)
	s.last = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// statelessTag is the To-tag of a response without transaction: the same for
// every retransmission of the request (RFC 3261 §8.2.7).
func (l *Layer) statelessTag(k key) string { return strconv.FormatUint(k.a^k.b, 36) }

// shedRequest refuses a request without keeping a transaction.
func (l *Lane) shedRequest(req *sip.Message, flow transport.Flow, k key) {
	if l.shed.add(k, l.Now()) {
		l.After(2*shedAge, l.expireShed)
		l.layer.log.Warn("requests refused with 503: overload, no room, or above sip.rate", "lane", l.index)
	}
	if flow.Proto == "udp" && !l.shed.allow(l.Now()) {
		return // silence makes the client come back later, too
	}
	l.layer.sendBusy(req, flow, k)
}
