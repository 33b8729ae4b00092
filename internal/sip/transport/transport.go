package transport

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"time"

	"sidetrack/internal/sip"
)

// Config is what a Layer needs to know. The zero value works; every limit has a default.
type Config struct {
	Log *slog.Logger // nil: no logs
	// TLS is the base for listeners (certificates, client CAs) and for
	// outbound connections (root CAs) whose Flow has none. It is cloned, never changed. May be nil
	// when no tls listener is configured.
	TLS *tls.Config
	// Serve is what listeners take connections by that do not go by TLS, by URL.
	Serve map[string]*tls.Config

	DSCP          int           // how what leaves is marked (RFC 2474), 1 to 63; 0: as the system does
	UDPReadBuffer int           // bytes asked of the kernel per UDP socket; default 4 MiB
	Limits        Limits        // of connections that others make; see SetLimits
	IdleTimeout   time.Duration // silence after which a stream connection is closed; default 1 h
	WriteTimeout  time.Duration // one write to a stream; default 5 s
	AckTimeout    time.Duration // how long a stream's peer may leave unacknowledged what was written; default 10 s
	DialTimeout   time.Duration // connect and handshake when Dial is given none; default 3 s

	// OnMessage takes each parsed message on the reader's own goroutine, in
	// order of arrival per socket or connection. It must not block.
	OnMessage func(Inbound)
	// OnReject hears why input was refused; one of a few fixed words. May be nil.
	OnReject func(reason string)
	// Trace hears of every message that is well-formed or of our making, before
	// it is handled or sent. It must neither block nor keep raw. Nil: no trace.
	Trace func(f Flow, received bool, raw []byte)
	// Pretend keeps the layer off the network: Listen opens nothing, every peer is
	// connected, and what would be sent to it comes here, to be kept but not
	// changed. It must not block. Nil: the layer is real.
	Pretend func(f Flow, raw []byte)
}

// Inbound is one message and where it came from.
type Inbound struct {
	Msg  *sip.Message // owned by the receiver; top Via stamped with received and rport
	Flow Flow
	More bool // another message has been read already and comes next
}

// Flow names a path to a peer: a socket and an address, or a connection.
type Flow struct {
	Proto    string         // "udp", "tcp" or "tls"
	Listener *Listener      // whose identity (Via, Contact) we use on this path; may be nil
	Remote   netip.AddrPort // the peer
	Conn     uint64         // stream connection; 0 on UDP or when none is open yet

	// Of a TLS connection that we make: the name that the peer must prove, "" is
	// its address; and whom we trust and who we are, nil is Config.TLS. A
	// ServerName in there stands for all peers.
	Server string
	TLS    *tls.Config
}

// path is what two requests must agree on to share a connection. TLS
// connections are never shared between server names or settings.
func (f Flow) path() Flow {
	f.Conn = 0
	if f.Proto != "tls" {
		f.Server, f.TLS = "", nil
	}
	return f
}

// Failure tells that a path broke: an ICMP error for a UDP peer (Flow.Conn is
// 0) or the end of a stream connection.
type Failure struct {
	Flow Flow
	Err  error
}

// Events is what the transaction layer wants to hear besides messages. Each
// function may be nil, must not block and comes from a transport goroutine.
type Events struct {
	Failed    func(Failure)
	Rejected  func(reason string)
	Stateless func(method string, status int) // an answer sent without a transaction
}
