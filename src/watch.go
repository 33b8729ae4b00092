package src

import (
	"fmt"
	"time"

	"sidetrack/internal/sip/txn"
)

// watch looks after the SRS that has the session. Signs of its death are looked
// for twice a second: ICMP for the copies, the end of the connection, reports
// that stay away (reports.go), reports of somebody else, the loss of another
// session. Such a sign is followed by a question, OPTIONS within the dialog; so
// is a time without any sign (Recorder.Check). Only the answer decides, except
// where ICMP goes on although the SRS answers: then its media are dead.
//
// An SRS that was restarted answers again, and may give our ports to others. So
// where a connection has ended, another session was lost or reports come from
// somebody else, an answer is no sign of life by itself: see check.
type watch struct {
	timer *txn.Timer
	check *check    // the question under way
	asked time.Time // when the last one was put

	answers bool // it has answered OPTIONS in this dialog
	aware   bool // and denied one that has never been: its answers tell of dialogs
	doubt   bool // it may have been restarted
	reports reports
	rtcp    uint64
	other   uint64
	icmp    uint64
	deaf    time.Time // since when ICMP has come again and again; zero: it has not
	lately  time.Time // when it came last
	at      []evidence
}

// evidence is what was known of a stream when ICMP began.
type evidence struct{ copied, icmp uint64 }

const (
	watchEvery = 500 * time.Millisecond
	// quickCheck is the time for an answer when there is a sign of death already.
	quickCheck = time.Second
	// ICMP is limited to about one per second by most hosts: after icmpPause
	// without one it has stopped; icmpLimit is how long it may go on.
	icmpPause = 2500 * time.Millisecond
	icmpLimit = 4 * time.Second
)

// start begins with a new dialog.
func (w *watch) start(s *Session) {
	w.stop()
	w.asked = s.now()
	w.rtcp, w.other, w.icmp = s.counted()
	w.reports.last = w.asked
	w.timer = s.lane.After(watchEvery, func() { w.tick(s) })
}

func (w *watch) stop() {
	w.timer.Stop()
	if w.check != nil {
		w.check.end()
	}
	*w = watch{}
}

func (w *watch) tick(s *Session) {
	w.timer.Again(watchEvery)
	s.part()
	rtcp, other, icmp := s.counted()
	if rtcp > w.rtcp { // since the last look; the taps know when
		s.aliveAt = s.now().Add(-watchEvery)
	}
	w.reports.look(rtcp > w.rtcp, s.copied(), s.now())
	suspect := icmp > w.icmp
	w.noteICMP(s, suspect)
	gone := s.disconnected()
	w.doubt = w.doubt || other > w.other || gone || s.stricken()
	w.rtcp, w.other, w.icmp = rtcp, other, icmp
	every, reported := s.recorder.Check, s.recorder.RTCPTimeout
	switch since := s.now().Sub(w.asked); {
	case w.deafened(s):
		s.lose(loss{reason: "nobody listens where the SRS wants the copies"})
	case w.reports.deaf(reported, s.now()):
		s.lose(loss{reason: fmt.Sprintf("no RTCP from the SRS for %v", 2*reported)})
	case w.check != nil:
	case (suspect || gone) && since >= quickCheck:
		s.check(min(quickCheck, s.recorder.Timeout), true)
	case (every > 0 || reported > 0) && w.reports.overdue(reported, s.now()):
		s.check(s.recorder.Timeout, false)
	case w.doubt && since >= quickCheck, every > 0 && since >= every:
		s.check(s.recorder.Timeout, false)
	}
}

// noteICMP keeps the time since which ICMP has come without a longer pause.
func (w *watch) noteICMP(s *Session, came bool) {
	now := s.now()
	switch {
	case came && w.deaf.IsZero():
		w.deaf = now
		w.at = w.at[:0]
		for _, st := range s.streams.all {
			n := st.numbers()
			w.at = append(w.at, evidence{n.Copied, n.Unreachable})
		}
		fallthrough
	case came:
		w.lately = now
	case now.Sub(w.lately) >= icmpPause:
		w.deaf = time.Time{}
	}
}

// deafened tells whether ICMP has come for too long, for every stream that is
// sent. Where one is heard the SRS is there: what it does with the other is its
// own affair.
func (w *watch) deafened(s *Session) bool {
	if w.deaf.IsZero() || s.now().Sub(w.deaf) < icmpLimit {
		return false
	}
	dead := false
	for i, was := range w.at {
		n := s.streams.all[i].numbers()
		if n.Copied > was.copied && n.Unreachable == was.icmp {
			return false
		}
		dead = dead || n.Unreachable > was.icmp
	}
	return dead
}

// counted is what has come from the SRS's host: RTCP of its own, RTCP of
// somebody else, and ICMP.
func (s *Session) counted() (rtcp, other, icmp uint64) {
	for _, st := range s.streams.all {
		n := st.numbers()
		rtcp += n.RTCPIn
		other += n.RTCPOther
		icmp += n.Unreachable
	}
	return rtcp, other, icmp
}

// stricken tells whether another session was lost with this SRS since it was
// asked last. It may have been restarted, and give our ports to others.
func (s *Session) stricken() bool {
	return s.client.health.struck(s.recorder.Name, s.srs).After(s.watch.asked)
}

// disconnected tells whether the connection that the dialog was made on is gone.
// Recorders close idle ones, so that is only a reason to ask.
func (s *Session) disconnected() bool {
	t, flow := s.client.cfg.Transport, s.leg.dialog.Flow
	if t == nil || flow.Conn == 0 || !s.leg.stays() {
		return false
	}
	_, open := t.Find(flow)
	return !open
}
