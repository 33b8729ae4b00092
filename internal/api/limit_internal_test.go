package api

import (
	"fmt"
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
