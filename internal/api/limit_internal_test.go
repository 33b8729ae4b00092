package api

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"testing"
)

// crowd is a listener to which everybody connects once.
type crowd struct{ from []string }

func (c *crowd) Accept() (net.Conn, error) {
	if len(c.from) == 0 {
		return nil, net.ErrClosed
	}
	one := caller{from: c.from[0]}
	c.from = c.from[1:]
	return one, nil
}
func (c *crowd) Close() error   { return nil }
func (c *crowd) Addr() net.Addr { return nil }

type caller struct {
	net.Conn
	from string
}

func (c caller) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.from), Port: 9} }
func (c caller) Close() error         { return nil }

// The connections of one IPv6 network count as one's: a host has as many of its addresses as it likes.
func TestConnectionsOfANetworkAreBounded(t *testing.T) {
	for form, want := range map[string]int{"2001:db8::%x": maxConnsSource, "2001:db8:0:%x::1": 200, "192.0.2.%d": 200} {
		all := &crowd{}
		for n := range 200 {
			all.from = append(all.from, fmt.Sprintf(form, n+1))
		}
		l, taken := &bounded{Listener: all, sources: map[netip.Prefix]int{}}, 0
		l.most, l.each = bound(0)
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			taken++
			defer c.Close()
		}
		if taken != want {
			t.Errorf("%s: %d of 200 connections taken, wanted %d", form, taken, want)
		}
	}
}

// Where files are few the API has few of them, and nobody has them all.
func TestConnectionsWhereFilesAreFew(t *testing.T) {
	for files, want := range map[int][2]int{0: {1024, 128}, 1 << 20: {1024, 128}, 128: {128, 32}, 16: {16, 4}, 1: {1, 1}} {
		if all, each := bound(files); [2]int{all, each} != want {
			t.Errorf("%d: %d and %d, wanted %v", files, all, each, want)
		}
	}
	s := New(Config{Log: slog.New(slog.DiscardHandler), Conns: 8})
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	open := 0
	for n := range 12 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+n))}}
		c, err := d.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := c.Read(make([]byte, 1)); err == nil {
			open++
		}
	}
	if open != 8 {
		t.Errorf("%d connections are taken, wanted 8", open)
	}
}
