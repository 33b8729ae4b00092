package txn_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

var (
	ours  = netip.MustParseAddrPort("192.0.2.1:5060")
	peer  = netip.MustParseAddrPort("192.0.2.9:5060")
	peer2 = netip.MustParseAddrPort("192.0.2.10:5060")
)

// packet is one message that left, and when.
type packet struct {
	after time.Duration // since the wire was made
	flow  transport.Flow
	raw   string
	msg   *sip.Message
}

// wire is a transport in memory: it keeps what is sent and connects as told.
type wire struct {
	began  time.Time
	events transport.Events

	mu        sync.Mutex
	sent      []packet
	listeners []*transport.Listener
	conns     map[uint64]transport.Flow
	lastConn  uint64
	retired   map[uint64]bool
	dials     []string
	dial      func(f transport.Flow) (delay time.Duration, err error) // nil: connects at once
	sendErr   func(f transport.Flow) error
}

func newWire() *wire {
	w := &wire{began: time.Now(), conns: make(map[uint64]transport.Flow), retired: make(map[uint64]bool)}
	for _, proto := range []string{"udp", "tcp", "tls"} {
		w.listeners = append(w.listeners, &transport.Listener{Proto: proto, Bound: ours, Advertise: ours.Addr().String(), Port: 5060})
	}
	return w
}

func (w *wire) Watch(ev transport.Events) { w.events = ev }

func (w *wire) Pick(proto string, remote netip.Addr) *transport.Listener {
	for _, l := range w.listeners {
		if (proto == "" || l.Proto == proto) && l.Bound.Addr().Is4() == remote.Is4() {
			return l
		}
	}
	return nil
}

func (w *wire) Send(f transport.Flow, b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sendErr != nil {
		if err := w.sendErr(f); err != nil {
			return err
		}
	}
	if f.Proto != "udp" {
		if _, ok := w.conns[f.Conn]; !ok {
			return transport.ErrNoConn
		}
	}
	m, err := sip.Parse(b)
	if err != nil {
		panic(fmt.Sprintf("layer sent what does not parse: %v\n%s", err, b))
	}
	w.sent = append(w.sent, packet{time.Since(w.began), f, string(b), m})
	return nil
}

func (w *wire) Find(f transport.Flow) (transport.Flow, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.Conn != 0 {
		_, ok := w.conns[f.Conn]
		return f, ok && !w.retired[f.Conn]
	}
	for id, c := range w.conns {
		if !w.retired[id] && c.Remote == f.Remote && c.Proto == f.Proto {
			f.Conn = id
			return f, true
		}
	}
	return f, false
}

// DialBack connects like Dial, and is noted as such.
func (w *wire) DialBack(f transport.Flow, done func(transport.Flow, error)) {
	w.dialAs("back "+f.Proto, f, 0, done)
}

func (w *wire) Dial(f transport.Flow, timeout time.Duration, done func(transport.Flow, error)) {
	w.dialAs(f.Proto, f, timeout, done)
}

func (w *wire) dialAs(how string, f transport.Flow, timeout time.Duration, done func(transport.Flow, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials = append(w.dials, fmt.Sprintf("%s %s %v", how, f.Remote, timeout))
	dial := w.dial
	go func() {
		var delay time.Duration
		var err error
		if dial != nil {
			delay, err = dial(f)
		}
		if timeout > 0 && delay > timeout {
			delay, err = timeout, errors.New("i/o timeout")
		}
		time.Sleep(delay)
		if err == nil {
			f = w.connect(f)
		}
		done(f, err)
	}()
}

// connect opens a connection.
func (w *wire) connect(f transport.Flow) transport.Flow {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastConn++
	f.Conn = w.lastConn
	w.conns[f.Conn] = f
	return f
}

// disconnect ends a connection and says so.
func (w *wire) disconnect(conn uint64) {
	w.mu.Lock()
	f := w.conns[conn]
	delete(w.conns, conn)
	w.mu.Unlock()
	w.events.Failed(transport.Failure{Flow: f, Err: errors.New("EOF")})
}

func (w *wire) Retire(f transport.Flow, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.retired[f.Conn] = true
}

func (w *wire) packets() []packet {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]packet(nil), w.sent...)
}

func (w *wire) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent, w.began = nil, time.Now()
}

func (w *wire) dialed() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.dials...)
}

// ladder writes what left as "0s INVITE, 500ms INVITE, 700ms 200 INVITE".
func (w *wire) ladder() string {
	var steps []string
	for _, p := range w.packets() {
		what := p.msg.Method
		if p.msg.IsResponse() {
			what = fmt.Sprintf("%d %s", p.msg.Status, p.msg.CSeq().Method)
		}
		steps = append(steps, fmt.Sprintf("%v %s", p.after, what))
	}
	return strings.Join(steps, ", ")
}
