package txn

import (
	"net/netip"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

const (
	safeSize    = 1300                   // RFC 3261 §18.1.1, path MTU unknown
	probeBudget = 300 * time.Millisecond // to connect for a large request before UDP is taken

	// probePatience times T1 is how long one that is sent by such a connection waits
	// for an answer. Some things between us and a peer take connections in the name of
	// one that knows nothing of TCP.
	probePatience = 4
)

// hop is a request on its way to a path: what stays the same whichever
// transport is found for it.
type hop struct {
	lane   *Lane
	req    *sip.Message
	hasVia bool // our Via is the first header of req
	branch string
	to     Target
	user   traveller
	probe  bool // a large request to a UDP target, tried over TCP
}

// traveller is who sends a hop's request: a client transaction or an ACK.
type traveller interface {
	// depart is called once a path is there; fresh means that its connection
	// was made just now.
	depart(f transport.Flow, fresh bool)
	strand(err error) // there is none
}

// start finds the path. It calls depart at once where no connection has to be
// made, else when it is.
func (h *hop) start() {
	if !h.to.Addr.IsValid() || h.to.Addr.Port() == 0 {
		h.user.strand(errNoTarget)
		return
	}
	if h.to.Proto == "" {
		h.to.Proto = "udp"
	}
	if h.to.Proto != "udp" {
		h.startStream(h.to, 0)
		return
	}
	layer := h.lane.layer
	if !h.to.ExplicitUDP && h.size() > safeSize && layer.tcp.worthTrying(h.to.Addr, h.lane.Now()) {
		tcp := h.to
		tcp.Proto = "tcp"
		h.probe = true
		h.startStream(tcp, probeBudget)
		return
	}
	h.startUDP()
}

func (h *hop) startUDP() {
	h.probe = false
	l := h.lane.layer.Leaving(h.to)
	if l == nil {
		h.user.strand(errNoListener)
		return
	}
	h.user.depart(transport.Flow{Proto: "udp", Listener: l, Remote: h.to.Addr}, false)
}

func (h *hop) startStream(to Target, budget time.Duration) {
	l := h.lane.layer.Leaving(to)
	if l == nil {
		h.missed(errNoListener)
		return
	}
	f := transport.Flow{Proto: to.Proto, Listener: l, Remote: to.Addr, Conn: to.Conn, Server: to.Host, TLS: to.TLS}
	h.lane.connected(f, budget, func(f transport.Flow, fresh bool, err error) {
		if err != nil {
			h.missed(err)
			return
		}
		h.user.depart(f, fresh)
	})
}

// unproven tells whether the request is a probe to a peer from which nothing has
// come by TCP so far.
func (h *hop) unproven() bool {
	return h.probe && !h.lane.layer.tcp.proven(h.to.Addr, h.lane.Now())
}

// answered notes that a peer to which requests go by UDP speaks TCP.
func (h *hop) answered(by transport.Flow) {
	if h.to.Proto == "udp" && by.Proto == "tcp" {
		h.lane.layer.tcp.note(h.to.Addr, true, h.lane.Now())
	}
}

// unheard sees to it that a connection on which a request had no answer at all does
// not swallow the next one.
func (c *clientTx) unheard() {
	if !c.reliable || !c.linked {
		return
	}
	c.lane.layer.cfg.Transport.Retire(c.flow, c.lane.layer.cfg.TimerB)
	if c.hop.probe {
		c.lane.layer.tcp.note(c.hop.to.Addr, false, c.lane.Now())
	}
}

// missed handles a stream that could not be had, or is of no use: a probe goes on over UDP.
func (h *hop) missed(err error) {
	if !h.probe {
		h.user.strand(err)
		return
	}
	h.lane.layer.tcp.note(h.to.Addr, false, h.lane.Now())
	h.startUDP()
}

// size estimates the request's length with our Via.
func (h *hop) size() int {
	n := len(h.req.Method) + len(h.req.RequestURI) + len(h.req.Body) + 160
	if n > safeSize {
		return n
	}
	for _, f := range h.req.Headers {
		n += len(f.Name) + len(f.Value) + 4
	}
	return n
}

// sealed returns the request as it leaves by f, with our Via (RFC 3261 §18.1.1,
// rport RFC 3581 §3). Sealed again for another path, it is another message:
// the first may have been shown already.
func (h *hop) sealed(f transport.Flow) *sip.Message {
	via := "SIP/2.0/" + upper(f.Proto) + " " + f.Listener.SentBy() + ";branch=" + h.branch + ";rport"
	if h.hasVia {
		h.req = h.req.Clone()
		h.req.Headers[0].Value = via
		return h.req
	}
	h.req.Prepend("Via", via)
	h.hasVia = true
	return h.req
}

func upper(proto string) string {
	switch proto {
	case "udp":
		return "UDP"
	case "tcp":
		return "TCP"
	}
	return "TLS"
}

// pathKey names a path that can break: a connection, or a UDP peer as seen from
// one of our sockets. What another one, of another network, cannot reach is no
// matter of this one.
type pathKey struct {
	conn       uint64
	from, peer netip.AddrPort // zero for connections
}

func pathOf(f transport.Flow) pathKey {
	if f.Conn != 0 {
		return pathKey{conn: f.Conn}
	}
	k := pathKey{peer: f.Remote}
	if f.Listener != nil {
		k.from = f.Listener.Bound // the same for whatever else the socket advertises
	}
	return k
}

// dialKey is what two hops must agree on to wait for the same connection.
type dialKey struct {
	flow   transport.Flow // without a connection
	budget time.Duration
	back   bool // for a response
}

// dialWaiter is called on the lane when a connection is there or not.
type dialWaiter struct {
	ready func(f transport.Flow, err error)
}

// connected calls then with an open connection, at once if there is one. Hops
// that wait for the same connection leave in the order in which they came: an
// ACK must not be overtaken by its BYE.
func (l *Lane) connected(f transport.Flow, budget time.Duration,
	then func(f transport.Flow, fresh bool, err error)) {
	if f.Conn != 0 {
		if open, ok := l.layer.cfg.Transport.Find(f); ok {
			then(open, false, nil)
			return
		}
		f.Conn = 0
	}
	k := dialKey{flow: f, budget: budget}
	if _, dialing := l.dials[k]; !dialing {
		if open, ok := l.layer.cfg.Transport.Find(f); ok {
			then(open, false, nil)
			return
		}
	}
	l.dial(f, budget, dialWaiter{func(f transport.Flow, err error) { then(f, true, err) }})
}

// dial has a worker connect. budget 0 is the transport's default.
// f has no connection.
func (l *Lane) dial(f transport.Flow, budget time.Duration, w dialWaiter) {
	k := dialKey{flow: f, budget: budget}
	if l.join(k, w) {
		l.layer.cfg.Transport.Dial(f, budget, l.whenDialed(k))
	}
}

// dialBack is dial for a response.
func (l *Lane) dialBack(f transport.Flow, w dialWaiter) {
	k := dialKey{flow: f, back: true}
	if l.join(k, w) {
		l.layer.cfg.Transport.DialBack(f, l.whenDialed(k))
	}
}

// join has w wait for a connection and reports whether it is the first to do so.
func (l *Lane) join(k dialKey, w dialWaiter) bool {
	l.dials[k] = append(l.dials[k], w)
	return len(l.dials[k]) == 1
}

func (l *Lane) whenDialed(k dialKey) func(transport.Flow, error) {
	return func(f transport.Flow, err error) { l.Post(func() { l.dialed(k, f, err) }) }
}

func (l *Lane) dialed(k dialKey, f transport.Flow, err error) {
	waiters := l.dials[k]
	delete(l.dials, k)
	for _, w := range waiters {
		l.guarded(func() { w.ready(f, err) })
	}
}
