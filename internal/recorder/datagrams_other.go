//go:build !unix

package recorder

import (
	"net"
	"net/netip"
)

// receive waits for a datagram and passes it on; take may not keep its bytes.
func receive(conn *net.UDPConn, take func([]byte, netip.AddrPort)) error {
	buf := make([]byte, maxDatagram)
	n, from, err := conn.ReadFromUDPAddrPort(buf)
	if err == nil {
		take(buf[:n], from)
	}
	return err
}
