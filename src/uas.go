package src

import (
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// OnRequest takes a request of the SRS within the dialog (txn.DialogHandler).
// A dialog that has ended, or never was, knows nothing but BYE.
func (a *attempt) OnRequest(tx *txn.ServerTx) {
	switch s := a.s; {
	case a.leg != nil && s.attempt == a && s.leg != nil && s.ended.IsZero():
		s.onRequest(tx)
	case tx.Request.Method == "BYE" && a.invited != nil:
		a.onEarlyBye(tx)
	case tx.Request.Method == "BYE":
		tx.Reply(200, "")
	default:
		tx.Reply(481, "")
	}
}

// OnAck takes the ACK of our 2xx to an INVITE of the SRS (txn.DialogHandler).
func (a *attempt) OnAck(_ *txn.Lane, ack *sip.Message, _ transport.Flow) {
	switch {
	case a.invited != nil:
		a.onFirstAck(ack)
	case a.s.attempt == a:
		a.s.onAck(ack)
	}
}

// OnCancel has nothing to cancel: each INVITE is answered at once
// (txn.DialogHandler).
func (a *attempt) OnCancel(*txn.ServerTx, *sip.Message) {}

// onRequest answers a request of the SRS.
func (s *Session) onRequest(tx *txn.ServerTx) {
	req := tx.Request
	s.heard()
	if !s.leg.dialog.AcceptCSeq(req.CSeq().Num) {
		tx.Reply(500, "CSeq Out of Order")
		return
	}
	if unknown := unknownRequired(req); unknown != "" {
		tx.Reply(420, "", sip.Header{Name: "Unsupported", Value: unknown})
		return
	}
	switch req.Method {
	case "BYE":
		s.onBye(tx)
	case "INVITE":
		s.onInvite(tx)
	case "UPDATE":
		s.onUpdate(tx)
	case "OPTIONS":
		tx.Respond(s.response(req, 200))
	case "INFO", "MESSAGE":
		tx.Respond(s.response(req, 200))
		s.serveSnapshot(req)
	default:
		s.log.Info("request of the SRS refused", "method", req.Method)
		tx.Reply(refusal(req.Method), "", sip.Header{Name: "Allow", Value: allow})
	}
}

// refusal is the code for a method that we do not serve: known to SIP or not
// (RFC 3261 §21.4.6, §21.5.2).
func refusal(method string) int {
	switch method {
	case "REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "PRACK":
		return 405
	}
	return 501
}

// unknownRequired lists what a request requires and we do not know (RFC 3261
// §8.2.2.3).
func unknownRequired(req *sip.Message) string {
	var unknown []string
	for _, tag := range req.List("Require") {
		if !strings.EqualFold(tag, "siprec") && !strings.EqualFold(tag, "timer") {
			unknown = append(unknown, tag)
		}
	}
	return strings.Join(unknown, ", ")
}

// response is our answer with what every one of them says of us.
func (s *Session) response(req *sip.Message, status int) *sip.Message {
	resp := sip.NewResponse(req, status, "")
	resp.Set("Contact", s.leg.contact)
	resp.Set("Allow", allow)
	resp.Set("Accept", accept)
	resp.Set("Supported", supported)
	return resp
}

// serveSnapshot sends a full document if the request asked for one: at once,
// in a transaction of its own, or when the one under way has ended (RFC 7866
// §9.1, §9.2).
func (s *Session) serveSnapshot(req *sip.Message) {
	if asksForSnapshot(req) {
		s.log.Info("full metadata asked for by the SRS", "method", req.Method)
		s.demand()
	}
}

// onBye ends the dialog: media first (RFC 7866 §5.1, RFC 3261 §15.1.2), then the
// answer.
func (s *Session) onBye(tx *txn.ServerTx) {
	for _, st := range s.streams.all {
		st.forget()
		st.steer(s.wanted(st), s.paused)
	}
	tx.Reply(200, "")
	reason := "ended by the SRS"
	if why := tx.Request.Get("Reason"); why != "" {
		reason += ": " + why
	}
	s.acted(policy.ActionStop, "BYE")
	s.lose(loss{reason: reason, gone: true, alive: true})
}
