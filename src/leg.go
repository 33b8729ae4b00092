package src

import (
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// leg is a dialog with an SRS and the way to it.
type leg struct {
	lane    *txn.Lane
	dialog  *dialog.Dialog
	contact string // our Contact, with the feature tag
	auth    *authority
	target  txn.Target // where the INVITE went: identity and socket of what follows
	updates bool       // the peer allows UPDATE (RFC 3311 §5.1)
	noInfo  bool       // the peer has refused metadata by INFO
}

func newLeg(lane *txn.Lane, auth *authority, tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) *leg {
	d := dialog.NewUAC(tx.Request(), resp)
	d.Flow = flow
	return &leg{lane: lane, auth: auth, dialog: d, contact: tx.Request().Get("Contact"), target: tx.Target(),
		updates: resp.HasToken("Allow", "UPDATE")}
}

// route finds the way to the remote target. On a stream we stay on the
// connection that the dialog was made on, unless the peer has named another
// transport: many recorders forget the transport parameter in their Contact,
// and following that would take ACK and BYE to UDP. done may be called before
// route returns.
func (l *leg) route(done func(txn.Target, error)) {
	if l.stays() {
		done(txn.FlowTarget(l.dialog.Flow), nil)
		return
	}
	l.lane.Resolve(l.dialog.NextHop(), func(found []txn.Target, err error) {
		switch {
		case err == nil && len(found) > 0:
			to := found[0]
			to.TLS = l.target.TLS
			if l.target.Listener != nil && l.target.Listener.Proto == to.Proto {
				to.Listener = l.target.Listener
			}
			done(to, nil)
		case l.dialog.Flow.Remote.IsValid():
			done(txn.FlowTarget(l.dialog.Flow), nil) // a Contact that means something only to its owner
		default:
			done(txn.Target{}, err)
		}
	})
}

// stays tells whether requests go on the connection of the dialog.
func (l *leg) stays() bool {
	flow := l.dialog.Flow
	if flow.Proto == "" || flow.Proto == "udp" {
		return false
	}
	hop, err := sip.ParseURI(l.dialog.NextHop())
	if err != nil || hop.Transport() == "" {
		return true
	}
	addr, numeric := hop.Addr()
	return hop.Transport() == flow.Proto && numeric && addr.Unmap() == flow.Remote.Addr().Unmap()
}

// request sends a request within the dialog, with its body. h may hear of its
// end before request returns.
func (l *leg) request(req *sip.Message, h txn.ClientHandler) {
	l.auth.sign(req)
	l.send(req, &signed{ClientHandler: h, leg: l, req: req})
}

func (l *leg) send(req *sip.Message, h txn.ClientHandler) {
	l.route(func(to txn.Target, err error) {
		if err != nil {
			h.OnFail(nil, err)
			return
		}
		l.lane.Request(req, to, h)
	})
}

// ack is the ACK of one 2xx; it is sent again for each repetition of that
// (RFC 3261 §13.2.2.4).
type ack struct {
	tag  string // To-tag of the 2xx
	sent *txn.Sent
}

func (l *leg) ack(cseq uint32) *ack {
	a := &ack{tag: l.dialog.RemoteTag}
	l.route(func(to txn.Target, err error) {
		if err == nil {
			a.sent = l.lane.SendAck(l.dialog.RequestCSeq("ACK", cseq), to)
		}
	})
	return a
}

func (a *ack) again() {
	if a.sent != nil {
		a.sent.Resend()
	}
}
