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
	bytes []byte // nil while the connection for it is being made
}

// SendAck sends the ACK of a 2xx with a branch of its own and without a
// transaction. ack is cloned. A delivery that fails is not reported: the 2xx
// will come again.
func (l *Lane) SendAck(ack *sip.Message, to Target) *Sent {
	s := &Sent{lane: l}
	s.hop = hop{lane: l, req: ack.Clone(), branch: sip.NewBranch(), to: to, user: s}
	s.hop.start()
	return s
}

// Resend sends the same bytes again, for a 2xx that came again.
func (s *Sent) Resend() {
	if s.bytes == nil {
		return // on its way, or the next repetition finds the peer better
	}
	if err := s.send(); err != nil {
		s.bytes = nil
		s.hop.to.Conn = 0
		s.hop.start()
	}
}

func (s *Sent) send() error {
	return s.lane.layer.send(s.flow, s.bytes, s.lane.layer.metrics.requestSlot("ACK"))
}

func (s *Sent) depart(f transport.Flow, _ bool) {
	s.flow, s.bytes = f, s.hop.sealed(f).Bytes()
	if err := s.send(); err != nil {
		s.strand(err)
	}
}

func (s *Sent) strand(err error) {
	s.bytes = nil
	s.lane.layer.log.Debug("ACK not delivered", "remote", s.hop.to.Addr, "error", err)
}
