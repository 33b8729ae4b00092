package transport

import (
	"crypto/tls"
	"slices"
	"syscall"
)

// mark is the Control of sockets that are opened: where a DSCP (RFC 2474) is
// configured they bear it from their first packet on.
func (t *Layer) mark(network, _ string, c syscall.RawConn) error {
	dscp := int(t.dscp.Load())
	if dscp == 0 {
		return nil
	}
	return setDSCP(network, c, dscp)
}

// CanMark tells why this system cannot have packets bear a DSCP; nil where it can.
func CanMark(dscp int) error {
	if dscp == 0 {
		return nil
	}
	return markable
}

// SetDSCP replaces Config.DSCP: what leaves from now on bears it, by the sockets
// and connections that are open, too.
func (t *Layer) SetDSCP(dscp int) {
	if int(t.dscp.Swap(int64(dscp))) == dscp {
		return
	}
	t.mu.Lock()
	t.remarked = true
	listeners := slices.Concat(t.listeners, t.retiring)
	conns := make([]*conn, 0, len(t.conns))
	for _, c := range t.conns {
		conns = append(conns, c)
	}
	t.mu.Unlock()
	for _, l := range listeners {
		if err := l.remark(dscp); err != nil && !l.gone.Load() {
			t.log.Warn("marking a socket", "listener", l.URL, "dscp", dscp, "error", err)
		}
	}
	for _, c := range conns {
		c.remark(dscp)
	}
}

// remark marks a socket, and what it takes from now on.
func (l *Listener) remark(dscp int) error {
	if l.udp != nil {
		return setDSCP(network("udp", l.Bound.Addr()), l.udp.raw, dscp)
	}
	sc, ok := l.closer.(syscall.Conn)
	if !ok {
		return nil // a pretended one
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	return setDSCP(network("tcp", l.Bound.Addr()), raw, dscp)
}

// remark is best effort: the connection may be ending.
func (c *conn) remark(dscp int) {
	if raw := c.socket(); raw != nil {
		_ = setDSCP(network("tcp", c.flow.Remote.Addr()), raw, dscp)
	}
}

// socket is that of the connection, nil where it has none.
func (c *conn) socket() syscall.RawConn {
	nc := c.nc
	if tc, ok := nc.(*tls.Conn); ok {
		nc = tc.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
