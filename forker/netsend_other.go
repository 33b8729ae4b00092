//go:build !unix || aix

package forker

import (
	"errors"
	"net"
	"net/netip"
)

// netSender sends on a net.UDPConn.
type netSender struct {
	conn *net.UDPConn
	peer netip.AddrPort
}

func (s *netSender) init(conn *net.UDPConn, _ bool) error { s.conn = conn; return nil }

func (s *netSender) mark(int) error { return errors.ErrUnsupported }

func (s *netSender) send(b []byte, to netip.AddrPort) error {
	if !to.IsValid() {
		to = s.peer
	}
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	return err
}

func (s *netSender) connect(peer netip.AddrPort) error { s.peer = peer; return nil }
