package peer

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// Raw is a UDP socket for messages that are text and nothing else: it keeps no transactions, repeats nothing and forgets
// what it has seen before.
type Raw struct {
	Name string
	T    testing.TB // fails with what is expected and does not come; may be changed between two uses

	ladder  *Ladder
	conn    *net.UDPConn
	mu      sync.Mutex
	changed chan struct{}
	inbox   []string
	all     []string
	seen    map[string]bool
	reader  sync.WaitGroup
}

// NewRaw opens one on ip; it is closed at the end of the test.
func NewRaw(t testing.TB, ladder *Ladder, name, ip string) *Raw {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Fatal(err)
	}
	r := &Raw{Name: name, T: t, ladder: ladder, conn: conn, changed: make(chan struct{}), seen: map[string]bool{}}
	ladder.Name(r.Addr(), name)
	r.reader.Go(r.read)
	t.Cleanup(func() {
		conn.Close()
		r.reader.Wait()
	})
	return r
}

// Addr is where it listens.
func (r *Raw) Addr() netip.AddrPort { return r.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (r *Raw) read() {
	buf := make([]byte, 65536)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if strings.Contains(err.Error(), "closed") {
				return
			}
			continue
		}
		text := string(buf[:n])
		if m, err := Parse([]byte(text)); err == nil {
			r.ladder.message(r.Name, false, from, m)
		}
		r.mu.Lock()
		r.all = append(r.all, text)
		if !r.seen[text] {
			r.seen[text] = true
			r.inbox = append(r.inbox, text)
			close(r.changed)
			r.changed = make(chan struct{})
		}
		r.mu.Unlock()
	}
}

// Send sends a message as it is.
func (r *Raw) Send(to netip.AddrPort, text string) {
	if m, err := Parse([]byte(text)); err == nil {
		r.ladder.message(r.Name, true, to, m)
	}
	if _, err := r.conn.WriteToUDPAddrPort([]byte(text), to); err != nil {
		r.T.Errorf("%s: %v", r.Name, err)
	}
}

// Arrived is all that has come so far, in order, with what came again and what was passed over.
func (r *Raw) Arrived() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.all...)
}

// Expect is the next message that fits; the others before it are forgotten.
func (r *Raw) Expect(what string, fits func(string) bool) string {
	r.T.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		for len(r.inbox) > 0 {
			m := r.inbox[0]
			r.inbox = r.inbox[1:]
			if fits(m) {
				r.mu.Unlock()
				return m
			}
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-deadline.C:
			r.T.Fatalf("%s: no %s came", r.Name, what)
			return ""
		}
	}
}
