package b2bua

import (
	"time"

	"sidetrack/forker"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// side names a leg: A is the originator's, B the far side's.
type side = forker.Side

const (
	sideA = forker.SideA
	sideB = forker.SideB
)

func other(s side) side { return 1 - s }

func sideName(s side) string {
	if s == sideA {
		return "caller"
	}
	return "callee"
}

// leg is what is known of one side beyond its dialogs.
type leg struct {
	contact  string // our Contact URI towards this side
	callID   string
	localTag string // our tag in rewrite mode; "" in preserve mode
	listener *transport.Listener
	flow     transport.Flow // where its last message came from
	heard    time.Time      // and when
	sender   sender
	phone    string // token of the registered phone this side is, "" if it is none

	// unacked is our 2xx that this side has not acknowledged yet; no BYE may
	// be sent to it before (RFC 3261 §15).
	unacked *exchange
	byeDue  *sip.Message // BYE to be sent once it has
	gone    bool         // this side ended its dialog, or was told to
	key     contactKey   // in contact
}
