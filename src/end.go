package src

import (
	"fmt"
	"net/http"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
)

// conclude ends the recording of a call that has ended.
func (s *Session) conclude(cs *metadata.Snapshot) {
	s.cs = cs
	switch {
	case s.leg != nil:
		s.hangUp()
		s.finish(Complete, reasonCallEnded)
	case s.taken: // whether anything of it is missing, the evidence says
		s.finish(Complete, reasonCallEnded+" while the recording was moving: "+s.moving.why)
	case cs.Answered.IsZero():
		s.finish(Skipped, "the call was never answered")
	case !s.streams.recordable():
		s.finish(Refused, reasonNoAudio)
	default:
		reason := "the call ended before an SRS had taken the session"
		if story := s.story(); story != "" {
			reason += ": " + story
		}
		s.finish(Failed, reason)
	}
}

// stop ends the recording while the call goes on.
func (s *Session) stop(reason string) {
	if s.state == metadata.StateEnded {
		return
	}
	s.guard.deliberate = true
	switch {
	case s.lingers() && reason == reasonShutdown:
		s.linger.hurry(s.now())
	case s.leg != nil:
		s.hangUp(metadata.RecordingEnds())
		s.finish(Partial, reason)
	case s.taken:
		s.finish(Partial, reason)
	default:
		s.finish(Failed, reason)
	}
}

// hangUp stops the media and sends BYE with what has changed since the last
// document: the end (RFC 8068 §3.2.4), or tells that before in an UPDATE, by the
// recorder's dialect. It is a partial document, because one
// with labels may not travel without the description that defines them (RFC
// 7866 §7.1.1), and a re-INVITE on the way out would leave a recorder that dies
// slowly another chance to keep the session.
func (s *Session) hangUp(opts ...metadata.Option) {
	s.streams.close()
	var last *metadata.Recording
	if s.agreed != nil {
		last = s.recorder.Dialect.last(s.agreed.told, s.document(opts...))
	}
	s.bye(s.leg, last, s.unbind)
}

func (s *Session) unbind() {
	s.lane.Unbind(s.attempt.callID, s.attempt.tag)
	s.attempt.conclude()
}

// finish closes the books. It is the only way to the state ended; BYEs and
// late answers may still be under way.
func (s *Session) finish(result Result, reason string) {
	if s.state == metadata.StateEnded {
		return
	}
	s.giveUp(reason)
	s.streams.close()
	s.noteLost()
	if s.leg != nil {
		s.client.health.carries(s.recorder.Name, s.srs, -1)
	}
	s.quiet()
	s.endRetry()
	s.moving.timer.Stop()
	s.limit.Stop()
	s.linger.timer.Stop()
	s.guard.timer.Stop()
	s.result, s.reason, s.ended = result, reason, s.now()
	s.call.forget(s)
	for _, st := range s.streams.all {
		st.gaps.note("", s.ended)
	}
	v := s.verdict()
	if judged, why := v.judge(result); why != "" {
		s.result, s.reason = judged, why+"; "+reason
	}
	v.Alarms = append(v.Alarms, s.alarms...)
	s.count(v.Alarms)
	s.become(metadata.StateEnded, s.reason)
	v.View, v.Recorded = s.View(), s.recorded
	s.account(v)
	s.client.leave(s, v.View)
}

// count counts the end and tells of it, before anybody can see it in the view.
func (s *Session) count(alarms []Alarm) {
	m := s.client.metrics
	for _, a := range alarms {
		m.alarms.WithLabelValues(s.recorder.Name, string(a)).Inc()
	}
	m.total.WithLabelValues(s.recorder.Name, string(s.result)).Inc()
	if s.taken {
		m.active.WithLabelValues(s.recorder.Name).Dec()
		s.tell(EventStop, s.reason)
		return
	}
	s.tell(EventFailed, s.reason)
}

// account writes the verdict, and the one line that says what became of the
// recording.
func (s *Session) account(v Verdict) {
	if f := s.client.cfg.OnVerdict; f != nil {
		f(v)
	}
	args := []any{"result", s.result, "reason", s.reason, "duration", s.ended.Sub(s.started).Round(1e6).String()}
	if s.taken {
		s.log.Info("recording ended", args...)
		return
	}
	s.log.Warn("call not recorded", append(args, "attempts", s.story())...)
}

// bye sends a BYE. done is called once the SRS has answered it, or will not.
func (s *Session) bye(l *leg, last *metadata.Recording, done func()) {
	b := &bye{s: s, srs: s.srs, leg: l, last: last, done: done}
	s.client.hold()
	b.send()
}

// bye is the BYE of one dialog. The transaction repeats it until it is
// answered, for 64*T1.
type bye struct {
	s    *Session
	srs  string
	leg  *leg
	last *metadata.Recording // nil: none is sent
	done func()
}

func (b *bye) send() {
	if b.last != nil && b.s.recorder.Dialect.Last == LastInUpdate && b.leg.updates {
		(&lastWord{bye: b}).send()
		return
	}
	req := b.leg.dialog.Request("BYE")
	req.Add("Date", b.s.now().UTC().Format(http.TimeFormat)) // tells the SRS when the RS ended (RFC 7865 §6.1.1)
	b.s.sign(req)
	if b.last != nil {
		if err := b.s.recorder.Dialect.fillDocument(req, b.last); err != nil {
			b.s.log.Warn("last document left out", "error", err)
		}
	}
	b.leg.request(req, b)
}

// OnResponse takes the answer (txn.ClientHandler). A recorder that wants no
// body in a BYE gets one without.
func (b *bye) OnResponse(_ *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	switch {
	case resp.Status < 200:
	case resp.Status >= 300 && b.last != nil && resp.Status != 481 && resp.Status != codeTimeout:
		b.last = nil
		b.send()
	case !speaks(resp.Status) && resp.Status != 481:
		b.OnFail(nil, fmt.Errorf("%d instead of it", resp.Status))
	default:
		b.finish()
	}
}

// OnFail is told that the BYE will not be answered (txn.ClientHandler): the SRS
// may hold the session still.
func (b *bye) OnFail(_ *txn.ClientTx, err error) {
	b.s.client.metrics.unanswered.WithLabelValues(b.s.recorder.Name).Inc()
	b.s.client.trouble.warn(b.s.logger(), b.srs, "BYE was not answered by the SRS", "srs", b.srs, "error", err)
	b.finish()
}

func (b *bye) finish() {
	b.done()
	b.s.client.release()
}
