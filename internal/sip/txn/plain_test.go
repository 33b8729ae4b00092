package txn_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"sidetrack/internal/sip/txn"
)

// plainPeer speaks SIP by string templates over one socket. On UDP the
// messages of one send leave as datagrams back to back, on TCP in one segment.
type plainPeer struct {
	addr net.Addr
	mu   sync.Mutex
	conn net.Conn
	pc   net.PacketConn
	to   net.Addr
}

func dialPlain(t *testing.T, proto, addr string) *plainPeer {
	t.Helper()
	c, err := net.Dial(proto, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &plainPeer{conn: c, addr: c.LocalAddr()}
}

// listenPlain calls got for each message, whoever sends.
func listenPlain(t *testing.T, proto string, got func(*plainPeer, string)) *plainPeer {
	t.Helper()
	p := &plainPeer{}
	var wg sync.WaitGroup
	if proto == "udp" {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.pc, p.addr = pc, pc.LocalAddr()
		wg.Go(func() {
			buf := make([]byte, 65535)
			for {
				n, from, err := pc.ReadFrom(buf)
				if err != nil {
					return
				}
				p.to = from
				got(p, string(buf[:n]))
			}
		})
		t.Cleanup(func() { pc.Close(); wg.Wait() })
		return p
	}
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = nl.Addr()
	wg.Go(func() {
		for {
			c, err := nl.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			q := &plainPeer{conn: c}
			wg.Go(func() { q.each(func(m string) { got(q, m) }) })
		}
	})
	t.Cleanup(func() { nl.Close() })
	return p
}

func (p *plainPeer) target(proto string) txn.Target {
	return txn.Target{Proto: proto, Addr: netip.MustParseAddrPort(p.addr.String())}
}

func (p *plainPeer) send(msgs string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil && p.conn.LocalAddr().Network() == "tcp" {
		_, _ = io.WriteString(p.conn, msgs)
		return
	}
	for msgs != "" { // all of ours end with their header
		i := strings.Index(msgs, "\r\n\r\n") + 4
		if p.pc != nil {
			_, _ = p.pc.WriteTo([]byte(msgs[:i]), p.to)
		} else {
			_, _ = io.WriteString(p.conn, msgs[:i])
		}
		msgs = msgs[i:]
	}
}

// each calls got for each message that comes, until the socket is closed.
func (p *plainPeer) each(got func(string)) {
	if p.conn.LocalAddr().Network() != "tcp" {
		buf := make([]byte, 65535)
		for {
			n, err := p.conn.Read(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				got(string(buf[:n]))
			}
		}
	}
	in := bufio.NewReader(p.conn)
	for m := ""; ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if m += line; line == "\r\n" {
			got(m)
			m = ""
		}
	}
}

func (p *plainPeer) request(method, id, toParams, cseq string) string {
	branch := id
	if method == "ACK" || method == "BYE" {
		branch += method
	}
	return fmt.Sprintf("%s sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:caller@example.com>;tag=c\r\nTo: <sip:us@example.com>%s\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
		method, strings.ToUpper(p.addr.Network()), p.addr, branch, toParams, id, cseq)
}

func answerTo(req string, status int) string {
	return fmt.Sprintf("SIP/2.0 %d X\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=p\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
		status, field(req, "Via"), field(req, "From"), field(req, "To"), field(req, "Call-ID"), field(req, "CSeq"))
}

func field(msg, name string) string {
	_, rest, _ := strings.Cut(msg, "\r\n"+name+": ")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
