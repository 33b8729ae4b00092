package src

import (
	"fmt"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
)

// updates are our re-INVITEs: one at a time, each with the complete description
// and the complete document, the one form that every recorder takes. What
// changes meanwhile goes into the next.
type updates struct {
	pending *update
	due     bool       // something may have changed since the last one
	must    bool       // the next one goes out even if nothing has changed
	proof   bool       // the next one must be answered in time: the SRS seems dead
	whole   bool       // the next one tells everything: the last was refused
	glare   *txn.Timer // runs after a 491
	retry   *txn.Timer // runs after a refusal that cannot be left at that
	tries   int        // refusals of that kind in a row
	ports   *txn.Timer // runs while there are no ports to copy a stream
}

// Retries of an update that was refused: see Session.repeats.
const (
	firstRetry = 4 * time.Second
	lastRetry  = 64 * time.Second
)

// stop ends all updating; answers that are still to come are only acknowledged.
func (u *updates) stop() {
	if u.pending != nil {
		u.pending.timer.Stop()
		u.pending.over = true
	}
	u.glare.Stop()
	u.retry.Stop()
	u.ports.Stop()
	*u = updates{}
}

// changed tells the SRS of the newest state, as soon as it may be told.
func (s *Session) changed() {
	s.updates.due = true
	s.flush()
}

// demand is changed for the case that the SRS wants to hear from us anyway: a
// snapshot request, a refresh of the session.
func (s *Session) demand() {
	s.updates.must = true
	s.changed()
}

// tells tells whether the SRS may be told of something now: there is no INVITE under
// way in either direction, ours or the SRS's (RFC 3261 §14.1, RFC 3264 §4).
func (s *Session) tells() bool {
	return s.leg != nil && s.updates.pending == nil && s.updates.glare == nil && s.incoming.tx == nil
}

// flush sends an update if one is due and may be sent.
func (s *Session) flush() {
	u := &s.updates
	if s.state == metadata.StateEnded || !u.due {
		return
	}
	if !s.tells() {
		if s.incoming.tx != nil && u.retry == nil && s.deaf() { // an SRS that forgets its ACK
			u.retry = s.lane.After(s.recorder.Timeout, s.force)
		}
		return
	}
	if err := s.fork(); err != nil {
		s.client.trouble.warn(s.log, s.recorder.Name, "stream left out for now", "error", err)
		defer s.portsLater()
	}
	must := u.must
	u.due, u.must = false, false
	o, doc := s.nextOffer(), s.document()
	stays := o.sense() == s.agreed.sense
	if !must && stays && metadata.Diff(s.agreed.told, doc).Empty() {
		return
	}
	if s.recorder.Dialect.Carrier == CarrierNone && !must {
		s.force()
		return
	}
	u.retry.Stop()
	u.retry = nil
	u.pending = &update{s: s, leg: s.leg, offer: o, doc: doc, sent: doc, proof: u.proof}
	if !must && !u.whole {
		u.pending.sent = s.recorder.Dialect.wording(s.agreed.told, doc)
	}
	u.pending.method, u.pending.alone = s.carrier(!must && stays)
	if !u.pending.alone {
		s.version = o.version
	}
	u.proof = false
	u.pending.send()
}

// nextOffer describes the streams as they are to be. The version rises with each
// change, and stays where there is none (RFC 3264 §8).
func (s *Session) nextOffer() offer {
	s.equip()
	o := makeOffer(s.origin, s.version+1, s.streams.all, s.sends)
	if fingerprintOf(s.version, o.body) == s.described {
		return makeOffer(s.origin, s.version, s.streams.all, s.sends)
	}
	return o
}

func (s *Session) newOffer() offer {
	o := s.nextOffer()
	s.version = o.version
	return o
}

// carrier is the method of an update, and whether the document goes alone, which
// it may where the description stays as it is.
func (s *Session) carrier(stays bool) (method string, alone bool) {
	switch carrier := s.recorder.Dialect.Carrier; {
	case carrier == CarrierUpdate && s.leg.updates:
		return "UPDATE", false
	case carrier == CarrierDocument && stays && s.leg.updates:
		return "UPDATE", true
	case carrier == CarrierInfo && stays && !s.leg.noInfo:
		return "INFO", true
	}
	return "INVITE", false
}

// update is one re-INVITE, or an UPDATE with the same body, or an UPDATE or INFO
// with the document alone.
type update struct {
	s      *Session
	leg    *leg
	method string
	alone  bool
	offer  offer
	doc    *metadata.Recording // all that the SRS knows when it has taken this
	sent   *metadata.Recording // what it is told
	ack    *ack                // of its 2xx
	timer  *txn.Timer          // until a stream is forced to speak
	proof  bool                // of life: see check
	over   bool                // the session has ended
}

func (u *update) send() {
	req := u.leg.dialog.Request(u.method)
	req.Add("Contact", u.leg.contact)
	u.s.dress(req)
	if u.method != "INFO" {
		u.s.timer.ask(req)
	}
	if err := u.fill(req); err != nil {
		u.s.log.Error("update not sent", "error", err)
		u.s.updates.pending = nil
		return
	}
	u.timer = u.s.lane.After(u.s.recorder.Timeout, u.late)
	u.leg.request(req, u)
}

// fill gives req its body. Labels go with the description that defines them, and
// only with that (RFC 7866 §7.1.1).
func (u *update) fill(req *sip.Message) error {
	if u.alone {
		return u.s.recorder.Dialect.fillDocument(req, unlabeled(u.sent))
	}
	return u.s.recorder.Dialect.fill(req, u.offer.body, u.sent)
}

// late is told that the answer is not there in time.
func (u *update) late() {
	if !u.proof {
		u.s.force()
		return
	}
	u.end(func() { u.s.lose(loss{reason: "the SRS is gone: neither OPTIONS nor re-INVITE was answered"}) })
}

// OnResponse takes a response to the re-INVITE (txn.ClientHandler).
func (u *update) OnResponse(_ *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	if !u.over && speaks(resp.Status) {
		u.s.heard()
	}
	switch {
	case resp.Status < 200:
	case resp.Status < 300 && u.ack != nil:
		u.ack.again()
	case resp.Status < 300:
		if u.method != "INFO" {
			u.leg.dialog.Refresh(resp)
		}
		if u.method == "INVITE" {
			u.ack = u.leg.ack(resp.CSeq().Num)
		}
		u.end(func() { u.s.onUpdated(u, resp) })
	default:
		u.end(func() { u.s.onRefused(u, resp) })
	}
}

// OnFail is told that the SRS will not answer (txn.ClientHandler): it has lost
// the dialog as well as if it had said so (RFC 3261 §12.2.1.2).
func (u *update) OnFail(_ *txn.ClientTx, err error) {
	u.end(func() {
		u.s.client.noteCertificate(u.s.recorder, u.s.srs, err)
		u.s.client.metrics.reached(u.s.recorder.Name, u.s.srs, false)
		u.s.lose(loss{reason: fmt.Sprintf("the SRS did not answer an update: %v", err)})
	})
}

func (u *update) end(then func()) {
	if u.over {
		return
	}
	u.over = true
	u.timer.Stop()
	u.s.updates.pending = nil
	then()
}

// onUpdated takes the acceptance of an update.
func (s *Session) onUpdated(u *update, resp *sip.Message) {
	if u.alone {
		s.agreed.told = u.doc.Told()
		if u.method == "UPDATE" {
			s.timer.fromResponse(s, resp)
		}
		s.flush()
		return
	}
	s.agree(&u.offer, u.doc.Told())
	s.updates.tries, s.updates.whole = 0, false
	s.timer.fromResponse(s, resp)
	answers := s.unchanged(u.offer)
	if description := descriptionOf(resp); description != nil {
		answers, _, _ = u.offer.match(description)
	}
	s.apply(u.offer, answers)
	s.steer()
	s.flush()
}

// unchanged stands for the answer of an SRS that accepts an update without
// describing anything: everything as before, at the same place.
func (s *Session) unchanged(o offer) []answered {
	out := make([]answered, len(o.media))
	for i, m := range o.media {
		out[i] = s.streams.all[i].repeat(m)
	}
	return out
}

// onRefused takes a refusal: what was agreed before stays in force (RFC 3261
// §14.1), and the next update will be complete again.
func (s *Session) onRefused(u *update, resp *sip.Message) {
	if s.timer.interval > 0 && s.timer.lengthen(resp) {
		s.demand()
		return
	}
	switch resp.Status {
	case 491:
		s.updates.must = true
		s.updates.due = true
		s.updates.glare = s.lane.After(s.client.backoff(), func() {
			s.updates.glare = nil
			s.flush()
		})
		return
	case 481:
		s.lose(loss{reason: "the SRS does not know the session any more", gone: true})
		return
	case codeTimeout:
		s.lose(loss{reason: "the SRS answered an update with 408"})
		return
	}
	s.updates.whole = true // MD-17: nothing builds on what was refused
	if u.method != "INVITE" {
		s.log.Info("update refused, re-INVITE instead", "method", u.method, "code", resp.Status)
		if u.method == "UPDATE" {
			u.leg.updates = false
		} else {
			u.leg.noInfo = true
		}
		s.demand()
		return
	}
	s.client.trouble.warn(s.log, s.srs, "update refused, the session stays as it was agreed",
		"code", resp.Status, "reason", resp.Reason)
	switch {
	case speaks(resp.Status):
	case u.proof && s.watch.reports.live(s.now()): // it is there, and takes what it gets
	case u.proof:
		s.lose(loss{reason: fmt.Sprintf("the SRS is gone: the re-INVITE that asked for it was answered with %d", resp.Status)})
		return
	case s.watch.check == nil: // was that the SRS, or a proxy before it?
		(&check{s: s, leg: s.leg, limit: min(quickCheck, s.recorder.Timeout), refused: true}).send()
	}
	deaf := s.deaf()
	s.force()
	if wait := s.repeats(resp, deaf); wait > 0 {
		s.updates.tries++
		s.updates.retry = s.lane.After(wait, s.demand)
	}
	s.flush()
}

// deaf tells whether a stream that we want to send may not be, for want of an
// answer to our own offer alone; it may be one that the SRS has not heard of yet.
func (s *Session) deaf() bool {
	for _, st := range s.streams.all {
		if s.wanted(st) && st.unanswered() {
			return true
		}
	}
	return false
}

// force lets streams speak that a pause of our own or a change of codec has
// silenced, when the SRS refuses the update that was to end it or does not
// answer it in time. By the letter of RFC 3264 a resumed stream should wait; but
// the SRS never asked for silence, its port is open, and an SRS that chokes on a
// re-INVITE (several do) would otherwise lose the rest of the call without
// anybody noticing.
func (s *Session) force() {
	if s.state == metadata.StateEnded {
		return
	}
	any := false
	for _, st := range s.streams.all {
		if s.wanted(st) && st.muted() {
			st.forced, st.unsettled, any = true, false, true
		}
	}
	if any {
		s.client.trouble.warn(s.log, s.srs, "update not confirmed by the SRS, sending all the same")
		s.steer()
	}
}
