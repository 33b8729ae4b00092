package transport

import (
	"io"
	"net/netip"
	"sync/atomic"

	"sidetrack/internal/sip"
)

// Listener is one socket that takes messages, and the identity under which we
// are reached through it. Its fields are read-only; only Retiring changes.
type Listener struct {
	URL       string         // as configured
	Proto     string         // "udp", "tcp" or "tls"
	Bound     netip.AddrPort // where the socket is bound
	Advertise string         // host put into Via and Contact, IPv6 without brackets
	Port      int            // port put into Via and Contact

	*socket
	sentBy   string // of Advertise and Port
	retiring atomic.Bool
}

// socket is what listeners share that differ in nothing but what they advertise.
type socket struct {
	udp     *udpSocket // nil on streams
	closer  io.Closer
	current atomic.Pointer[Listener] // what messages come in by
	gone    atomic.Bool              // closed for good
}

// Retiring tells that the configuration has this socket no more: it serves what
// runs, and is closed when that has ended.
func (l *Listener) Retiring() bool { return l.retiring.Load() }

// SentBy returns host:port for a Via header field.
func (l *Listener) SentBy() string {
	if l.sentBy == "" { // nobody has opened it
		return sip.FormatHostPort(l.Advertise, l.Port)
	}
	return l.sentBy
}

// ContactURI returns the URI under which peers reach user through this
// listener; user may be empty. UDP is the default and goes without a
// transport parameter.
func (l *Listener) ContactURI(user string) string {
	at, transport := "", ""
	if user != "" {
		at = "@"
	}
	if l.Proto != "udp" {
		transport = ";transport=" + l.Proto
	}
	return "sip:" + user + at + l.SentBy() + transport
}
