package b2bua

import (
	"errors"
	"fmt"

	"sidetrack/forker"
	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
)

// maxStreams bounds the m-lines of a call: each costs two pairs of ports.
const maxStreams = 32

const errTooManyStreams = unacceptable("more m-lines than a call may have")

// negotiation is the offer/answer state of a call (RFC 3264, RFC 6337). There
// is one for both legs, because every offer crosses to the other side.
type negotiation struct {
	said    *agreement   // in force, nil: none yet
	offer   *sdp.Session // waits for its answer
	offerer side
	carrier *exchange // the exchange that carries offer
	changed bool      // the recorder has not been told yet
}

// agreement is an offer and its answer. It is kept as long as the call, and seldom read again.
type agreement struct {
	text    [2]string              // by side
	streams []metadata.MediaStream // what they come to, once it has been in force
}

// of is the description of a side, nil without an agreement.
func (a *agreement) of(s side) *sdp.Session {
	if a == nil {
		return nil
	}
	d, _ := sdp.Parse([]byte(a.text[s])) // as it was read before
	return d
}

// media are the streams agreed on, none without an agreement.
func (a *agreement) media() []metadata.MediaStream {
	if a == nil {
		return nil
	}
	return a.streams
}

func (a *agreement) both() [2]*sdp.Session { return [2]*sdp.Session{a.of(sideA), a.of(sideB)} }

func agreed(said [2]*sdp.Session) *agreement {
	return &agreement{text: [2]string{said[sideA].Text(), said[sideB].Text()}}
}

// negotiates lists the methods whose SDP is an offer or an answer. That of
// others, as in the answer to OPTIONS, describes no media of this call.
func negotiates(method string) bool {
	switch method {
	case "INVITE", "ACK", "PRACK", "UPDATE":
		return true
	}
	return false
}

// reads gives the description in a message of the exchange, nil without one.
func (x *exchange) reads(m *sip.Message) (*sdp.Session, error) {
	if !negotiates(x.method) {
		return nil, nil
	}
	return described(m)
}

// request takes the SDP of a request: an answer when the other side's offer is
// open in its branch (in PRACK, RFC 3262 §5), else an offer. It reserves ports for it.
func (n *negotiation) request(c *Call, x *exchange, s *sdp.Session) error {
	if x.method == "INVITE" && x.branch != nil {
		x.branch.firm = false // what its responses will say
	}
	if s == nil {
		return nil
	}
	if b := x.branch; x.method == "PRACK" && b.offer != nil && b.offerer != x.from {
		if err := c.takesAnswer(x.from, s); err != nil {
			return err
		}
		n.commit(c, x, b, b.offer, b.offerer, s)
		b.firm = true
		if n.offer == b.offer {
			n.offer = nil
		}
		return nil
	}
	if err := c.opens(x.from, s); err != nil {
		return err
	}
	x.offer = s
	n.open(s, x.from, x)
	if n.said == nil {
		// Early media must reach the offerer before there is an answer.
		for i, m := range s.Media() {
			r := c.remoteOf(x.from, m, m.Direction().Sends())
			c.security.protect(&r, x.from, i, s)
			c.relay.SetRemote(x.from, i, r)
		}
	}
	return nil
}

// response takes the SDP of a response in branch b: the answer to the request's
// offer, or an offer when the request had none. firm says that it will not be
// replaced by the SDP of a later response (RFC 3261 §13.2.1).
func (n *negotiation) response(c *Call, x *exchange, b *branch, status int, s *sdp.Session, firm bool) error {
	if s == nil {
		return nil
	}
	if x.method == "INVITE" && b != nil && b.firm {
		return nil // said reliably before; PRACK or UPDATE may have changed it since (RFC 3261 §13.2.1)
	}
	if x.offer != nil {
		if err := c.takesAnswer(other(x.from), s); err != nil {
			return err
		}
		n.commit(c, x, b, x.offer, x.from, s)
		if firm && b != nil {
			b.firm = true
		}
		if firm && n.carrier == x {
			n.offer = nil
		}
		return nil
	}
	if x.method != "INVITE" {
		return nil // an answer without an offer
	}
	if err := c.opens(other(x.from), s); err != nil {
		return err
	}
	x.counter = s
	n.open(s, other(x.from), x)
	if firm && status < 200 && b != nil { // each fork has its own
		b.offer, b.offerer = s, other(x.from)
	}
	return nil
}

// answered notes the 2xx of a request: what it has answered is not open any more.
func (n *negotiation) answered(x *exchange) {
	if b := x.branch; x.method == "PRACK" && b.offerer != x.from && x.committed {
		b.offer = nil
	}
}

// ack takes the SDP of an ACK: the answer to the offer in the 2xx.
func (n *negotiation) ack(c *Call, x *exchange, s *sdp.Session) error {
	if s == nil || x.counter == nil {
		return nil
	}
	if err := c.takesAnswer(x.from, s); err != nil {
		return err
	}
	n.commit(c, x, x.branch, x.counter, other(x.from), s)
	return nil
}

// adopt puts in force what was agreed in the early dialog that wins.
func (n *negotiation) adopt(c *Call, b *branch) {
	if b.said != nil && b.said != n.said {
		n.enforce(c, b.said, b.said.both())
	}
}

func (n *negotiation) open(s *sdp.Session, from side, x *exchange) {
	n.offer, n.offerer, n.carrier = s, from, x
}

// release drops an offer that its exchange has left without an answer.
func (n *negotiation) release(x *exchange) {
	if n.carrier == x {
		n.offer, n.carrier = nil, nil
	}
	if x.method == "INVITE" && x.branch != nil {
		x.branch.offer = nil
	}
}

// rollback undoes what a failed exchange did; what was agreed before is in
// force again (RFC 3261 §14.1), as its provisional answer no longer is.
func (n *negotiation) rollback(c *Call, x *exchange) {
	n.release(x)
	if x.committed && x != c.initial && n.said == x.put && x.before != nil {
		n.enforce(c, x.before, x.before.both())
	}
}

// blocks tells whether a new offer of side s must wait for an open one, and
// whether that is its own.
func (n *negotiation) blocks(s side) (blocked, own bool) {
	return n.offer != nil, n.offer != nil && n.offerer == s
}

// commit puts a pair of descriptions in force, and notes it for branch b.
func (n *negotiation) commit(c *Call, x *exchange, b *branch, offer *sdp.Session, offerer side, answer *sdp.Session) {
	var said [2]*sdp.Session
	said[offerer], said[other(offerer)] = offer, answer
	if !x.committed {
		x.committed, x.before = true, n.said
	}
	x.put = agreed(said)
	if b != nil {
		b.said = x.put
	}
	n.enforce(c, x.put, said)
}

// enforce makes the relay follow an agreement, that of the descriptions said. One that
// reads as before, after a session refresh, is no news.
func (n *negotiation) enforce(c *Call, now *agreement, said [2]*sdp.Session) {
	if n.said == nil || n.said.text != now.text {
		n.changed, now.streams = true, c.streams(said)
	} else {
		now.streams = n.said.streams
	}
	n.said = now
	a, b := said[sideA].Media(), said[sideB].Media()
	for i := range min(len(a), len(b)) {
		ra := c.remoteOf(sideA, a[i], sends(a[i], b[i]))
		rb := c.remoteOf(sideB, b[i], sends(b[i], a[i]))
		if keysA, keysB, ok := sdp.SDES(a[i], b[i]); ok {
			ra.Secure, ra.Key, ra.More = true, keysA[0], keysA[1:]
			rb.Secure, rb.Key, rb.More = true, keysB[0], keysB[1:]
		}
		c.security.protect(&ra, sideA, i, said[sideA])
		c.security.protect(&rb, sideB, i, said[sideB])
		control(&ra, a[i], b[i])
		control(&rb, b[i], a[i])
		c.relay.SetRemote(sideA, i, ra)
		c.relay.SetRemote(sideB, i, rb)
	}
	c.catchUp(sideA)
	c.catchUp(sideB)
}

// opens reserves ports for the m-lines of an offer of side from.
func (c *Call) opens(from side, s *sdp.Session) error {
	if len(s.Media()) > maxStreams {
		return errTooManyStreams
	}
	if err := c.reachable(from, s); err != nil {
		return err
	}
	if err := c.security.takesOffer(from, s); err != nil {
		return err
	}
	return c.relay.SetStreams(len(s.Media()))
}

// takesAnswer tells whether what a side has answered to our offer can be relayed.
func (c *Call) takesAnswer(from side, s *sdp.Session) error {
	if err := c.reachable(from, s); err != nil {
		return err
	}
	return c.security.takesAnswer(from, s)
}

// refuseOffer answers a request whose offer cannot be relayed.
func (c *Call) refuseOffer(tx *txn.ServerTx, err error) {
	if unfitStatus(err) == 488 {
		c.log.Warn("offer refused", "error", err)
		if errors.Is(err, errEncoded) { // RFC 3261 §8.2.3
			c.srv.reply(tx, 415, "", sip.Header{Name: "Accept-Encoding", Value: "identity"})
			return
		}
		c.srv.reply(tx, 488, "", sip.Header{Name: "Warning", Value: fmt.Sprintf("%d sidetrack %q", warnCode(err), err)})
		return
	}
	// Not by the call's own logger, whose lines are held back call by call: when
	// the ports run out, each new call comes here.
	c.srv.cfg.Log.Error("offer refused", "error", err, "call", c.id)
	c.srv.overload(tx)
}

// warnCode is the code of a Warning (RFC 3261 §20.43): a phone that has another address
// family as well may offer that.
func warnCode(err error) int {
	if errors.Is(err, errFamily) {
		return 301 // Incompatible network address formats
	}
	return 399
}

// unfitStatus is the status for a description that cannot be relayed.
func unfitStatus(err error) int {
	var reason unacceptable
	if errors.As(err, &reason) {
		return 488
	}
	return 503
}

// sends tells whether the party of m sends to the party of peer.
func sends(m, peer *sdp.Media) bool {
	return m.Port != 0 && peer.Port != 0 && m.Direction().Sends() && peer.Direction().Recvs()
}

// control says where the party of m gets its RTCP. It gets it where its RTP goes when both say so, or
// when that is ours to say, as with DTLS; until it sends it from there itself, when it alone does.
func control(r *forker.Remote, m, peer *sdp.Media) {
	if r.RTCP, _ = m.OwnRTCP(); r.Mux && (peer.Mux() || r.DTLS != nil) {
		r.RTCP = r.RTP
	}
}

func (c *Call) remoteOf(s side, m *sdp.Media, sends bool) forker.Remote {
	r := forker.Remote{
		Disabled: m.Port == 0, Sends: sends, RTPKind: m.HasRTP(), Mux: m.Mux(),
		Source: c.legs[s].flow.Remote.Addr(), Secure: m.Secure(),
	}
	if addr, ok := m.Addr(); ok {
		r.RTP = addr
	}
	return r
}
