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
)

// Overload. What a lane cannot handle waits, and what has waited for long its
// sender repeats: work would grow where it cannot be done, and in the end nothing
// is in time. So it is the wait that is bounded: when it stays too long, a request that
// begins something and has waited for shedWait is refused, for a parse and a send, and
// the lane spends its time on those that come in time and on what belongs to
// running calls, which is never refused.

const (
	shedWait     = 400 * time.Millisecond // leaves time to answer before the sender repeats the request (T1)
	shedPatience = time.Second            // a processor that was away for a moment is no overload
)

// pressure tells overload from a hiccup: the wait has been too long all the time.
type pressure struct {
	since, last time.Duration // on the lane's clock; since is 0 while the wait is short
	shedding    bool
}

// late notes how long a message has waited, and tells whether it is one to refuse.
func (p *pressure) late(wait, now time.Duration) bool {
	if now-p.last > 2*shedPatience || wait < shedWait/2 {
		*p = pressure{}
	}
	p.last = now
	switch {
	case wait <= shedWait:
		p.since = 0
		return false
	case p.since == 0:
		p.since = now
	}
	p.shedding = p.shedding || now-p.since >= shedPatience
	return p.shedding
}

// late tells whether a request has come too late, or to too long a queue.
func (l *Lane) late(ev *event) bool {
	now := time.Since(l.epoch)
	late := l.wait.late(now-ev.at, now)
	return (late || ev.shed) && canWait(ev.msg)
}

// canWait tells whether a request begins something that can as well begin later. An
// OPTIONS asks whether we are alive.
func canWait(req *sip.Message) bool {
	return req.Method != "OPTIONS" && req.ToTag() == ""
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
		l.layer.log.Warn("requests refused with 503: overload, or above sip.rate", "lane", l.index)
	}
	if !l.shed.allow(l.Now()) {
		return // silence makes the client come back later, too
	}
	resp := sip.NewResponse(req, 503, "")
	resp.Set("To", sip.WithTag(resp.Get("To"), l.layer.statelessTag(k)))
	resp.Add("Retry-After", "5")
	s := l.layer.metrics.responseSlot(req.Method, 503)
	_ = l.layer.send(transport.ResponseFlow(req, flow), resp.Bytes(), s)
}
