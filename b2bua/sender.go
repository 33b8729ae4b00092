package b2bua

import (
	"errors"
	"net/netip"
	"slices"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// sender finds where the messages of one leg go and keeps their order: while a
// name is being resolved, whatever comes after waits behind it.
type sender struct {
	uri     string // last URI resolved
	target  txn.Target
	waiting []waitingSend
}

type waitingSend struct {
	uri  string
	flow transport.Flow // where the peer was last heard
	send func(txn.Target, error)
}

// towards calls send with the place where a request within dialog d of side s
// must go, at once or after DNS.
func (c *Call) towards(s side, d *dialog.Dialog, send func(txn.Target, error)) {
	leg := &c.legs[s]
	q := &leg.sender
	if len(q.waiting) == 0 {
		if t, ok := c.flowTo(s, d); ok {
			send(t, nil)
			return
		}
		if q.uri == d.NextHop() {
			send(q.target, nil)
			return
		}
	}
	q.waiting = append(q.waiting, waitingSend{d.NextHop(), d.Flow, send})
	if len(q.waiting) == 1 {
		c.track(q) // the call must not be forgotten before they have left
		c.resolveNext(leg)
	}
}

// resolveNext resolves the first of a leg's waiting messages. It leaves the
// queue after it was sent, so that whatever its sender adds comes behind.
func (c *Call) resolveNext(leg *leg) {
	q := &leg.sender
	w := q.waiting[0]
	c.resolve(w.uri, w.flow, leg.listener, func(t txn.Target, err error) {
		if err == nil && t.Conn == 0 {
			q.uri, q.target = w.uri, t
		}
		w.send(t, err)
		if q.waiting = slices.Delete(q.waiting, 0, 1); len(q.waiting) > 0 {
			c.resolveNext(leg)
			return
		}
		q.waiting = nil // a call that runs seldom sends
		c.settled(q)
	})
}

// reach is towards for a dialog that is not one of the call's branches.
func (c *Call) reach(d *dialog.Dialog, send func(txn.Target, error)) {
	if t, ok := c.symmetric(d); ok {
		send(t, nil)
		return
	}
	c.resolve(d.NextHop(), d.Flow, c.legs[sideB].listener, send)
}

// resolve finds the first place of a URI. Where it can, a leg keeps to the
// listener whose address its Contact bears. A peer whose Contact leads nowhere
// is sent to where it was last heard.
func (c *Call) resolve(uri string, heard transport.Flow, keep *transport.Listener, done func(txn.Target, error)) {
	c.lane.Resolve(uri, func(found []txn.Target, err error) {
		if err != nil {
			t := txn.FlowTarget(heard)
			if t.Addr.IsValid() {
				c.log.Debug("next hop does not resolve, sending back instead", "uri", uri, "error", err)
				err = nil
			}
			done(t, err)
			return
		}
		t := found[0] // without an error there is one
		if t.Listener == nil && keep != nil && keep.Proto == t.Proto {
			t.Listener = keep
		}
		done(t, nil)
	})
}

// flowTo is the flow by which side s must be reached, if there is one. A phone
// that registered through us is reached like its registration: where it was last
// heard in the dialog or, when that connection is closed, by the one it has
// registered with since.
func (c *Call) flowTo(s side, d *dialog.Dialog) (txn.Target, bool) {
	token := c.legs[s].phone
	if token == "" || len(d.Routes) > 0 || !d.Flow.Remote.IsValid() {
		return c.symmetric(d)
	}
	if c.srv.reachable(d.Flow) {
		return txn.FlowTarget(d.Flow), true
	}
	if b, ok := c.srv.bindings.find(token, c.lane.Now()); ok && c.srv.reachable(b.flow) {
		return txn.FlowTarget(b.flow), true
	}
	return c.symmetric(d)
}

// symmetric is symmetricTarget as long as the connection it names is open: the
// peer's own port cannot be called again, its Contact can.
func (c *Call) symmetric(d *dialog.Dialog) (txn.Target, bool) {
	t, ok := symmetricTarget(d, d.Flow)
	if ok && t.Conn != 0 {
		_, ok = c.srv.cfg.Transport.Find(d.Flow)
	}
	return t, ok
}

// lostPath tells whether a request failed because the connection to its peer was
// just being closed. The dialog then goes on by the peer's Contact, and the
// request is worth another try there.
func lostPath(d *dialog.Dialog, err error) bool {
	if !errors.Is(err, txn.ErrTransport) || d.Flow.Conn == 0 || len(d.Routes) > 0 {
		return false
	}
	d.Flow = transport.Flow{}
	return true
}

// symmetricTarget tells whether requests must go back to where the dialog's
// peer sends from and not to its Contact: over its open connection (RFC 5923),
// or, on UDP, when its Contact is a private address that is not where it sends
// from, that is behind NAT.
func symmetricTarget(d *dialog.Dialog, flow transport.Flow) (txn.Target, bool) {
	if len(d.Routes) > 0 || !flow.Remote.IsValid() {
		return txn.Target{}, false
	}
	if flow.Proto != "udp" {
		return txn.FlowTarget(flow), flow.Conn != 0
	}
	u, err := sip.ParseURI(d.RemoteTarget)
	if err != nil {
		return txn.FlowTarget(flow), true
	}
	host, ok := u.Addr()
	if !ok {
		return txn.Target{}, false
	}
	from := flow.Remote.Addr().Unmap()
	if host.Unmap() != from && private(host) && !private(from) {
		return txn.FlowTarget(flow), true
	}
	return txn.Target{}, false
}

// private tells whether an address means nothing outside its own network.
func private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified()
}
