package transport

import (
	"io"
	"net/netip"

	"sidetrack/internal/sip"
)

// Listener is one socket that takes messages, and the identity under which we
// are reached through it. Read-only after Listen.
type Listener struct {
	URL       string         // as configured
	Proto     string         // "udp", "tcp" or "tls"
	Bound     netip.AddrPort // where the socket is bound
	Advertise string         // host put into Via and Contact, IPv6 without brackets
	Port      int            // port put into Via and Contact

	udp    *udpSocket // nil on streams
	closer io.Closer
}

// SentBy returns host:port for a Via header field.
func (l *Listener) SentBy() string { return sip.FormatHostPort(l.Advertise, l.Port) }

// ContactURI returns the URI under which peers reach user through this
// listener; user may be empty. UDP is the default and goes without a
// transport parameter.
func (l *Listener) ContactURI(user string) string {
	if user != "" {
		user += "@"
	}
	uri := "sip:" + user + l.SentBy()
	if l.Proto != "udp" {
		uri += ";transport=" + l.Proto
	}
	return uri
}
