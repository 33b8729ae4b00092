package txn

import (
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// Standing is what is known of a sender.
type Standing uint8

// The standings, the least first.
const (
	Stranger Standing = iota // has to say who he is, and waits behind all others
	Guest                    // anybody, where anybody may call
	Known                    // may call without being asked
)

// SetKnown says who somebody is that sends by a flow: whose requests come first when
// many wait, and whose are spared by Rates.Total when they are of a dialog that only
// passes us, of a subscription for one. Without it all are guests. f is called by the
// transport's readers, for each request that begins something or is of such a dialog.
func (l *Layer) SetKnown(f func(transport.Flow) Standing) { l.known.Store(&f) }

func (l *Layer) standing(f transport.Flow) Standing {
	if known := l.known.Load(); known != nil {
		return (*known)(f)
	}
	return Guest
}

// Receive takes a message from the transport; it is to be given as
// transport.Config.OnMessage. It may handle the message: it must be called without
// locks. Messages of one Call-ID are handled in the order of the calls. It waits only
// for a lane that has far too much to do, and only with what came by a stream: the
// window of the connection then tells the peer.
func (l *Layer) Receive(in transport.Inbound) {
	l.metrics.received(in.Msg)
	now := time.Now()
	place := l.place(in.Msg.CallID())
	lane := l.laneAt(place)
	ev := event{msg: in.Msg, flow: in.Flow, at: now.Sub(lane.epoch), kind: l.kindOf(in.Msg, lane, place)}
	standing := Known
	switch ev.kind {
	case stray:
		l.metrics.reject(rejectStray)
		return
	case begins, cancels, foreign:
		standing = l.standing(in.Flow)
		ev.odd = standing == Stranger
	}
	verdict, reason := admit, ""
	if !l.returned(&ev) {
		verdict, reason = l.guard.judge(&ev, standing, now)
	}
	if verdict != admit {
		l.metrics.reject(reason)
	}
	ev.over = verdict == refuse
	switch {
	case verdict == drop:
		return
	case ev.over && ev.streams():
		l.turnAway(&ev)
		return
	}
	ok, turn := lane.box.put(ev, !in.More)
	if !ok {
		l.metrics.reject(rejectOverload)
		if ev.streams() {
			l.turnAway(&ev)
		}
	}
	if turn {
		lane.work(visitLimit)
	}
}

// returned tells whether a request is one of ours that has come to us, as one does where
// a PBX that stays out of dialogs has sent a call back: it was counted when it came
// first. The seal alone would do for whoever has seen one of our requests.
func (l *Layer) returned(ev *event) bool {
	m := ev.msg
	if !m.IsRequest() || m.Method == "ACK" || l.guard.idle() || !l.isOurs(m.TopVia().Branch(), m.CallID()) {
		return false
	}
	from := ev.flow.Remote.Addr().Unmap()
	own := l.cfg.Transport.Pick(ev.flow.Proto, from)
	return own != nil && (own.Bound.Addr().Unmap() == from || own.Advertise == from.String())
}

// streams tells whether a message came by a connection. Nobody repeats what he has
// sent by one, and nobody forges where it is from: what we do not take is answered.
func (ev *event) streams() bool { return ev.flow.Proto != "udp" }

// turnAway refuses a request that came by a stream, before a lane hears of it.
func (l *Layer) turnAway(ev *event) { l.sendBusy(ev.msg, ev.flow, l.serverKey(ev.msg)) }

// sendBusy answers 503 without a transaction: the peer may ask again in a while.
func (l *Layer) sendBusy(req *sip.Message, flow transport.Flow, k key) {
	resp := sip.NewResponse(req, 503, "")
	if resp.ToTag() == "" {
		resp.Set("To", sip.WithTag(resp.Get("To"), l.statelessTag(k)))
	}
	resp.Add("Retry-After", retryAfter)
	_ = l.send(transport.ResponseFlow(req, flow), resp.Bytes(), l.metrics.responseSlot(req.Method, 503))
}
