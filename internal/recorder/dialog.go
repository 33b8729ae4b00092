package recorder

import (
	"cmp"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

var _ txn.DialogHandler = (*session)(nil)

// OnRequest implements txn.DialogHandler: requests within the session.
func (s *session) OnRequest(tx *txn.ServerTx) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := tx.Request
	switch {
	case s.ended:
		tx.Reply(481, "")
		return
	case !s.dialog.AcceptCSeq(m.CSeq().Num):
		tx.Reply(500, "Requests Out of Order", sip.Header{Name: "Retry-After", Value: "0"})
		return
	}
	s.heard(tx)
	if tags := unsupported(m); tags != "" {
		tx.Reply(420, "", sip.Header{Name: "Unsupported", Value: tags})
		return
	}
	switch m.Method {
	case "INVITE", "UPDATE":
		s.onUpdate(tx)
	case "BYE":
		s.onBye(tx)
	case "INFO":
		s.onInfo(tx)
	case "OPTIONS":
		tx.Reply(200, "", capabilities()...)
	default:
		tx.Reply(405, "", sip.Header{Name: "Allow", Value: allow})
	}
}

// onUpdate is a re-INVITE or UPDATE: new SDP, new metadata, a session refresh, or
// all of it. Whoever is refused changes nothing (RFC 3261 §14.1).
func (s *session) onUpdate(tx *txn.ServerTx) {
	m := tx.Request
	if s.inviting && m.Method == "INVITE" {
		tx.Reply(491, "")
		return
	}
	c, r := examineBody(m)
	if r == nil {
		_, r = s.server.cfg.negotiateTimer(m)
	}
	var answer []byte
	if r == nil && c.sdp != nil {
		answer, r = s.answer(c)
	}
	if r != nil {
		s.problem(m.Method + " refused: " + r.why)
		s.log.Warn("update refused", "method", m.Method, "status", r.status, "reason", r.why)
		r.send(tx)
		return
	}
	if m.Method == "INVITE" && c.sdp == nil {
		s.problem("MD-20: re-INVITE without SDP")
	}
	s.store(s.readDocuments(c, m.Method))
	s.accept(tx, c, answer)
}

// accept sends the 200 of an INVITE or UPDATE. An INVITE without an offer gets
// ours (RFC 3261 §13.2.1).
func (s *session) accept(tx *txn.ServerTx, c content, answer []byte) {
	m := tx.Request
	resp := sip.NewResponse(m, 200, "")
	resp.Set("To", sip.WithTag(resp.Get("To"), tx.LocalTag()))
	resp.Add("Contact", contact(tx.Flow))
	resp.Add("Allow", allow)
	resp.Add("Accept", accept)
	resp.Add("Supported", "timer")
	resp.Add("Server", s.server.cfg.UserAgent)
	s.timer, _ = s.server.cfg.negotiateTimer(m)
	for _, h := range s.timer.headers() {
		resp.Add(h.Name, h.Value)
	}
	if m.Method == "INVITE" {
		s.invite, s.offered = tx, c.sdp == nil
		tx.OnNoAck(func() { s.fail(tx) })
		if s.offered {
			answer = s.sdp.write()
		}
	}
	if answer != nil {
		resp.SetBody("application/sdp", answer)
	}
	tx.Respond(resp)
	s.armTimer()
}

// contact is our Contact: the feature tag says that we are an SRS (RFC 7866 §6.2).
func contact(flow transport.Flow) string {
	uri := "sip:srs@invalid"
	if flow.Listener != nil {
		uri = flow.Listener.ContactURI("srs")
	}
	return "<" + uri + ">;+sip.srs"
}

// fail ends a session whose 200 was never acknowledged (RFC 3261 §13.3.1.4).
func (s *session) fail(tx *txn.ServerTx) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.invite == tx {
		s.invite = nil
		s.bye(cmp.Or(s.doomed, "no ACK"), func() {})
	}
}

// OnAck implements txn.DialogHandler.
func (s *session) OnAck(_ *txn.Lane, ack *sip.Message, _ transport.Flow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.invite == nil || ack.CSeq().Num != s.invite.Request.CSeq().Num {
		return
	}
	s.invite.Acked()
	s.invite = nil
	if s.offered {
		s.offered = false
		s.takeAnswer(ack)
	}
	if s.doomed != "" {
		s.bye(s.doomed, func() {})
	}
}

// OnCancel implements txn.DialogHandler.
func (s *session) OnCancel(tx *txn.ServerTx, _ *sip.Message) { tx.Reply(487, "") }

// takeAnswer applies the client's answer to an offer of ours.
func (s *session) takeAnswer(m *sip.Message) {
	c, err := readContent(m)
	if err != nil || c.sdp == nil {
		s.problem("no SDP answer to our offer in " + m.Method)
		return
	}
	s.sdp.remember(exchange{At: s.now().Seconds(), Offer: string(s.sdp.sent), Answer: string(c.sdpBytes), Ours: true})
	for i, section := range c.sdp.Media() {
		if i >= len(s.streams) || s.streams[i] == nil {
			continue
		}
		if section.Port == 0 {
			s.streams[i].setActive(false)
			continue
		}
		s.follow(s.streams[i], section)
	}
}

// onInfo takes metadata that comes by INFO, though RFC 7866 §9.1 does not foresee it.
func (s *session) onInfo(tx *txn.ServerTx) {
	if c, err := readContent(tx.Request); err == nil && len(c.documents) > 0 && len(tx.Request.Body) <= maxBody {
		s.problem("MD-06: metadata in INFO")
		s.store(s.readDocuments(c, "INFO"))
	}
	tx.Reply(200, "")
}

// onBye ends the session; metadata in it is taken, as RFC 8068 §3.2.4 shows it.
func (s *session) onBye(tx *txn.ServerTx) {
	if c, err := readContent(tx.Request); err == nil && len(c.documents) > 0 && len(tx.Request.Body) <= maxBody {
		s.store(s.readDocuments(c, "BYE"))
	}
	tx.Reply(200, "")
	s.end("BYE from the client", true)
}
