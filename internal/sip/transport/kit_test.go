package transport_test

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
)

const patience = time.Minute

// rig is a Layer whose messages, failures and refusals can be awaited.
type rig struct {
	*transport.Layer
	t        *testing.T
	in       chan transport.Inbound
	failures chan transport.Failure

	mu       sync.Mutex
	rejected map[string]int
}

func newRig(t *testing.T, cfg transport.Config) *rig {
	t.Helper()
	r := &rig{
		t:        t,
		in:       make(chan transport.Inbound, 10000),
		failures: make(chan transport.Failure, 1000),
		rejected: make(map[string]int),
	}
	cfg.OnMessage = func(m transport.Inbound) { r.in <- m }
	cfg.OnReject = func(reason string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.rejected[reason]++
	}
	r.Layer = transport.New(cfg)
	r.Watch(transport.Events{Failed: func(f transport.Failure) { r.failures <- f }})
	t.Cleanup(func() { r.Close() })
	return r
}

func (r *rig) listen(url string) *transport.Listener {
	r.t.Helper()
	l, err := r.Listen(url, "")
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

func (r *rig) next() transport.Inbound {
	r.t.Helper()
	select {
	case m := <-r.in:
		return m
	case <-time.After(patience):
		r.t.Fatal("no message came")
		panic("unreachable")
	}
}

func (r *rig) failure() transport.Failure {
	r.t.Helper()
	select {
	case f := <-r.failures:
		return f
	case <-time.After(patience):
		r.t.Fatal("no failure was told")
		panic("unreachable")
	}
}

func (r *rig) awaitRejected(reason string, n int) {
	r.t.Helper()
	await(r.t, fmt.Sprintf("%d × %s", n, reason), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.rejected[reason] >= n
	})
}

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// dialled is a plain socket connected to a listener.
func dialled(t *testing.T, l *transport.Listener) net.Conn {
	t.Helper()
	network := "tcp"
	if l.Proto == "udp" {
		network = "udp"
	}
	c, err := net.Dial(network, l.Bound.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * patience))
	return c
}

func read(t *testing.T, c net.Conn) string {
	t.Helper()
	buf := make([]byte, 65535)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort()
	case *net.UDPAddr:
		return a.AddrPort()
	}
	panic(a)
}

// request is an OPTIONS with that Call-ID and body.
func request(callID, via, body string) string {
	return "OPTIONS sip:x@example.com SIP/2.0\r\nVia: " + via + "\r\nMax-Forwards: 70\r\n" +
		"From: <sip:a@example.com>;tag=1\r\nTo: <sip:x@example.com>\r\nCall-ID: " + callID + "\r\nCSeq: 1 OPTIONS\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

const via = "SIP/2.0/TCP 192.0.2.9:5099;branch=z9hG4bKx;rport"
