package txn

import (
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// Sent is the ACK of a 2xx, kept for the 2xx that are repeated
// (RFC 3261 §13.2.2.4). It belongs to its lane's goroutine.
type Sent struct {
	lane  *Lane
	to    Target
	hop   *hop // nil once it has a path, and once no 2xx can come again
	flow  transport.Flow
	bytes []byte // nil until it has a path, and once no 2xx can come again
	going bool   // the connection for it is being made
	life  Timer
}

// SendAck sends the ACK of a 2xx with a branch of its own and without a
// transaction. ack is the lane's from then on. A delivery that fails is not
// reported: the 2xx will come again.
func (l *Lane) SendAck(ack *sip.Message, to Target) *Sent {
	s := &Sent{lane: l}
	s.hop = &hop{lane: l, req: ack, branch: l.layer.newBranch(ack.CallID()), user: s}
	s.life.owner = s
	s.life.outlast(l, 64*l.layer.cfg.T1)
	s.start(to)
	return s
}

// Resend sends the same bytes again, for a 2xx that came again. However often
// they could not be sent, the next 2xx may find the peer better.
func (s *Sent) Resend() {
	if s.bytes != nil && (s.send() == nil || s.flow.Proto == "udp") {
		return
	}
	to := s.to
	to.Conn = 0
	s.ResendTo(to)
}

// Target returns where it is sent.
func (s *Sent) Target() Target { return s.to }

// ResendTo is Resend to another place, where the repetitions go too.
func (s *Sent) ResendTo(to Target) {
	if s.going || s.hop == nil && s.bytes == nil {
		return
	}
	if s.hop == nil {
		ack, err := sip.Parse(s.bytes)
		if err != nil {
			return // not of what was sent
		}
		s.hop = &hop{lane: s.lane, req: ack, hasVia: true, branch: ack.TopVia().Branch(), user: s}
		s.bytes = nil
	}
	s.start(to)
}

func (s *Sent) start(to Target) {
	if to.Proto == "" {
		to.Proto = "udp"
	}
	s.to, s.hop.to, s.going = to, to, true
	s.hop.start()
}

// expired: the peer does not repeat its 2xx any more (§13.3.1.4).
func (s *Sent) expired(*Timer) {
	s.bytes, s.hop = nil, nil
}

func (s *Sent) send() error {
	return s.lane.layer.send(s.flow, s.bytes, s.lane.layer.metrics.requestSlot("ACK"))
}

func (s *Sent) depart(f transport.Flow, _ bool) {
	s.going = false
	if s.hop == nil {
		return // too late
	}
	s.flow, s.bytes = f, s.hop.sealed(f).Bytes()
	s.hop = nil // as long as the bytes can be sent
	if err := s.send(); err != nil {
		s.strand(err)
	}
}

func (s *Sent) strand(err error) {
	s.going = false
	s.lane.layer.log.Debug("ACK not delivered", "remote", s.to.Addr, "error", err)
}
