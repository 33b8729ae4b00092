package recorder

import (
	"math/rand/v2"
	"strconv"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// This file is what a session does of itself: reports, refreshes, its end.

// schedule has the next tick come after a randomised time (RFC 3550 §6.3.1).
func (s *session) schedule(mean time.Duration) {
	after := mean/2 + rand.N(mean)
	s.tick = s.lane.After(after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.onTick()
	})
}

func (s *session) onTick() {
	if s.ended {
		return
	}
	if s.idle() {
		s.problem("the client fell silent")
		s.bye("idle", func() {})
		return
	}
	for _, st := range s.streams {
		if st != nil {
			st.sendReport("recorder@" + s.sdp.addr.String())
		}
	}
	s.schedule(s.server.cfg.RTCPInterval)
}

// idle reports whether nothing at all came for too long.
func (s *session) idle() bool {
	last, active := s.request, false
	for _, st := range s.streams {
		if st != nil {
			last = max(last, st.lastHeard())
			active = active || st.active
		}
	}
	limit := s.server.cfg.PauseTimeout
	if active {
		limit = s.server.cfg.IdleTimeout
	}
	return s.now()-last > limit
}

// armTimer starts the session timer anew (RFC 4028 §10): until our refresh, or
// until the client should have refreshed.
func (s *session) armTimer() {
	s.refusals = 0
	if s.timer.refreshed {
		s.arm(s.timer.expiresAfter(), s.expired)
		return
	}
	s.arm(s.timer.refreshAfter(), s.refresh)
}

func (s *session) arm(after time.Duration, do func()) {
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
	if s.timer.interval == 0 || s.ended {
		return
	}
	s.expiry = s.lane.After(after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		do()
	})
}

func (s *session) expired() {
	s.problem("the client did not refresh the session")
	s.bye("session timer expired", func() {})
}

// refresh renews the session, by UPDATE where the client takes it, else by
// re-INVITE with the same description.
func (s *session) refresh() {
	method := "INVITE"
	if s.updates {
		method = "UPDATE"
	}
	req := s.newRequest(method)
	req.Add("Supported", "timer")
	req.Add("Session-Expires", strconv.Itoa(s.timer.interval)+";refresher=uac")
	if method == "INVITE" {
		s.inviting = true
		req.Add("Allow", allow)
		req.SetBody("application/sdp", s.sdp.write())
	}
	s.lane.Request(req, txn.FlowTarget(s.dialog.Flow), &refreshing{s})
}

// newRequest builds a request of ours within the dialog.
func (s *session) newRequest(method string) *sip.Message {
	req := s.dialog.Request(method)
	req.Add("Contact", contact(s.dialog.Flow))
	req.Add("User-Agent", s.server.cfg.UserAgent)
	return req
}

// refreshing hears how our refresh fares.
type refreshing struct{ s *session }

func (r *refreshing) OnResponse(tx *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if resp.Status >= 200 {
		r.s.refreshAnswered(tx, resp)
	}
}

func (r *refreshing) OnFail(_ *txn.ClientTx, _ error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.inviting = false
	if !r.s.ended {
		r.s.bye("session refresh failed", func() {})
	}
}

func (s *session) refreshAnswered(tx *txn.ClientTx, resp *sip.Message) {
	again := !s.inviting && tx.Request().Method == "INVITE"
	s.inviting = false
	if resp.Status < 300 && tx.Request().Method == "INVITE" {
		// Each 2xx is acknowledged, repeated ones too (RFC 3261 §13.2.2.4).
		s.lane.SendAck(s.dialog.RequestCSeq("ACK", tx.Request().CSeq().Num), txn.FlowTarget(s.dialog.Flow))
	}
	switch {
	case s.ended || again:
	case resp.Status == 408 || resp.Status == 481:
		s.end("session refresh answered "+strconv.Itoa(resp.Status), false)
	case resp.Status >= 300:
		s.arm(s.timer.againAfter(s.refusals), s.refresh) // in time, the session lives on
		s.refusals++
	default:
		s.dialog.Refresh(resp)
		s.request = s.now()
		if tx.Request().Method == "INVITE" {
			s.takeAnswer(resp)
		}
		s.armTimer()
	}
}

// hangUp ends the session with a BYE of ours. done is called once, when it is
// answered or given up. Called on the lane without mu.
func (s *session) hangUp(reason string, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bye(reason, done)
}

// bye is hangUp with mu held. A BYE may not leave before the ACK of our 200 has come, or
// the wait for it is over (RFC 3261 §15).
func (s *session) bye(reason string, done func()) {
	switch {
	case s.ended:
		done()
		return
	case s.invite != nil:
		if s.doomed == "" {
			s.doomed = reason
		}
		s.leaving = append(s.leaving, done)
		return
	}
	told := append(s.leaving, done)
	s.leaving = nil
	req := s.newRequest("BYE")
	req.Add("Reason", "SIP;text="+sip.Quote(reason))
	s.lane.Request(req, txn.FlowTarget(s.dialog.Flow), &leaving{func() { each(told) }})
	s.end(reason, false)
}

// abort ends the session, and without BYE where none may be sent yet. Called on the lane
// without mu.
func (s *session) abort(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(reason, false)
}

func each(list []func()) {
	for _, do := range list {
		do()
	}
}

// leaving hears how our BYE fares.
type leaving struct{ done func() }

func (l *leaving) OnResponse(_ *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	if resp.Status >= 200 {
		l.done()
	}
}

func (l *leaving) OnFail(*txn.ClientTx, error) { l.done() }

// end closes the dialog; the files follow on a goroutine of their own, as the media
// that are still under way are waited for.
func (s *session) end(reason string, clean bool) {
	if s.ended {
		return
	}
	s.ended, s.reason, s.clean, s.endAt = true, reason, clean, s.now()
	s.lane.Unbind(s.dialog.CallID, s.dialog.LocalTag)
	for _, t := range []*txn.Timer{s.tick, s.expiry} {
		if t != nil {
			t.Stop()
		}
	}
	s.invite = nil
	each(s.leaving) // they need no BYE any more
	s.leaving = nil
	go s.finish()
}
