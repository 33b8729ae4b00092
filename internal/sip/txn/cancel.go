package txn

import (
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// doubtPatience times T1 is how long a CANCEL waits for an answer by a connection that
// is out of use for other requests.
const doubtPatience = 4

// cancelState is what became of the wish to cancel an INVITE.
type cancelState struct {
	wanted  bool
	sent    bool
	timerC  bool // the wish is Timer C's
	tx      *clientTx
	headers []sip.Header
	hush    time.Duration // on the lane's clock: when an INVITE that nobody has answered is no longer repeated
}

// Cancel asks the peer to give up an INVITE (RFC 3261 §9.1): after the first
// 1xx, which is awaited. Repetitions of the INVITE may fetch that one for T2 more,
// then they end: a target that wakes up later is not to ring for nobody. The final
// response, mostly 487 but possibly a 2xx,
// goes up as usual; when none comes within 64*T1 of the CANCEL, OnFail gets
// ErrTimeout. headers (Reason, RFC 3326) are put into the CANCEL. A second
// call, one after the final response and one for another method do nothing.
func (tx *ClientTx) Cancel(headers ...sip.Header) {
	c := tx.core
	if !c.invite || (c.state != calling && c.state != proceeding) || c.cancel.wanted {
		return
	}
	c.cancel.wanted, c.cancel.headers = true, headers
	c.cancel.hush = time.Since(c.lane.epoch) + c.lane.layer.cfg.T2
	if c.state == proceeding {
		c.sendCancel()
	}
}

// timerC gives up an INVITE that rings without end (§16.8). What comes of its
// CANCEL within 64*T1 decides: a 2xx still counts.
func (c *clientTx) timerC() {
	c.cancel.wanted, c.cancel.timerC = true, true
	c.sendCancel()
}

// sendCancel sends the CANCEL by the INVITE's own path, in a transaction of its
// own whose outcome does not matter. While its connection is open that is the one,
// for the next may lead to another server of the same address; where it closes, or
// says nothing and is out of use for others already, another is all there is.
func (c *clientTx) sendCancel() {
	c.cancel.sent = true
	c.life.set(c.lane, 64*c.lane.layer.cfg.T1)
	m := sibling(c.outer.sent, "CANCEL")
	m.Headers = append(m.Headers, c.cancel.headers...)

	l := c.lane
	k := &clientTx{lane: l, state: calling, errand: &errand{reliable: c.reliable, bytes: m.Bytes()}}
	k.slot = l.layer.metrics.requestSlot("CANCEL")
	k.register(l.layer.clientKey(c.hop.branch, "CANCEL", c.hop.req.CallID()))
	k.life.set(l, l.layer.cfg.TimerB)
	c.cancel.tx = k
	k.departAs(c.flow)
}

// uncancel lets go of a CANCEL when its INVITE has its final response: where it has
// lost its connection, none is made for it any more. An INVITE that has failed may
// ring on.
func (c *clientTx) uncancel() {
	if k := c.cancel.tx; k != nil && k.errand != nil {
		if k.idle = true; k.reliable && k.state == calling && !k.linked {
			k.terminate()
		}
	}
	c.cancel = cancelState{}
}

// departAs sends a CANCEL by f.
func (c *clientTx) departAs(f transport.Flow) {
	c.flow = f
	c.transmit()
	if c.reliable && c.linked {
		if _, fit := c.lane.layer.cfg.Transport.Find(f); !fit {
			c.resend.set(c.lane, doubtPatience*c.lane.layer.cfg.T1)
		}
	}
}

// KeepRinging begins Timer C anew, for who knows better than it that somebody is
// still being rung (§16.8 leaves the value to us).
func (tx *ClientTx) KeepRinging() {
	c := tx.core
	if c.invite && c.state == proceeding && !c.cancel.sent {
		c.life.set(c.lane, c.lane.layer.cfg.TimerC)
	}
}
