package src

import (
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// authority answers the challenges on the way to one SRS: of the SRS itself
// (401) and of a proxy before it (407). What has been challenged once is signed
// unasked from then on, as long as the dialog lives.
type authority struct {
	who        *Auth // nil: we have no credentials
	srs, proxy *digest.Challenge
}

// Auth is what a recorder knows us by (RFC 3261 §22, RFC 8760).
type Auth = digest.Credentials

// challenged is who has been answered already about one request: each is once.
type challenged struct{ srs, proxy bool }

// take keeps the challenge of a response, and tells whether the request may be
// sent once more: there is one that we can answer, and have not yet.
func (a *authority) take(resp *sip.Message, done *challenged) bool {
	c, ok := digest.Of(resp)
	if !ok || a.who == nil {
		return false
	}
	kept, answered := &a.proxy, &done.proxy
	if resp.Status == 401 {
		kept, answered = &a.srs, &done.srs
	}
	if *answered {
		return false
	}
	*kept, *answered = c, true
	return true
}

// sign answers what has been asked so far. The request must have its body.
func (a *authority) sign(req *sip.Message) {
	for _, c := range []*digest.Challenge{a.srs, a.proxy} {
		if c != nil {
			c.Sign(req, *a.who)
		}
	}
}

// signed is the handler of a request within a dialog: a challenge, of a proxy and of the
// SRS each, is answered once by the same request with the next CSeq, everything else goes on to the
// handler proper.
type signed struct {
	txn.ClientHandler
	leg   *leg
	req   *sip.Message
	tried challenged
}

// OnResponse takes a response (txn.ClientHandler).
func (h *signed) OnResponse(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	if !h.leg.auth.take(resp, &h.tried) {
		h.ClientHandler.OnResponse(tx, resp, flow)
		return
	}
	h.req = h.req.Clone()
	h.req.Set("CSeq", h.leg.dialog.Request(h.req.Method).Get("CSeq"))
	h.leg.auth.sign(h.req)
	h.leg.send(h.req, h)
}

// challenge answers a challenge to the INVITE, of a proxy and of the SRS each once;
// then the SRS counts as one that refuses.
func (a *attempt) challenge(resp *sip.Message) bool {
	if a.over || !a.auth.take(resp, &a.signed) {
		return false
	}
	a.again()
	return true
}
