package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"sidetrack/internal/sip"
)

// Listen opens one socket, url being udp://, tcp:// or tls:// with a numeric
// address (IPv6 in brackets) and a port; port 0 takes a free one. advertise is
// the host put into Via and Contact; empty means the socket's own address, or
// for a wildcard the address from which this machine reaches others. The error
// is one line that names url.
func (t *Layer) Listen(url, advertise string) (*Listener, error) {
	if t.cfg.Pretend != nil {
		return t.pretendListen(url, advertise)
	}
	if strings.HasPrefix(url, "tls://") && !canServeTLS(t.tls.Load()) {
		return nil, fmt.Errorf("listening on %s: %w", url, errNoCertificate)
	}
	l, err := t.Bind(url, advertise)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		l.Abandon()
		return nil, fmt.Errorf("listening on %s: %w", url, ErrClosed)
	}
	t.listeners = append(t.listeners, l)
	t.run(l)
	return l, nil
}

var errNoCertificate = errors.New("tls needs a certificate and a key")

// Bind opens a socket as Listen does, for Replace: until then nothing is read.
// SetTLS gives a tls socket its certificate before that.
func (t *Layer) Bind(url, advertise string) (*Listener, error) {
	l, err := t.open(url, advertise)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", url, plain(err))
	}
	l.current.Store(l)
	return l, nil
}

// run begins to read; the caller holds mu.
func (t *Layer) run(l *Listener) {
	t.wg.Add(1)
	if l.udp != nil {
		go l.udp.readLoop()
	} else {
		go t.acceptLoop(l, l.closer.(net.Listener))
	}
}

func (t *Layer) open(url, advertise string) (*Listener, error) {
	proto, bind, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	l := &Listener{URL: url, Proto: proto, socket: &socket{}}
	if proto == "udp" {
		err = t.openUDP(l, bind)
	} else {
		err = t.openStream(l, bind)
	}
	if err != nil {
		return nil, err
	}
	l.known(advertise)
	return l, nil
}

// known sets under which host and port peers know a bound listener.
func (l *Listener) known(advertise string) {
	l.Port = int(l.Bound.Port())
	l.Advertise = strings.Trim(advertise, "[]")
	if l.Advertise == "" {
		l.Advertise = ownAddr(l.Bound.Addr()).String()
	}
	l.sentBy = sip.FormatHostPort(l.Advertise, l.Port)
}

func (t *Layer) openStream(l *Listener, bind netip.AddrPort) error {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive, Control: t.mark} // connections taken are marked as the socket is
	nl, err := lc.Listen(context.Background(), network("tcp", bind.Addr()), bind.String())
	if err != nil {
		return err
	}
	l.Bound = nl.Addr().(*net.TCPAddr).AddrPort()
	l.closer = nl
	return nil
}

// keepAlive lets the kernel notice dead peers on otherwise idle connections.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 4}

func canServeTLS(cfg *tls.Config) bool {
	return cfg != nil && (len(cfg.Certificates) > 0 || cfg.GetCertificate != nil || cfg.GetConfigForClient != nil)
}

func parseURL(url string) (proto string, bind netip.AddrPort, err error) {
	proto, rest, found := strings.Cut(url, "://")
	if !found || (proto != "udp" && proto != "tcp" && proto != "tls") {
		return "", bind, errors.New("must begin with udp://, tcp:// or tls://")
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		return "", bind, errors.New("must be PROTOCOL://ADDRESS:PORT, IPv6 addresses in brackets")
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return "", bind, fmt.Errorf("%q is not an IP address", host)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", bind, fmt.Errorf("%q is not a port", port)
	}
	return proto, netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}

// network names the address family, so that a wildcard IPv6 socket does not
// take IPv4 too and may stand beside an IPv4 one on the same port.
func network(proto string, addr netip.Addr) string {
	if addr.Is4() {
		return proto + "4"
	}
	return proto + "6"
}

// ownAddr returns the address under which others reach a socket bound to
// bound. For a wildcard it asks the routing table, which sends nothing.
func ownAddr(bound netip.Addr) netip.Addr {
	if !bound.IsUnspecified() {
		return bound.WithZone("")
	}
	elsewhere, loopback := netip.AddrFrom4([4]byte{192, 0, 2, 1}), netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if bound.Is6() {
		elsewhere, loopback = netip.MustParseAddr("2001:db8::1"), netip.IPv6Loopback()
	}
	if own := sourceFor(elsewhere); own.IsValid() {
		return own
	}
	return loopback
}

// plain strips the layers of package net, whose texts repeat the address.
func plain(err error) error {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
