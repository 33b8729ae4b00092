package forker

import "net/netip"

// Side is one of the call's two legs.
type Side int

// SideA is the caller's leg, SideB the callee's.
const (
	SideA Side = iota
	SideB
)

// Flow is a direction of media.
type Flow int

// AB is what the caller sends to the callee, BA what the callee sends.
const (
	AB Flow = iota
	BA
)

// Remote is what one side's SDP says of one m-line.
type Remote struct {
	RTP, RTCP netip.AddrPort // signalled addresses; RTCP zero: RTP port + 1, or RTP with Mux
	Mux       bool           // RTCP comes on the RTP port (negotiated on that side, RFC 5761)
	Disabled  bool           // port 0: nothing is accepted from and nothing sent to that side
	Sends     bool           // that party is to send (sendrecv or sendonly)
	RTPKind   bool           // the m-line is RTP; false: opaque datagrams (T.38, ...)
	Source    netip.Addr     // optional: address that the party's signalling came from; media from there is believed
}

// Relay is the media of one call. Safe for concurrent use.
type Relay struct{}

// SetStreams makes the relay have at least n streams.
func (r *Relay) SetStreams(n int) error { return nil }

// Local gives the advertised addresses of a stream towards one side.
func (r *Relay) Local(side Side, stream int) (rtp, rtcp netip.AddrPort) { return }

// SetRemote tells what a side's SDP says.
func (r *Relay) SetRemote(side Side, stream int, remote Remote) {}

// Fork makes a Tap on one flow.
func (r *Relay) Fork(stream int, flow Flow, cfg TapConfig) (*Tap, error) { return &Tap{}, nil }

// Stats gives a snapshot.
func (r *Relay) Stats() RelayStats { return RelayStats{} }

// OnTimeout registers f.
func (r *Relay) OnTimeout(f func()) {}

// Close ends it. Idempotent.
func (r *Relay) Close() {}
