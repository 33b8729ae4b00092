package b2bua

import (
	"errors"
	"slices"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// sender finds where the messages of one leg go and keeps their order: while a
// name is being resolved, whatever comes after waits behind it.
type sender struct {
	uri     string       // last URI resolved
	targets []txn.Target // of that, in their order
	at      int          // which of them is sent to
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
			send(q.targets[q.at], nil)
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
	c.resolve(w.uri, w.flow, leg.listener, func(found []txn.Target, err error) {
		var t txn.Target
		if err == nil {
			if t = found[0]; t.Conn == 0 {
				q.uri, q.targets, q.at = w.uri, found, 0
			}
		}
		defer c.rescued()
		defer func() {
			if q.waiting = slices.Delete(q.waiting, 0, 1); len(q.waiting) > 0 {
				c.resolveNext(leg)
				return
			}
			q.waiting = nil // a call that runs seldom sends
			c.settled(q)
		}()
		w.send(t, err)
	})
}

// elsewhere tells whether a request that could not be delivered is worth another
// try at the next address of the same name (RFC 3263 §4.3), be it refused or not
// answered. All that follows goes there too.
func (c *Call) elsewhere(s side, failed txn.Target, err error) bool {
	if !errors.Is(err, txn.ErrTransport) && !errors.Is(err, txn.ErrTimeout) || !c.legs[s].sender.advance(failed) {
		return false
	}
	if errors.Is(err, txn.ErrTransport) { // a proxy that lives is silent where who is behind it is (RFC 4320)
		c.srv.penalties.punish(failed, c.lane.Now())
	}
	return true
}

// advance goes on to the next address when the one of the moment has failed. They
// are gone through once: several may be one host and port by other protocols,
// which fail alike.
func (q *sender) advance(failed txn.Target) bool {
	if !q.more(failed) {
		return false
	}
	q.at++
	return true
}

// more tells whether another address would be next, were this one to fail.
func (q *sender) more(t txn.Target) bool {
	return q.at+1 < len(q.targets) && q.targets[q.at].Addr == t.Addr
}

// must is the place of a request on which a call hangs. As long as there is
// another way to its peer it tells quickly of a failure; the last one is waited for.
func (c *Call) must(s side, d *dialog.Dialog, t txn.Target) txn.Target {
	t.Patient = (d.Flow.Conn == 0 || len(d.Routes) > 0) && !c.legs[s].sender.more(t)
	return t
}

// reach is towards for a dialog that is not one of the call's branches.
func (c *Call) reach(d *dialog.Dialog, send func(txn.Target, error)) {
	if t, ok := c.symmetric(d); ok {
		send(t, nil)
		return
	}
	c.resolve(d.NextHop(), d.Flow, c.legs[sideB].listener, func(found []txn.Target, err error) {
		if err != nil {
			send(txn.Target{}, err)
			return
		}
		send(found[0], nil)
	})
}

// resolve finds the places of a URI, at least one where there is no error. Where it
// can, a leg keeps to the listener whose address its Contact bears. A peer whose
// Contact leads nowhere is sent to where it was last heard.
func (c *Call) resolve(uri string, heard transport.Flow, keep *transport.Listener, done func([]txn.Target, error)) {
	c.lane.Resolve(uri, func(found []txn.Target, err error) {
		if err != nil {
			t := txn.FlowTarget(heard)
			if t.Addr.IsValid() {
				c.log.Debug("next hop does not resolve, sending back instead", "uri", uri, "error", err)
				err = nil
			}
			done([]txn.Target{t}, err)
			return
		}
		found, _ = c.srv.penalties.order(found, c.lane.Now())
		for i, t := range found {
			if t.Listener == nil && keep != nil && keep.Proto == t.Proto {
				found[i].Listener = keep
			}
		}
		done(found, nil)
	})
}

// heardFrom notes where side s is, by a message of it in dialog d.
func (c *Call) heardFrom(s side, d *dialog.Dialog, flow transport.Flow) {
	c.legs[s].flow, c.legs[s].heard, d.Flow = flow, c.lane.Now(), flow
}

// flowTo is the flow by which side s must be reached, if there is one. A phone
// that registered through us is reached like its registration: by the flow it has
// registered with since it was last heard in the dialog, for then it has moved;
// else where it was last heard or, when that connection is closed, by its
// registration's all the same.
func (c *Call) flowTo(s side, d *dialog.Dialog) (txn.Target, bool) {
	token := c.legs[s].phone
	if token == "" || len(d.Routes) > 0 {
		return c.symmetric(d)
	}
	here := d.Flow.Remote.IsValid() && c.srv.reachable(d.Flow)
	b, there := c.srv.bindings.find(token, c.lane.Now())
	there = there && c.srv.reachable(b.flow)
	switch {
	case there && (!here || b.at.After(c.legs[s].heard)):
		return txn.FlowTarget(b.flow), true
	case here:
		return txn.FlowTarget(d.Flow), true
	}
	return c.symmetric(d)
}

// symmetric is symmetricTarget as long as the connection it names is open: the
// peer's own port cannot be called again, its Contact can. A connection that we
// have made may lead to a proxy that stays out of dialogs; who answered is then at
// its Contact (RFC 3261 §12.2.1.1).
func (c *Call) symmetric(d *dialog.Dialog) (txn.Target, bool) {
	t, ok := symmetricTarget(d, d.Flow)
	if ok && t.Conn != 0 {
		_, ok = c.srv.cfg.Transport.Find(d.Flow)
		ok = ok && !(contactElsewhere(d, d.Flow) && c.srv.cfg.Transport.Made(d.Flow))
	}
	return t, ok
}

// contactElsewhere tells whether the dialog's peer can be asked at another address
// than the one it was heard from over TCP. One whose Contact is of another realm is
// rather behind NAT, in a container or behind a port that is forwarded; over TLS an
// address proves nothing, so that its connection stays.
func contactElsewhere(d *dialog.Dialog, flow transport.Flow) bool {
	u, err := sip.ParseURI(d.RemoteTarget)
	if err != nil || flow.Proto != "tcp" {
		return false
	}
	host, ok := u.Addr()
	from := flow.Remote.Addr().Unmap()
	return ok && host.Unmap() != from && realmOf(host) == realmOf(from)
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
// or, on UDP, when its Contact cannot be reached from where it sends from, that
// is behind NAT.
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
	return txn.FlowTarget(flow), realmOf(host).hides(realmOf(flow.Remote.Addr()))
}
