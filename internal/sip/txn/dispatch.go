package txn

import (
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// dispatch finds out whose a message is.
func (l *Lane) dispatch(ev *event) {
	if ev.msg.IsResponse() {
		l.onResponse(ev.msg, ev.flow)
		return
	}
	l.onRequest(ev)
}

func (l *Lane) onResponse(resp *sip.Message, flow transport.Flow) {
	c := l.clients[l.layer.clientKey(resp.TopVia().Branch(), resp.CSeq().Method, resp.CallID())]
	if c == nil {
		l.layer.metrics.reject(rejectStray)
		return
	}
	c.response(resp, flow)
}

func (l *Lane) onRequest(ev *event) {
	req, flow := ev.msg, ev.flow
	k := l.layer.serverKey(req)
	switch tx := l.servers[k]; {
	case req.Method == "ACK":
		l.onAck(req, flow, tx)
	case tx != nil:
		tx.retransmitted(req, flow)
	case req.Method == "CANCEL":
		l.onCancel(req, flow, k)
	case ev.over: // counted when it came
		l.shedRequest(req, flow, k)
	case l.late(ev):
		if !l.shed.has(k) { // else counted when it came first
			l.layer.metrics.reject(rejectOverload)
		}
		l.shedRequest(req, flow, k)
	case ev.canWait() && l.shed.has(k):
		l.shedRequest(req, flow, k) // it was told 503 already: a change of mind would be a ghost call
	default:
		l.newRequest(req, flow, k)
	}
}

func (l *Lane) newRequest(req *sip.Message, flow transport.Flow, k key) {
	tx := l.newServerTx(req, flow, k)
	if l.looped(req) || l.merged(tx) {
		l.layer.metrics.reject(rejectMerged)
		tx.outer.Reply(482, "Loop Detected")
		return
	}
	tx.owner = l.handlerOf(req)
	defer func() {
		if v := recover(); v != nil {
			l.panicked(v)
			tx.abandon()
		}
	}()
	tx.owner.OnRequest(tx.outer)
}

// handlerOf returns the handler bound to the request's dialog, else the layer's.
func (l *Lane) handlerOf(req *sip.Message) DialogHandler {
	if tag := req.ToTag(); tag != "" {
		if h := l.binds[bindKey{req.CallID(), tag}]; h != nil {
			return h
		}
	}
	return l.layer.handler
}

// looped tells whether we have sent a request to ourselves, as happens where a name
// leads to an address of this host that no listener tells. One that comes back by way
// of somebody else has his Via on top; it may be a spiral (RFC 3261 §16.3).
func (l *Lane) looped(req *sip.Message) bool {
	return req.ToTag() == "" && l.layer.isOurs(req.TopVia().Branch(), req.CallID())
}

// merged notes a request without To-tag and reports whether another copy of it
// came by another path (RFC 3261 §8.2.2.2). The Request-URI is part of the
// comparison: one that comes back changed is a spiral, not a merge (§16.3). So is
// who sent it: a call from a phone to its PBX comes once more, unchanged, from a
// PBX that is a proxy, on its way to a trunk. If that leads back to the PBX, the
// third time is a loop. And so is its route, where our Path tells one phone from
// another behind whose NAT the same address is in use.
func (l *Lane) merged(tx *serverTx) bool {
	req := tx.outer.Request
	if req.ToTag() != "" {
		return false
	}
	c := req.CSeq()
	via := req.TopVia()
	k := l.layer.hash(numbers(c, via), "merge", req.CallID(), req.FromTag(), c.Method, req.RequestURI,
		strings.ToLower(via.Host), req.Get("Route"))
	if l.merges[k] != nil {
		return true
	}
	l.merges[k] = tx
	tx.mergeKey = k
	return false
}

// onAck absorbs the ACK of a non-2xx and hands up any other, also one that
// wrongly bears the INVITE's branch (RFC 6026 §7.1).
func (l *Lane) onAck(ack *sip.Message, flow transport.Flow, tx *serverTx) {
	if tx != nil && tx.state != accepted {
		tx.acknowledged()
		return
	}
	l.handlerOf(ack).OnAck(l, ack, flow)
}

// onCancel answers a CANCEL and tells the INVITE's handler unless the final
// response is out (RFC 3261 §9.2). The 200 bears the To-tag of the INVITE's
// responses. For a CANCEL of nothing nothing is kept: anybody can send any number.
func (l *Lane) onCancel(cancel *sip.Message, flow transport.Flow, k key) {
	invite := l.servers[l.layer.serverKeyAs(cancel, "INVITE")]
	tx := l.newServerTx(cancel, flow, k)
	if invite == nil {
		tx.outer.Refuse(481, "")
		return
	}
	invite.follow(cancel, flow)
	tx.tag = invite.localTag()
	tx.outer.Reply(200, "")
	if invite.state == proceeding && invite.outer != nil && invite.owner != nil {
		invite.owner.OnCancel(invite.outer, cancel)
	}
}

const magicCookie = "z9hG4bK"

// serverKey is what a request, its retransmissions and, for an INVITE, the ACK
// of its non-2xx have in common (RFC 3261 §17.2.3).
func (l *Layer) serverKey(req *sip.Message) key {
	method := req.Method
	if method == "ACK" {
		method = "INVITE"
	}
	return l.serverKeyAs(req, method)
}

func (l *Layer) serverKeyAs(req *sip.Message, method string) key {
	via := req.TopVia()
	host, branch := strings.ToLower(via.Host), via.Branch()
	if len(branch) > len(magicCookie) && strings.EqualFold(branch[:len(magicCookie)], magicCookie) {
		return l.hash(numbers(sip.CSeq{}, via), "server", branch, host, method)
	}
	// RFC 2543 peers: the branch, if any, need not be unique.
	return l.hash(numbers(req.CSeq(), via), "old", req.RequestURI, req.FromTag(), req.CallID(), branch, host, method)
}

// numbers are what of a request and of who sent it is a number.
func numbers(c sip.CSeq, via sip.Via) uint64 { return uint64(c.Num)<<16 | uint64(via.Port) }

// clientKey is what a request and its responses have in common: more than the
// branch and the method of RFC 3261 §17.1.3, for a response that bears the
// Call-ID of something else would begin a dialog in which nobody is.
func (l *Layer) clientKey(branch, method, callID string) key {
	return l.hash(0, "client", branch, method, callID)
}
