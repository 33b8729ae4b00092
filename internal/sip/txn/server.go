package txn

import (
	"net/netip"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

const tryingAfter = 200 * time.Millisecond // RFC 3261 §17.2.1

// ServerTx is a request that we were asked, and the way to answer it. It
// belongs to its lane's goroutine.
type ServerTx struct {
	Request *sip.Message   // as received, top Via stamped; not to be changed
	Flow    transport.Flow // by which it came
	Lane    *Lane
	Data    any // the owner's own

	core *serverTx
}

type state uint8

const (
	calling    state = iota // client INVITE; client non-INVITE calls it Trying
	trying                  // server non-INVITE without response
	proceeding              // a provisional response was sent or received
	completed               // a final one, non-2xx for an INVITE
	confirmed               // server INVITE: its ACK came
	accepted                // INVITE with 2xx (RFC 6026)
	terminated
)

// serverTx is the machine behind a ServerTx. It outlives what the TU sees:
// after the final response it drops the request and the handler.
type serverTx struct {
	lane     *Lane
	outer    *ServerTx     // nil when nothing more can be asked of it
	owner    DialogHandler // whom OnRequest told; nil with outer
	key      key
	mergeKey key    // zero: not in merges
	place    uint64 // of an INVITE's Call-ID, which is entered in the lane's runs
	state    state
	invite   bool
	reliable bool
	status   uint16 // of the final response, 0 before
	slot     slot   // of last, for the counters
	tag      string // To-tag of our responses
	flow     transport.Flow
	back     *home  // where to reconnect when a stream is gone; nil on UDP
	last     []byte // response to resend
	interval time.Duration
	resend   Timer // Trying, G, the TU's resending of 2xx
	life     Timer // H, I, J, L, and the patience with a TU that never answers
	noAck    func()
}

// home is where a client takes connections (RFC 3261 §18.2.2), and under which TLS server name.
type home struct {
	addr netip.AddrPort
	host string
}

func (l *Lane) newServerTx(req *sip.Message, flow transport.Flow, k key) *serverTx {
	tx := &serverTx{
		lane:     l,
		key:      k,
		invite:   req.Method == "INVITE",
		reliable: flow.Proto != "udp",
		flow:     transport.ResponseFlow(req, flow),
		state:    trying,
	}
	if tx.reliable {
		tx.back = &home{addr: transport.ReconnectAddr(req, flow)}
	}
	if flow.Proto == "tls" {
		tx.back.host = clone(req.TopVia().Host)
	}
	tx.resend.owner, tx.life.owner = tx, tx
	tx.outer = &ServerTx{Request: req, Flow: flow, Lane: l, core: tx}
	l.servers[k] = tx
	l.layer.kept.Add(1)
	if tx.invite {
		tx.state = proceeding
		tx.resend.set(l, tryingAfter)
		tx.place = l.layer.place(req.CallID())
		l.runs.enter(tx.place)
	} else {
		// The client gives up after Timer F; a late answer is of no use to it
		// (RFC 4320 §4.1).
		tx.life.set(l, l.layer.cfg.TimerB+l.layer.cfg.T4)
	}
	return tx
}

// Respond sends a response and keeps its bytes for retransmissions; resp is
// not kept. Provisional responses after a final one, and all after a non-2xx,
// are ignored. A 2xx to an INVITE is resent at T1, doubling to T2, until Acked
// or 64*T1 (RFC 3261 §13.3.1.4); a further 2xx, of another fork, is sent once.
func (tx *ServerTx) Respond(resp *sip.Message) {
	c := tx.core
	if tag := resp.ToTag(); tag != "" && c.tag == "" {
		c.tag = clone(tag)
	}
	switch {
	case c.state == accepted && resp.Status/100 == 2:
		c.send(resp.Bytes(), c.lane.layer.metrics.responseSlot(tx.Request.Method, resp.Status))
	case c.state != trying && c.state != proceeding:
	default:
		c.last = resp.Bytes()
		c.slot = c.lane.layer.metrics.responseSlot(tx.Request.Method, resp.Status)
		c.send(c.last, c.slot)
		c.sent(resp.Status)
	}
}

// Reply makes a response to the request and sends it like Respond. An empty
// reason becomes the standard phrase; the To-tag is added where it is missing
// (never to a 100), always the same.
func (tx *ServerTx) Reply(status int, reason string, headers ...sip.Header) {
	resp := sip.NewResponse(tx.Request, status, reason)
	if status > 100 && resp.ToTag() == "" {
		resp.Set("To", sip.WithTag(resp.Get("To"), tx.LocalTag()))
	}
	for _, h := range headers {
		resp.Add(h.Name, h.Value)
	}
	if ua := tx.Lane.layer.cfg.UserAgent; ua != "" && status > 100 && !resp.Has("Server") {
		resp.Add("Server", ua)
	}
	tx.Respond(resp)
}

// LocalTag returns the To-tag of the responses to this request: the request's
// own in a dialog, else the first that a response bore, else a new one.
func (tx *ServerTx) LocalTag() string {
	if tag := tx.Request.ToTag(); tag != "" {
		return tag
	}
	return tx.core.localTag()
}

func (c *serverTx) localTag() string {
	if c.tag == "" {
		c.tag = sip.NewTag()
	}
	return c.tag
}

// Acked tells that the ACK of the 2xx came: it is no longer resent.
func (tx *ServerTx) Acked() {
	if c := tx.core; c.state == accepted {
		c.resend.Stop()
		c.release()
	}
}

// OnNoAck has f called when the 2xx was not ACKed within 64*T1; the dialog is
// then to be ended with a BYE (RFC 3261 §13.3.1.4).
func (tx *ServerTx) OnNoAck(f func()) { tx.core.noAck = f }

// Final returns the status of the final response sent, 0 when there is none yet.
func (tx *ServerTx) Final() int { return int(tx.core.status) }

// release lets go of everything that only the TU's answer needed.
func (c *serverTx) release() {
	c.outer, c.owner, c.noAck = nil, nil, nil
	if c.state == accepted {
		c.last = nil // retransmitted INVITEs are absorbed without answer
	}
}

func (c *serverTx) terminate() {
	c.state = terminated
	c.resend.Stop()
	c.life.Stop()
	if c.lane.servers[c.key] == c {
		delete(c.lane.servers, c.key)
		c.lane.layer.kept.Add(-1)
		if c.invite {
			c.lane.runs.leave(c.place)
		}
	}
	c.unmerge()
	c.release()
	c.last = nil
}

// unmerge has other copies of the request taken for requests of their own.
func (c *serverTx) unmerge() {
	if c.lane.merges[c.mergeKey] == c {
		delete(c.lane.merges, c.mergeKey)
	}
}

// abandon answers in place of a handler that failed.
func (c *serverTx) abandon() {
	if c.outer != nil && c.status == 0 {
		c.outer.Reply(500, "")
	}
}
