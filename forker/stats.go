package forker

import (
	"net/netip"
	"time"
)

// PortStats counts single ports (not pairs) of the configured range.
type PortStats struct{ Free, Used, Draining int }

// RelayStats is a snapshot of a Relay, one entry per stream.
type RelayStats struct{ Streams []StreamStats }

// StreamStats is a snapshot of one m-line; index it with AB or BA.
type StreamStats struct{ Flows [2]FlowStats }

// FlowStats counts what one party sent on one m-line. Packets and Octets are
// the datagrams accepted from it on the RTP component (or opaque ones),
// Octets being UDP payload.
type FlowStats struct {
	Packets    uint64
	Octets     uint64
	RTCP       uint64         // RTCP datagrams accepted and passed on
	Strangers  uint64         // dropped: not from the party that SDP or the latch names
	Early      uint64         // dropped: came before the party's address was known
	Unroutable uint64         // accepted, but the other side has no address now (hold by 0.0.0.0, port 0)
	SendErrors uint64         // accepted, but the kernel did not take it
	Excess     uint64         // dropped: beyond Config.MaxRate
	Forged     uint64         // dropped: SRTP that no key of the party opens
	Replayed   uint64         // dropped: SRTP that was opened before, or that would be sealed twice under one index
	Unkeyed    uint64         // dropped: the side that it came from, or goes to, has no key yet or none that can be used
	Last       time.Time      // arrival of the newest accepted one; zero: none
	Remote     netip.AddrPort // where the sending party is: latched, else signalled
	Latched    bool           // Remote has been heard from
}

// DropReason says why a packet of a tapped flow was not copied.
type DropReason int

// The reasons, in the order of Drops.
const (
	DropPaused      DropReason = iota // between Pause and Resume
	DropNoAddress                     // nowhere to send it to, and not kept (TapConfig.Buffer) or never sent
	DropUnmapped                      // payload type that the recorder did not accept
	DropWouldBlock                    // the socket's send buffer was full
	DropUnreachable                   // the recorder's host answered with ICMP unreachable
	DropError                         // any other error of the kernel
	DropNotRTP                        // no RTP packet (RFC 3550 §5.1), e.g. STUN or T.38
	DropLate                          // belongs before a pause or a change of source; its number is taken
	DropBufferFull                    // kept for want of an address, then displaced by newer ones
	DropDTMF                          // telephone-event, or audio beside it, by TapConfig.DTMF
	DropClosed                        // still kept, with an address known, when the tap was closed
	DropSRTPAuth                      // SRTP that its key does not open: forged, damaged, played again, or there is no key
	DropRepair                        // it only repairs other packets (Copyable)
	DropWithheld                      // kept from before a pause that lasted until the tap was closed (Tap.Withhold)
	dropReasons
)

var dropNames = [dropReasons]string{"paused", "no-address", "unmapped-pt", "would-block", "unreachable", "error", "not-rtp", "late", "buffer-full", "dtmf", "closed", "srtp-auth", "repair", "withheld"}

// String gives the reason as the metrics name it.
func (d DropReason) String() string {
	if d < 0 || d >= dropReasons {
		return "unknown"
	}
	return dropNames[d]
}

// Drops counts dropped copies; index it with a DropReason.
type Drops [dropReasons]uint64

// Total adds all reasons up.
func (d Drops) Total() (n uint64) {
	for _, v := range d {
		n += v
	}
	return n
}

// TapStats is a snapshot of a Tap. It stays readable after Close.
type TapStats struct {
	Label       string
	SSRC        uint32 // of the copy, the newest one
	In          uint64 // packets of the flow seen by the tap
	Copied      uint64 // packets that left towards a recorder, each counted once
	Again       uint64 // packets that left once more, for another recorder (Tap.Rewind)
	AtRisk      uint64 // packets that left for a recorder after its last sign of life, before it was lost, and never again
	Buffered    int    // packets kept for later now
	Octets      uint64 // UDP payload of these
	Dropped     Drops
	Unreachable uint64 // ICMP unreachable received for copies sent
	RTCPSent    uint64
	RTCPIn      uint64 // RTCP datagrams that came back from the recorder
	RTCPOther   uint64 // … from its host, but of another sender than since SendTo, or that cannot be opened
	Paused      bool
	Heard       [2]uint64      // by Flow: packets of the parties that a mix has taken in (Relay.ForkMixed)
	First, Last time.Time      // departure of the first and newest copy; zero: none
	Remote      netip.AddrPort // where copies go

	// What the recorder's newest receiver report says (RFC 3550 §6.4.1).
	RRs            uint64    // reports about this copy
	LastRR         time.Time // arrival of the newest; zero: none
	FractionLost   float64   // 0 to 1, between the last two reports
	CumulativeLost int64     // packets since the beginning; negative: duplicates
	Jitter         time.Duration
	RTT            time.Duration // round trip; 0: not known
}
