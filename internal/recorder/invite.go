package recorder

import (
	"errors"
	"slices"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
)

// onInvite answers a request for a new recording session (RFC 7866 §6.2).
func (s *Server) onInvite(tx *txn.ServerTx) {
	if s.cfg.Answer != nil {
		if status, reason := s.cfg.Answer(tx.Request); status >= 300 {
			tx.Reply(status, reason)
			return
		}
	}
	tx.Reply(100, "")
	c, r := s.examine(tx.Request)
	if r == nil {
		r = s.disk.refusal()
	}
	if r == nil {
		r = s.take(tx, c)
	}
	if r != nil {
		s.cfg.Log.Warn("recording session refused", "sip_call_id", tx.Request.CallID(), "from", tx.Request.From().URI,
			"status", r.status, "reason", r.why)
		r.send(tx)
	}
}

// examine decides by the request alone whether it is one for us.
func (s *Server) examine(m *sip.Message) (content, *refusal) {
	if tags := unsupported(m); tags != "" {
		return content{}, refuse(420, "", sip.Header{Name: "Unsupported", Value: tags})
	}
	if !m.HasToken("Require", "siprec") {
		return content{}, refuse(421, "this is a recording server: calls need Require: siprec (RFC 7866)",
			sip.Header{Name: "Require", Value: "siprec"})
	}
	c, r := examineBody(m)
	if r == nil && c.sdp == nil {
		r = refuse(400, "the INVITE of a recording session must carry an SDP offer (RFC 7866 section 9.1)")
	}
	if r == nil {
		_, r = s.cfg.negotiateTimer(m)
	}
	return c, r
}

// examineBody reads the body of a request, or says how to answer a bad one.
func examineBody(m *sip.Message) (content, *refusal) {
	if len(m.Body) > maxBody {
		return content{}, refuse(413, "bodies over 256 KB are not taken")
	}
	c, err := readContent(m)
	switch {
	case errors.Is(err, errMediaType):
		return c, refuse(415, err.Error(), sip.Header{Name: "Accept", Value: accept})
	case errors.Is(err, errEncoding):
		return c, refuse(415, err.Error(), sip.Header{Name: "Accept-Encoding", Value: "identity"})
	case err != nil:
		return c, refuse(400, err.Error())
	}
	return c, nil
}

// take makes the session and answers with 200.
func (s *Server) take(tx *txn.ServerTx, c content) *refusal {
	ss := newSession(s, tx, c)
	if !s.admit(ss) {
		return refuse(503, "too many recording sessions", sip.Header{Name: "Retry-After", Value: "10"})
	}
	if r := ss.begin(tx, c); r != nil {
		ss.abandon()
		s.dismiss(ss, nil)
		return r
	}
	return nil
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(e string) bool { return strings.EqualFold(e, s) })
}
