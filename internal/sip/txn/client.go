package txn

import (
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// ClientTx is a request that we ask. It belongs to its lane's goroutine.
type ClientTx struct {
	core *clientTx
	sent *sip.Message
	used Target
}

// clientTx is the machine behind a ClientTx. It outlives what the TU sees:
// after the final response it drops request and handler.
type clientTx struct {
	lane    *Lane
	outer   *ClientTx     // nil when nothing more goes up
	handler ClientHandler // nil after Forget
	*errand               // nil after the final response, but in Completed of an INVITE
	key     key
	state   state
	invite  bool
	slot    slot  // of the request, for the counters
	life    Timer // B, C, D, F, K, M, the wait after CANCEL
}

// errand is what sending takes, and nothing else.
type errand struct {
	hop      hop // empty after the final response; cancel transactions have none
	reliable bool
	fresh    bool // sent by a connection that was made for it
	again    bool // sent once more after its connection closed
	idle     bool // a CANCEL whose INVITE has its final response
	repeated bool // by Timer A or E
	doubted  bool // the network said once that the peer cannot be reached
	flow     transport.Flow
	bytes    []byte // the request; the ACK of a non-2xx in Completed
	interval time.Duration
	resend   Timer // A, E; on a stream the pause before the next connection, or the patience with a probe
	cancel   cancelState

	path       pathKey // in lane.waiting while linked
	linked     bool
	prev, next *clientTx
}

// Request sends req in a new client transaction. req is cloned; a Via with a
// fresh branch and the address of the leaving listener is put before any
// other. A request over 1300 octets to a UDP target goes by TCP if a
// connection can be had within 300 ms (RFC 3261 §18.1.1), else as one large
// datagram; which of them, is remembered for ten minutes. Everything else
// comes through h, after Request has returned; h may be nil.
func (l *Lane) Request(req *sip.Message, to Target, h ClientHandler) *ClientTx {
	tx := &ClientTx{sent: req.Clone(), used: to}
	c := &clientTx{lane: l, outer: tx, handler: h, errand: &errand{}, invite: req.Method == "INVITE", state: calling}
	tx.core = c
	c.slot = l.layer.metrics.requestSlot(req.Method)
	c.hop = hop{lane: l, req: tx.sent, branch: l.layer.newBranch(req.CallID()), to: to, user: c}
	c.register(l.layer.clientKey(c.hop.branch, req.Method, req.CallID()))
	c.life.set(l, l.layer.cfg.TimerB)
	c.hop.start()
	return tx
}

func (c *clientTx) register(k key) {
	c.key = k
	c.resend.owner, c.life.owner = c, c
	c.lane.clients[k] = c
	c.lane.layer.kept.Add(1)
}

// Request returns the request as sent, with its Via, or as given while the
// connection for it is being made; once a 2xx has been handled, of an INVITE what
// its dialogs have of it. It must not be changed.
func (tx *ClientTx) Request() *sip.Message { return tx.sent }

// Target returns where the request went: the protocol after the choice
// between UDP and TCP, the connection and the listener it left from.
func (tx *ClientTx) Target() Target { return tx.used }

// Forget ends the calls to the handler. The machine goes on ACKing failures,
// but a 2xx that comes later is nobody's and makes a dialog that nobody ends:
// an INVITE is to be forgotten after its final response only.
func (tx *ClientTx) Forget() {
	c := tx.core
	c.handler = nil
	if c.state == accepted {
		c.outer = nil
	}
}

// Concluded reports whether a final response has come, or none will.
func (tx *ClientTx) Concluded() bool { return tx.core.state != calling && tx.core.state != proceeding }

// Terminated reports whether the transaction is over: nothing will come up any more.
func (tx *ClientTx) Terminated() bool { return tx.core.state == terminated }

// depart sends the request by f (traveller).
func (c *clientTx) depart(f transport.Flow, fresh bool) {
	if c.state != calling {
		return
	}
	if c.cancel.wanted {
		c.fail(ErrCanceled)
		return
	}
	c.flow, c.fresh, c.reliable = f, fresh, f.Proto != "udp"
	sealed := c.hop.sealed(f)
	c.bytes = sealed.Bytes()
	c.outer.sent = sealed
	c.outer.used.Proto, c.outer.used.Conn, c.outer.used.Listener = f.Proto, f.Conn, f.Listener
	c.transmit()
}

// transmit sends the bytes for the first time on the current flow.
func (c *clientTx) transmit() {
	c.link(pathOf(c.flow))
	if err := c.lane.layer.send(c.flow, c.bytes, c.slot); err != nil {
		if c.lost(err); c.state == terminated || c.reliable {
			return
		}
	}
	if !c.reliable {
		c.interval = c.lane.layer.cfg.T1
		c.resend.set(c.lane, c.interval)
	} else if c.hop.unproven() {
		c.resend.set(c.lane, probePatience*c.lane.layer.cfg.T1)
	}
}

// fail ends the transaction and tells the handler, never from within a call
// that the handler's owner made.
func (c *clientTx) fail(err error) {
	if c.cancel.timerC {
		err = ErrTimerC
	}
	tx := c.outer
	c.terminate()
	if c.handler == nil {
		return
	}
	c.lane.Post(func() {
		if h := c.handler; h != nil {
			c.handler = nil
			h.OnFail(tx, err)
		}
	})
}

// complete lets go of what the TU and resending needed.
func (c *clientTx) complete() {
	c.state = completed
	c.resend.Stop()
	c.unlink()
	c.outer, c.handler, c.hop, c.bytes = nil, nil, hop{}, nil
	c.uncancel()
}

// delivered lets go of all that sending took.
func (c *clientTx) delivered() {
	if c.errand != nil {
		c.resend.Stop()
		c.unlink()
		c.errand = nil
	}
}

func (c *clientTx) terminate() {
	c.state = terminated
	c.life.Stop()
	if c.lane.clients[c.key] == c {
		delete(c.lane.clients, c.key)
		c.lane.layer.kept.Add(-1)
	}
	c.outer = nil
	c.delivered()
}

// link puts c into the list of those that a failure of the path concerns.
func (c *clientTx) link(k pathKey) {
	c.unlink()
	head := c.lane.waiting[k]
	c.path, c.linked, c.next = k, true, head
	if head != nil {
		head.prev = c
	}
	c.lane.waiting[k] = c
}

func (c *clientTx) unlink() {
	if !c.linked {
		return
	}
	switch {
	case c.prev != nil:
		c.prev.next = c.next
	case c.next != nil:
		c.lane.waiting[c.path] = c.next
	default:
		delete(c.lane.waiting, c.path)
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next, c.linked = nil, nil, false
}
