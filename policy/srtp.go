package policy

// SRTP says that SRTP ends on each leg of a call, with keys of its own there, and
// what either side is to speak.
type SRTP struct {
	Caller, Callee SRTPUse
	Keying         Keying   // "" means KeyingSDES
	Suites         []string // offered and chosen in this order (RFC 4568 §6.2, RFC 6188, RFC 7714); nil: a choice of ours
}

// Keying says how the keys are agreed on.
type Keying string

// The values of Keying.
const (
	KeyingSDES   Keying = "sdes"   // in SDP (RFC 4568)
	KeyingDTLS   Keying = "dtls"   // by DTLS on the media path (RFC 5763)
	KeyingEither Keying = "either" // as the other end likes; both are offered
)

// SRTPUse is what one side of a call is to speak.
type SRTPUse string

// The values of SRTPUse.
const (
	SRTPOff      SRTPUse = "off"      // RTP; it is offered in clear, and its offer of SRTP is refused
	SRTPOptional SRTPUse = "optional" // either; it is offered RTP/AVP with keys, which it may take or leave
	SRTPRequired SRTPUse = "required" // SRTP; in clear nothing goes to it, and nothing is taken
)
