package txn

import (
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// Sent is the ACK of a 2xx, kept for the 2xx that are repeated
// (RFC 3261 §13.2.2.4). It belongs to its lane's goroutine.
type Sent struct {
	lane  *Lane
	hop   hop
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
	s.hop = hop{lane: l, req: ack, branch: l.layer.newBranch(ack.CallID()), to: to, user: s}
	s.life.owner = s
	s.life.set(l, 64*l.layer.cfg.T1)
	s.start()
	return s
}

// Resend sends the same bytes again, for a 2xx that came again. However often
// they could not be sent, the next 2xx may find the peer better.
func (s *Sent) Resend() {
	switch {
	case s.going, s.bytes == nil && s.hop.req == nil:
		return
	case s.bytes != nil:
		err := s.send()
		if err == nil || s.flow.Proto == "udp" {
			return
		}
		if s.hop.req, err = sip.Parse(s.bytes); err != nil {
			s.hop.req = nil // not of what was sent
			return
		}
		s.bytes = nil
	}
	s.hop.to.Conn = 0
	s.start()
}

// Target returns where it is sent.
func (s *Sent) Target() Target { return s.hop.to }

// ResendTo is Resend to another place, where the repetitions go too.
func (s *Sent) ResendTo(to Target) {
	if s.going || s.bytes == nil && s.hop.req == nil {
		return
	}
	if s.bytes != nil {
		req, err := sip.Parse(s.bytes)
		if err != nil {
			return // not of what was sent
		}
		s.hop.req, s.bytes = req, nil
	}
	s.hop.to = to
	s.start()
}

func (s *Sent) start() {
	s.going = true
	s.hop.start()
}

// expired: the peer does not repeat its 2xx any more (§13.3.1.4).
func (s *Sent) expired(*Timer) {
	s.bytes, s.hop.req = nil, nil
}

func (s *Sent) send() error {
	return s.lane.layer.send(s.flow, s.bytes, s.lane.layer.metrics.requestSlot("ACK"))
}

func (s *Sent) depart(f transport.Flow, _ bool) {
	s.going = false
	if s.hop.req == nil {
		return // too late
	}
	s.flow, s.bytes = f, s.hop.sealed(f).Bytes()
	s.hop.req = nil // as long as the bytes can be sent
	if err := s.send(); err != nil {
		s.strand(err)
	}
}

func (s *Sent) strand(err error) {
	s.going = false
	s.lane.layer.log.Debug("ACK not delivered", "remote", s.hop.to.Addr, "error", err)
}
