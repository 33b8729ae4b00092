package src

import (
	"fmt"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// check is one OPTIONS within the dialog. Any answer is a sign of life but 481,
// which denies the dialog, and those that speak for somebody behind (speaks).
//
// Many recorders answer OPTIONS without looking for the dialog. Where the SRS
// may have been restarted that would not do: then a second OPTIONS follows, of a
// dialog that has never been. Who denies that one knows ours; who does not is
// asked by re-INVITE.
type check struct {
	s         *Session
	leg       *leg
	limit     time.Duration
	suspicion bool // there is another sign of death: no answer is proof enough
	sham      bool // of a dialog that has never been
	refused   bool // asked for nothing but a refusal: who goes on reporting is there
	timer     *txn.Timer
	over      bool
}

func (s *Session) check(limit time.Duration, suspicion bool) {
	(&check{s: s, leg: s.leg, limit: limit, suspicion: suspicion}).send()
}

func (c *check) send() {
	s := c.s
	s.watch.check, s.watch.asked = c, s.now()
	c.timer = s.lane.After(c.limit, func() { c.silent(fmt.Sprintf("no answer to OPTIONS within %v", c.limit)) })
	req := c.leg.dialog.Request("OPTIONS")
	if c.sham {
		req.Set("To", sip.WithTag(req.Get("To"), sip.NewTag()))
	}
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
	switch w := &c.s.watch; {
	case c.spared(resp.Status):
	case c.sham && resp.Status == 481:
		w.aware = true
		c.alive(flow)
	case c.sham:
		c.prove()
	case resp.Status == 481:
		c.s.lose(loss{reason: "the SRS does not know the session any more", gone: true})
	case resp.Status == codeTimeout, resp.Status == codeTransport:
		c.s.lose(loss{reason: fmt.Sprintf("the SRS answered OPTIONS with %d", resp.Status)})
	case !speaks(resp.Status):
		c.absent(fmt.Sprintf("OPTIONS was answered with %d", resp.Status))
	case w.doubt && !w.aware:
		(&check{s: c.s, leg: c.leg, limit: c.limit, sham: true}).send()
	default:
		c.alive(flow)
	}
}

// alive takes the answer for a sign of life, and who sends RTCP now for the one
// that does so rightly.
func (c *check) alive(flow transport.Flow) {
	w := &c.s.watch
	w.answers = true
	c.s.heard()
	if c.leg.dialog.Flow.Conn != 0 {
		c.leg.dialog.Flow = flow // the connection may be a new one
	}
	if w.doubt {
		w.doubt = false
		for _, st := range c.s.streams.all {
			st.fresh = st.open
		}
		c.s.steerTaps()
	}
}

// prove asks by re-INVITE, which no SRS can answer that does not have the
// session.
func (c *check) prove() {
	c.s.watch.doubt = false
	c.s.updates.proof = true
	c.s.demand()
}

// OnFail is told that no answer will come (txn.ClientHandler).
func (c *check) OnFail(_ *txn.ClientTx, err error) {
	c.s.client.noteCertificate(c.s.recorder, c.s.srs, err)
	c.silent("OPTIONS: " + err.Error())
}

// silent takes the missing answer. Some recorders have never answered OPTIONS:
// one of these is asked by re-INVITE, which none can ignore.
func (c *check) silent(reason string) {
	if c.done() {
		c.absent(reason)
	}
}

// spared tells whether the SRS is left the session, whatever has come of the question: one that
// refuses an update, or a proxy before it, may be too busy for OPTIONS as well. Its reports are of
// what it receives; when they stay away, too, it is asked again.
func (c *check) spared(status int) bool {
	w := &c.s.watch
	return c.refused && !w.doubt && (status == codeTimeout || status == codeTransport) && w.reports.live(c.s.now())
}

func (c *check) absent(reason string) {
	if c.spared(codeTimeout) {
		return
	}
	if !c.sham && (c.suspicion || c.s.watch.answers) {
		c.s.lose(loss{reason: "the SRS is gone: " + reason})
		return
	}
	c.prove()
}
