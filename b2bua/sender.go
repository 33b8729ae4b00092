package b2bua

import (
	"net/netip"

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
	send func(txn.Target, error)
}

// towards calls send with the place where a request within dialog d of side s
// must go, at once or after DNS.
func (c *Call) towards(s side, d *dialog.Dialog, send func(txn.Target, error)) {
	leg := &c.legs[s]
	if t, ok := symmetric(d, leg.flow); ok && len(leg.sender.waiting) == 0 {
		send(t, nil)
		return
	}
	uri := d.NextHop()
	q := &leg.sender
	if len(q.waiting) == 0 && q.uri == uri {
		send(q.target, nil)
		return
	}
	q.waiting = append(q.waiting, waitingSend{uri, send})
	if len(q.waiting) == 1 {
		c.resolveNext(leg)
	}
}

func (c *Call) resolveNext(leg *leg) {
	q := &leg.sender
	c.lane.Resolve(q.waiting[0].uri, func(found []txn.Target, err error) {
		w := q.waiting[0]
		q.waiting = q.waiting[1:]
		var t txn.Target
		if err == nil && len(found) > 0 {
			t = found[0]
			if t.Listener == nil && leg.listener != nil && leg.listener.Proto == t.Proto {
				t.Listener = leg.listener
			}
			q.uri, q.target = w.uri, t
		}
		w.send(t, err)
		if len(q.waiting) > 0 {
			c.resolveNext(leg)
		}
	})
}

// symmetric tells whether requests must go back to where the dialog's peer
// sends from and not to its Contact: over its open connection (RFC 5923), or,
// on UDP, when its Contact is a private address that is not where it sends
// from, that is behind NAT.
func symmetric(d *dialog.Dialog, flow transport.Flow) (txn.Target, bool) {
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
