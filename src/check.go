package src

import (
	"fmt"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// check is one OPTIONS within the dialog. Any answer is a sign of life but 481,
// which denies the dialog, 408 and 503, which speak for somebody behind.
type check struct {
	s         *Session
	leg       *leg
	limit     time.Duration
	suspicion bool // there is another sign of death: no answer is proof enough
	timer     *txn.Timer
	over      bool
}

func (s *Session) check(limit time.Duration, suspicion bool) {
	c := &check{s: s, leg: s.leg, limit: limit, suspicion: suspicion}
	s.watch.check, s.watch.asked = c, s.now()
	c.timer = s.lane.After(limit, func() { c.silent(fmt.Sprintf("no answer to OPTIONS within %v", limit)) })
	req := s.leg.dialog.Request("OPTIONS")
	req.Add("Contact", s.leg.contact)
	req.Add("Accept", accept)
	s.sign(req)
	s.leg.request(req, c)
}

// end hears no more.
func (c *check) end() {
	c.over = true
	c.timer.Stop()
}

// done takes the check off the session; false: it is over already.
func (c *check) done() bool {
	if c.over {
		return false
	}
	c.end()
	c.s.watch.check = nil
	return true
}

// OnResponse takes the answer (txn.ClientHandler).
func (c *check) OnResponse(_ *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	if resp.Status < 200 || !c.done() {
		return
	}
	switch resp.Status {
	case 481:
		c.s.lose(loss{reason: "the SRS does not know the session any more", gone: true})
	case codeTimeout, codeTransport:
		c.s.lose(loss{reason: fmt.Sprintf("the SRS answered OPTIONS with %d", resp.Status)})
	default:
		c.s.heard()
		c.s.watch.answers = true
		if c.leg.dialog.Flow.Conn != 0 {
			c.leg.dialog.Flow = flow // the connection may be a new one
		}
	}
}

// OnFail is told that no answer will come (txn.ClientHandler).
func (c *check) OnFail(_ *txn.ClientTx, err error) {
	c.s.client.noteCertificate(c.s.recorder, c.s.srs, err)
	c.silent("OPTIONS: " + err.Error())
}

// silent takes the missing answer. Some recorders have never answered OPTIONS:
// one of these is asked by re-INVITE, which none can ignore.
func (c *check) silent(reason string) {
	if !c.done() {
		return
	}
	if c.suspicion || c.s.watch.answers {
		c.s.lose(loss{reason: "the SRS is gone: " + reason})
		return
	}
	c.s.updates.proof = true
	c.s.demand()
}
