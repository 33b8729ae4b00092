package peer

import (
	"bufio"
	"bytes"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// stream is one TCP connection, accepted or opened.
type stream struct {
	conn net.Conn
	far  netip.AddrPort
	mu   sync.Mutex // serialises writes
}

func (p *Peer) accept() {
	for {
		conn, err := p.tcp.AcceptTCP()
		if err != nil {
			return
		}
		p.adopt(conn)
	}
}

// adopt starts reading a connection; nil when the peer has closed meanwhile.
func (p *Peer) adopt(conn net.Conn) *stream {
	s := &stream{conn: conn, far: conn.RemoteAddr().(*net.TCPAddr).AddrPort()}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		conn.Close()
		return nil
	}
	p.conns[s.far] = s
	p.readers.Go(func() { p.readStream(s) })
	return s
}

func (p *Peer) readStream(s *stream) {
	defer func() {
		s.conn.Close()
		p.mu.Lock()
		if p.conns[s.far] == s {
			delete(p.conns, s.far)
		}
		p.mu.Unlock()
	}()
	r := bufio.NewReaderSize(s.conn, 1<<16)
	for {
		raw, err := readFrame(r)
		if err != nil {
			return
		}
		p.arrived(raw, dest{net: "tcp", at: s.far, conn: s})
	}
}

// readFrame reads one message: headers to the empty line, then Content-Length bytes (RFC 3261 §18.3).
func readFrame(r *bufio.Reader) ([]byte, error) {
	var frame bytes.Buffer
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if frame.Len() == 0 && strings.TrimSpace(line) == "" {
			continue // CRLF keep-alive between messages
		}
		frame.WriteString(line)
		if line == "\r\n" {
			break
		}
		if name, value, ok := strings.Cut(line, ":"); ok && canonical(name) == "content-length" {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	body := make([]byte, length)
	for read := 0; read < length; {
		n, err := r.Read(body[read:])
		if err != nil {
			return nil, err
		}
		read += n
	}
	frame.Write(body)
	return frame.Bytes(), nil
}

// send writes the message. Errors are noted in the ladder and otherwise swallowed as a network swallows: whoever
// expects an answer will miss it.
func (p *Peer) send(to dest, m *Message) {
	p.Ladder.message(p.Name, true, to.at, m)
	p.mu.Lock()
	p.numbers.answered(m)
	p.mu.Unlock()
	if err := p.write(to, m.Bytes()); err != nil {
		p.Ladder.Note("%s could not send to %s: %v", p.Name, to.at, err)
	}
}

// SendRaw writes bytes as they are, for what no Message can say.
func (p *Peer) SendRaw(network string, to netip.AddrPort, b []byte) {
	p.Ladder.Note("%s sends %d raw bytes to %s", p.Name, len(b), to)
	if err := p.write(dest{net: network, at: to}, b); err != nil {
		p.Ladder.Note("%s could not send to %s: %v", p.Name, to, err)
	}
}

// SendBack writes bytes as they are to where a request came from, on its connection over TCP.
func (p *Peer) SendBack(in *Incoming, b []byte) {
	p.Ladder.Note("%s sends %d raw bytes back to %s", p.Name, len(b), in.back.at)
	if err := p.write(in.back, b); err != nil {
		p.Ladder.Note("%s could not send to %s: %v", p.Name, in.back.at, err)
	}
}

func (p *Peer) write(to dest, b []byte) error {
	if to.net == "udp" {
		_, err := p.udp.WriteToUDPAddrPort(b, to.at)
		return err
	}
	s := to.conn
	if s == nil {
		p.mu.Lock()
		s = p.conns[to.at]
		p.mu.Unlock()
	}
	if s == nil {
		dialer := net.Dialer{Timeout: Patience, LocalAddr: &net.TCPAddr{IP: p.at.Addr().AsSlice()}}
		conn, err := dialer.Dial("tcp", to.at.String())
		if err != nil {
			return err
		}
		if s = p.adopt(conn); s == nil {
			return net.ErrClosed
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(Patience))
	_, err := s.conn.Write(b)
	return err
}
