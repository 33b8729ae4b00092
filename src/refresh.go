package src

import (
	"fmt"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// refresh is our refresh of the session by an UPDATE without a body (RFC 4028
// §7.4).
type refresh struct {
	s    *Session
	leg  *leg
	over bool
}

// refresh keeps the session alive: by re-INVITE with everything, which every
// recorder takes, or by UPDATE where the recorder wants it so and the SRS allows
// it.
func (s *Session) refresh() {
	switch {
	case s.leg == nil || !s.recorder.Session.ByUpdate || !s.leg.updates: // nil: not acknowledged yet by the SRS that asked for it
		s.demand()
	case s.timer.refresh == nil:
		s.timer.refresh = &refresh{s: s, leg: s.leg}
		s.timer.refresh.send()
	}
}

func (r *refresh) send() {
	req := r.leg.dialog.Request("UPDATE")
	req.Add("Contact", r.leg.contact)
	req.Add("Supported", supported)
	r.s.timer.ask(req)
	r.s.sign(req)
	r.leg.request(req, r)
}

// done takes the refresh off the session; false: it is over already.
func (r *refresh) done() bool {
	if r.over {
		return false
	}
	r.over, r.s.timer.refresh = true, nil
	return true
}

// OnResponse takes the answer (txn.ClientHandler). An SRS that does not like
// UPDATE is refreshed by re-INVITE from then on; 491 means that an exchange is
// under way, after which the next try comes.
func (r *refresh) OnResponse(_ *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	if resp.Status < 200 || r.over {
		return
	}
	if speaks(resp.Status) {
		r.s.heard()
	}
	if r.s.timer.lengthen(resp) {
		r.send()
		return
	}
	r.done()
	switch {
	case resp.Status < 300:
		r.leg.dialog.Refresh(resp)
		r.s.timer.fromResponse(r.s, resp)
	case resp.Status == 481:
		r.s.lose(loss{reason: "the SRS does not know the session any more", gone: true})
	case resp.Status == codeTimeout:
		r.s.lose(loss{reason: "the SRS answered a refresh with 408"})
	default:
		r.leg.updates = resp.Status == 491
		r.s.demand()
	}
}

// OnFail is told that the SRS will not answer (txn.ClientHandler).
func (r *refresh) OnFail(_ *txn.ClientTx, err error) {
	if r.done() {
		r.s.client.noteCertificate(r.s.recorder, r.s.srs, err)
		r.s.lose(loss{reason: fmt.Sprintf("the SRS did not answer a refresh: %v", err)})
	}
}
