package peer

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long a peer waits for what it expects. Long, since a loaded machine is no failure.
const Patience = time.Minute

// Peer is one SIP address: a UDP socket, a TCP listener, or both on one port.
type Peer struct {
	Name   string
	Ladder *Ladder
	// Deaf: messages are read and noted but nothing is done for retransmissions: no stored answer, no ACK again.
	Deaf bool

	t   testing.TB
	at  netip.AddrPort
	udp *net.UDPConn
	tcp *net.TCPListener

	mu      sync.Mutex
	changed chan struct{} // closed and renewed at each arrival
	inbox   []*Message    // arrived and not yet expected
	seen    map[string]int
	replies map[string]reply // by request key: the last answer
	acks    map[string]reply // by response key: the ACK of a 2xx
	auto    map[string]func(*Incoming) bool
	conns   map[netip.AddrPort]*stream
	broken  []string // what could not be parsed
	numbers numbers
	closed  bool
	readers sync.WaitGroup
}

type reply struct {
	to  dest
	msg *Message
}

// dest is where a message goes: over UDP, or on a TCP connection (opened when conn is nil).
type dest struct {
	net  string // udp | tcp
	at   netip.AddrPort
	conn *stream
}

// New opens a peer on ip for the networks given ("udp", "tcp"; both when none is given), on one free port.
// It is closed at the end of the test.
func New(t testing.TB, ladder *Ladder, name, ip string, networks ...string) *Peer {
	t.Helper()
	p := &Peer{
		Name: name, Ladder: ladder, t: t, changed: make(chan struct{}), seen: map[string]int{},
		replies: map[string]reply{}, acks: map[string]reply{}, auto: map[string]func(*Incoming) bool{},
		conns: map[netip.AddrPort]*stream{},
	}
	if len(networks) == 0 {
		networks = []string{"udp", "tcp"}
	}
	if err := p.open(net.ParseIP(ip), networks); err != nil {
		t.Fatalf("peer %s: %v", name, err)
	}
	ladder.Name(p.at, name)
	t.Cleanup(p.Close)
	return p
}

func (p *Peer) open(ip net.IP, networks []string) error {
	var err error
	for range 50 { // another process may hold the other network's port of that number
		port := 0
		if slices.Contains(networks, "udp") {
			if p.udp, err = net.ListenUDP("udp", &net.UDPAddr{IP: ip}); err != nil {
				return err
			}
			p.at = p.udp.LocalAddr().(*net.UDPAddr).AddrPort()
			port = int(p.at.Port())
		}
		if slices.Contains(networks, "tcp") {
			if p.tcp, err = net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: port}); err != nil {
				if p.udp != nil {
					p.udp.Close()
				}
				continue
			}
			p.at = p.tcp.Addr().(*net.TCPAddr).AddrPort()
			p.readers.Go(p.accept)
		}
		if p.udp != nil {
			p.readers.Go(p.readUDP)
		}
		return nil
	}
	return err
}

// Close closes the sockets and waits for the readers. Closing in mid-test is how a peer dies.
func (p *Peer) Close() {
	p.mu.Lock()
	p.closed = true
	conns := p.conns
	p.conns = map[netip.AddrPort]*stream{}
	p.mu.Unlock()
	if p.udp != nil {
		p.udp.Close()
	}
	if p.tcp != nil {
		p.tcp.Close()
	}
	for _, c := range conns {
		c.conn.Close()
	}
	p.readers.Wait()
}

// DropConnections closes every TCP connection and keeps listening.
func (p *Peer) DropConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, c := range p.conns {
		c.conn.Close()
		delete(p.conns, at)
	}
}

// Addr is the peer's address, for both networks.
func (p *Peer) Addr() netip.AddrPort { return p.at }

// URI is the peer as a SIP URI; params such as ";transport=tcp" are appended.
func (p *Peer) URI(params string) string { return "sip:" + p.at.String() + params }

// Contact is the value of its Contact header over that network.
func (p *Peer) Contact(network string) string {
	uri := fmt.Sprintf("sip:%s@%s", p.Name, p.at)
	if network == "tcp" {
		uri += ";transport=tcp"
	}
	return "<" + uri + ">"
}

func (p *Peer) readUDP() {
	buf := make([]byte, 65536)
	for {
		n, from, err := p.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if strings.Contains(err.Error(), "closed") {
				return
			}
			continue // an ICMP error told on the socket
		}
		p.arrived(append([]byte(nil), buf[:n]...), dest{net: "udp", at: from})
	}
}

// arrived takes one message as read: retransmissions are answered from the store, the rest goes to an Auto or the inbox.
func (p *Peer) arrived(raw []byte, from dest) {
	if len(strings.Trim(string(raw), "\r\n\x00")) == 0 {
		return // keep-alive
	}
	m, err := Parse(raw)
	if err != nil {
		p.mu.Lock()
		p.broken = append(p.broken, err.Error())
		p.mu.Unlock()
		p.Ladder.Note("%s got something unreadable from %s: %v", p.Name, from.at, err)
		return
	}
	m.From, m.At, m.conn = from.at, time.Now(), from.conn
	p.Ladder.message(p.Name, false, from.at, m)

	key := requestKey(m)
	if !m.Request() {
		key = responseKey(m)
	}
	p.mu.Lock()
	p.seen[key]++
	again := p.seen[key] > 1 && (m.Request() || m.Status() >= 200)
	stored, have := p.replies[key]
	if !m.Request() {
		stored, have = p.acks[key]
	}
	deaf, auto := p.Deaf, p.auto[m.Method()]
	wrong := p.numbers.wrong(m)
	p.mu.Unlock()
	if wrong != "" {
		p.t.Errorf("%s got %s", p.Name, wrong)
	}

	switch {
	case again && have && !deaf:
		p.send(stored.to, stored.msg)
	case again:
	case m.Request() && auto != nil && auto(p.incoming(m)):
	default:
		p.mu.Lock()
		p.inbox = append(p.inbox, m)
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
}

func requestKey(m *Message) string {
	number, _ := m.CSeq()
	return fmt.Sprintf("%s %d %s %s", m.Method(), number, m.Branch(), m.CallID())
}

func responseKey(m *Message) string {
	_, method := m.CSeq() // a CANCEL has its INVITE's branch
	return fmt.Sprintf("%s %d %s %s", method, m.Status(), m.Branch(), m.ToTag())
}

// take waits for the first message in the inbox that fits, and removes it.
func (p *Peer) take(wait time.Duration, fits func(*Message) bool) *Message {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		i := slices.IndexFunc(p.inbox, fits)
		if i >= 0 {
			m := p.inbox[i]
			p.inbox = slices.Delete(p.inbox, i, i+1)
			p.mu.Unlock()
			return m
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-deadline.C:
			return nil
		}
	}
}

// Unexpected is the start lines of what arrived and nobody expected. A 100 is never one of them: it says that the other
// took its time.
func (p *Peer) Unexpected() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []string
	for _, m := range p.inbox {
		if m.Request() || m.Status() != 100 {
			lines = append(lines, m.Start)
		}
	}
	return append(lines, p.broken...)
}

// Times is how often that very message has arrived: 1, and one more for each retransmission.
func (p *Peer) Times(m *Message) int {
	key := requestKey(m)
	if !m.Request() {
		key = responseKey(m)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[key]
}

// AwaitTimes waits until the message has arrived n times.
func (p *Peer) AwaitTimes(m *Message, n int) {
	p.t.Helper()
	if !Eventually(func() bool { return p.Times(m) >= n }) {
		p.t.Fatalf("%s: %q came %d times, wanted %d", p.Name, m.Start, p.Times(m), n)
	}
}

// Auto hands each request of that method to f, on the reader's goroutine, before anybody expects it; those that wait in
// the inbox at once. f says whether it took it, and must not wait.
func (p *Peer) Auto(method string, f func(*Incoming) bool) {
	p.mu.Lock()
	p.auto[method] = f
	waiting := p.inbox
	p.inbox = nil
	p.mu.Unlock()
	var left []*Message
	for _, m := range waiting {
		if !m.Request() || m.Method() != method || !f(p.incoming(m)) {
			left = append(left, m)
		}
	}
	p.mu.Lock()
	p.inbox = append(left, p.inbox...)
	p.mu.Unlock()
}

// AutoReply answers each request of that method so.
func (p *Peer) AutoReply(method string, status int, opts ...Opt) {
	p.Auto(method, func(in *Incoming) bool { in.Reply(status, opts...); return true })
}

// Eventually asks again and again until the condition holds, for at most Patience; for conditions that nothing announces.
func Eventually(holds func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(Patience); time.Now().Before(end); <-tick.C {
		if holds() {
			return true
		}
	}
	return holds()
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func newSSRC() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}
