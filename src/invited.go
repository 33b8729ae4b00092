package src

import (
	"fmt"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// A recording that an SRS has asked for lives on the lane of the SRS's INVITE,
// whose Call-ID is not ours to choose, while its call lives on another. So it has a
// call of its own there, a guest of the real one, which passes on all that it
// hears. What must be known of all recordings of a call, names and numbers of
// streams, the real one knows.

// guest is the record of such a call, kept on the lane of the real one.
type guest struct {
	k      *call
	name   string
	copies int
}

// invite has a call make room for the recording that an INVITE asks for, and
// then, on the INVITE's own lane, answers it.
func (c *Client) invite(tx *txn.ServerTx, k *call, w wish) {
	c.hold()
	k.lane.Post(func() {
		var room bool
		w.name, room = k.room(&w)
		over := k.over
		g := &guest{k: &call{client: c, lane: tx.Lane, invite: k.invite, relay: k.relay, cs: k.cs}, name: w.name, copies: w.copies()}
		if !over && room {
			k.guests = append(k.guests, g)
			w.notify = k.extra(func(f func()) { k.lane.Post(f) })
			g.k.leave = func() { k.lane.Post(func() { k.dismiss(g) }) }
		}
		tx.Lane.Post(func() {
			defer c.release()
			switch {
			case over || c.shut():
				c.refuseAsked(tx, 404, "no such call")
			case !room:
				c.refuseAsked(tx, 486, fmt.Sprintf("more than %d streams of the call would be copied", c.maxStreams.Load()))
			default:
				g.k.answerAsked(tx, w)
			}
		})
	})
}

// room is a name for another recording, and whether its streams may be copied.
func (k *call) room(w *wish) (name string, ok bool) {
	most := int(k.client.maxStreams.Load())
	return k.free(w.recorderName), most == 0 || k.copies()+w.copies() <= most
}

// dismiss forgets a guest.
func (k *call) dismiss(g *guest) {
	for i, o := range k.guests {
		if o == g {
			k.guests = append(k.guests[:i], k.guests[i+1:]...)
			return
		}
	}
}

// answerAsked answers the INVITE with our offer and the metadata.
func (k *call) answerAsked(tx *txn.ServerTx, w wish) {
	s := newSession(k, w)
	a := newAttempt(s, asker(w.recorder, tx))
	s.attempt, s.srs = a, a.srs
	if refusal := s.ready(tx); refusal != "" {
		k.leave()
		k.client.refuseAsked(tx, 488, refusal)
		return
	}
	k.sessions = append(k.sessions, s)
	k.client.enter(s)
	resp := sip.NewResponse(tx.Request, 200, "")
	a.callID, a.tag = tx.Request.CallID(), tx.LocalTag()
	a.offer, a.doc = s.newOffer(), s.document()
	a.keep()
	s.sipCallID = a.callID
	resp.Set("To", sip.WithTag(resp.Get("To"), a.tag))
	resp.Set("Contact", k.client.contact(s.recorder, txn.FlowTarget(tx.Flow)))
	s.dress(resp)
	resp.Del("Require") // a response requires nothing of the kind
	s.timer.fromRequest(s, tx.Request, resp)
	if err := s.recorder.Dialect.fill(resp, a.offer.body, a.doc); err != nil {
		s.finish(Failed, "writing the metadata: "+err.Error())
		k.client.refuseAsked(tx, 500, "the metadata cannot be written")
		return
	}
	a.hold()
	a.invited = tx
	s.lane.Bind(a.callID, a.tag, a)
	s.publish()
	s.testify()
	tx.OnNoAck(func() { a.onFirstAck(nil) })
	tx.Respond(resp)
	k.client.metrics.asked(200)
	s.acted(policy.ActionStart, "INVITE")
	s.log.Info("recording asked for by an SRS", "srs", s.srs, "sip_call_id", a.callID)
}

// ready forks the streams; otherwise it says why there is nothing to offer.
func (s *Session) ready(tx *txn.ServerTx) (refusal string) {
	r := s.recorder
	s.readyKeys()
	if s.sealed && tx.Flow.Proto != "tls" && !r.SRTPOverPlain {
		if r.SRTP == SRTPRequired || !s.mayBeClear() {
			return reasonKeysInClear
		}
		s.plain = true
		s.readyKeys()
	}
	s.streams.follow(s.cs)
	if !s.streams.recordable() {
		return "the call has no audio that can be recorded"
	}
	if err := s.fork(); err != nil {
		s.log.Error("stream left out", "error", err)
		s.streams.close()
		return "the call cannot be copied"
	}
	return ""
}

// asker is the SRS of a recorder that has sent an INVITE: as configured, where
// it is one of these, else by its address.
func asker(r *Recorder, tx *txn.ServerTx) string {
	from := tx.Flow.Remote.Addr().Unmap()
	for _, uri := range r.SRS {
		if u, err := sip.ParseURI(uri); err == nil {
			if addr, numeric := u.Addr(); numeric && addr.Unmap() == from {
				return uri
			}
		}
	}
	return "sip:" + sip.FormatHostPort(from.String(), 0)
}

// onFirstAck takes the ACK of our 2xx with the answer to our offer; nil: none has
// come in time.
func (a *attempt) onFirstAck(ack *sip.Message) {
	s, tx := a.s, a.invited
	a.invited = nil
	l := a.invitedLeg(tx)
	why := "the 200 was not acknowledged"
	var answers []answered
	if ack != nil {
		tx.Acked()
		answers, why = a.read(ack)
	}
	switch {
	case s.state == metadata.StateEnded: // meanwhile, by somebody else
		s.bye(l, nil, a.close)
	case why != "":
		s.note(a, codeUnusable, why)
		s.bye(l, nil, a.close)
		s.finish(Failed, why)
	default:
		a.leg = l
		a.release()
		s.note(a, 200, "")
		s.onUp(a, answers)
	}
}

// invitedLeg is the dialog that our 2xx has made.
func (a *attempt) invitedLeg(tx *txn.ServerTx) *leg {
	d := dialog.NewUAS(tx.Request, a.tag)
	d.Confirmed, d.Flow = true, tx.Flow
	to := txn.FlowTarget(tx.Flow)
	return &leg{lane: a.s.lane, auth: a.auth, dialog: d, contact: a.s.client.contact(a.s.recorder, to), target: to,
		updates: tx.Request.HasToken("Allow", "UPDATE")}
}

// onEarlyBye: the SRS hangs up before it has acknowledged.
func (a *attempt) onEarlyBye(tx *txn.ServerTx) {
	a.invited.Acked()
	a.invited = nil
	tx.Reply(200, "")
	a.s.finish(Failed, "ended by the SRS before it began")
	a.close()
}
