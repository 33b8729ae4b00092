package src

import (
	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// incomingOffer is an INVITE of the SRS that we have answered with 2xx and that
// has not been acknowledged yet. No update of ours goes out meanwhile.
type incomingOffer struct {
	tx    *txn.ServerTx
	offer *offer // ours in the 2xx, when the INVITE had none: the answer is in the ACK
}

func (i *incomingOffer) stop() {
	if i.tx != nil {
		i.tx.Acked()
	}
	*i = incomingOffer{}
}

// busy tells whether an offer of ours is open, so that the SRS may not make one
// (RFC 3261 §14.2, RFC 3311 §5.2).
func (s *Session) busy() bool {
	return s.updates.pending != nil || s.incoming.offer != nil
}

// onInvite takes a re-INVITE: a session refresh, moved ports, a stream stopped
// or started by the SRS (RFC 7866 §7.2).
func (s *Session) onInvite(tx *txn.ServerTx) {
	if s.busy() {
		tx.Reply(491, "")
		return
	}
	req := tx.Request
	if refused := s.tooShort(req); refused != nil {
		tx.Respond(refused)
		return
	}
	resp := s.response(req, 200)
	var open *offer
	if carriesDescription(req) {
		if !s.answerOffer(req, resp) {
			tx.Reply(488, "")
			return
		}
	} else {
		o := s.newOffer()
		open = &o
		resp.SetBody(sdpType, o.body)
	}
	s.leg.dialog.Refresh(req)
	s.timer.fromRequest(s, req, resp)
	s.incoming.stop()
	s.incoming = incomingOffer{tx: tx, offer: open}
	tx.OnNoAck(func() { s.onNoAck(tx) })
	s.steer() // a stream that is to stop has stopped when the SRS reads so
	tx.Respond(resp)
	s.serveSnapshot(req)
}

// onAck takes the ACK of our 2xx, and the answer in it where we made the offer.
func (s *Session) onAck(ack *sip.Message) {
	in := s.incoming
	if in.tx == nil || in.tx.Request.CSeq().Num != ack.CSeq().Num {
		return
	}
	s.incoming.stop()
	if in.offer != nil {
		if description := descriptionOf(ack); description != nil {
			answers, _, _ := in.offer.match(description)
			s.agree(in.offer, s.agreed.told)
			s.apply(*in.offer, answers)
			s.steer()
		}
	}
	s.flush()
}

// onNoAck goes on without an ACK: RFC 3261 §13.3.1.4 would end the session,
// but a recorder that forgets to acknowledge still records.
func (s *Session) onNoAck(tx *txn.ServerTx) {
	if s.incoming.tx != tx {
		return
	}
	s.client.trouble.warn(s.log, s.srs, "re-INVITE of the SRS was not acknowledged by it")
	s.incoming = incomingOffer{}
	s.flush()
}

// onUpdate takes an UPDATE (RFC 3311): the same without ACK, or a request for
// a snapshot, which has no description and so can cross an offer of ours.
func (s *Session) onUpdate(tx *txn.ServerTx) {
	req := tx.Request
	if refused := s.tooShort(req); refused != nil {
		tx.Respond(refused)
		return
	}
	resp := s.response(req, 200)
	if carriesDescription(req) {
		if s.busy() {
			tx.Reply(491, "")
			return
		}
		if !s.answerOffer(req, resp) {
			tx.Reply(488, "")
			return
		}
	}
	s.leg.dialog.Refresh(req)
	s.timer.fromRequest(s, req, resp)
	s.steer()
	tx.Respond(resp)
	s.serveSnapshot(req)
}

func carriesDescription(m *sip.Message) bool {
	_, ok := body.Find(m, sdpType)
	return ok
}

// answerOffer reads an offer of the SRS and puts our answer into resp. It is
// false when the offer cannot be used; then nothing has changed.
func (s *Session) answerOffer(req, resp *sip.Message) bool {
	theirs := descriptionOf(req)
	if theirs == nil {
		return false
	}
	ours := s.nextOffer()
	said := sdp.MatchOffer(ours.media, theirs)
	media, usable := answerMedia(ours.media, said, theirs)
	if !usable {
		return false
	}
	before := s.silenced()
	for i, st := range s.streams.all {
		if !said[i].Accepted && st.untold() {
			continue // it speaks of what it knows: what has come since is kept until it has been told
		}
		st.agree(said[i], ours.numbers[i], ours.media[i].Direction.Sends()) // in our own pause it says again what was agreed (RFC 4028 §7.4)
	}
	switch after := s.silenced(); {
	case after > before:
		s.acted(policy.ActionPause, req.Method)
	case after < before:
		s.acted(policy.ActionResume, req.Method)
	}
	answer := s.origin.describe(s.version+1, media)
	if fingerprintOf(s.version, answer) == s.described {
		answer = s.origin.describe(s.version, media)
	} else {
		s.version++
	}
	s.described = fingerprintOf(s.version, answer)
	resp.SetBody(sdpType, answer)
	return true
}

// answerMedia writes the answer to an offer of the SRS: exactly its m-lines
// (RFC 3264 §6), with ours where they belong, port 0 where it disabled one of
// ours or added one, which it must not (RFC 7866 §7.2). It corrects said for
// what an offer means and an answer does not: sendonly is a wish not to hear.
func answerMedia(ours []sdp.OfferMedia, said []answered, theirs *sdp.Session) (media []sdp.OfferMedia, usable bool) {
	mine := map[int]int{} // section of theirs → index of ours
	for i := range said {
		if said[i].Accepted {
			mine[said[i].Section] = i
		}
	}
	live := false
	for j, m := range theirs.Media() {
		i, ok := mine[j]
		live = live || m.Port != 0
		if !ok {
			media = append(media, m.Refuse())
			continue
		}
		out := ours[i]
		out.Formats = renumber(out.Formats, said[i].PT)
		out.Extensions = only(out.Extensions, said[i].Extensions)
		answerKeys(&out, said[i])
		if !said[i].Direction.Recvs() {
			said[i].Direction, said[i].Send = sdp.Inactive, false
		}
		if !said[i].Send {
			out.Direction = sdp.Inactive
		}
		media = append(media, out)
	}
	return media, len(mine) > 0 || !live
}

// renumber keeps the formats of the other side, with its payload types.
func renumber(formats []sdp.Format, pt map[uint8]uint8) []sdp.Format {
	var out []sdp.Format
	for _, f := range formats {
		if theirs, ok := pt[f.PT]; ok {
			f.PT = theirs
			out = append(out, f)
		}
	}
	return out
}
