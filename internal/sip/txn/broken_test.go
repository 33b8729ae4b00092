package txn_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// brittle is a peer by TCP or TLS that answers 486, but ends its connections in some way instead when it is told to.
type brittle struct {
	addr  netip.AddrPort
	roots *x509.CertPool
	ends  atomic.Pointer[func(nc net.Conn, request string)] // instead of the next answer
	asked atomic.Int32
}

func listenBrittle(t *testing.T, proto string) *brittle {
	t.Helper()
	nl, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certs := httptest.NewTLSServer(nil)
	defer certs.Close()
	b := &brittle{addr: netip.MustParseAddrPort(nl.Addr().String()), roots: x509.NewCertPool()}
	b.roots.AddCert(certs.Certificate())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := nl.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { nc.Close() })
			rw := nc
			if proto == "tls" {
				rw = tls.Server(nc, &tls.Config{Certificates: certs.TLS.Certificates})
			}
			go b.serve(nc, rw)
		}
	}()
	t.Cleanup(func() { nl.Close(); <-done })
	return b
}

func (b *brittle) serve(nc, rw net.Conn) {
	in := bufio.NewReader(rw)
	for m := ""; ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if m += line; line != "\r\n" {
			continue
		}
		method, _, _ := strings.Cut(m, " ")
		if method != "ACK" {
			b.asked.Add(1)
			if end := b.ends.Swap(nil); end != nil {
				io.WriteString(rw, answerTo(m, 180)[:40])
				(*end)(nc, m)
				return
			}
			io.WriteString(rw, answerTo(m, 486))
		}
		m = ""
	}
}

// A connection that breaks in the middle of a response ends what waits there at once, in whatever way it breaks: by a new
// connection it is asked once more where the old one had served others; else the caller can go on to another target.
func TestConnectionThatBreaksInMidResponse(t *testing.T) {
	for name, end := range map[string]func(net.Conn, string){
		"reset":  func(nc net.Conn, _ string) { _ = nc.(*net.TCPConn).SetLinger(0); nc.Close() },
		"closed": func(nc net.Conn, _ string) { nc.Close() }, // over TLS without a word of that
	} {
		for _, proto := range []string{"tcp", "tls"} {
			for _, method := range []string{"INVITE", "OPTIONS"} {
				t.Run(name+" "+proto+" "+method, func(t *testing.T) {
					p := listenBrittle(t, proto)
					r := newRealBed(t, "tcp", nil)
					to := txn.Target{Proto: proto, Addr: p.addr, Host: "127.0.0.1"}
					if proto == "tls" {
						to.TLS = &tls.Config{RootCAs: p.roots}
					}
					p.ends.Store(&end)
					if err, ok := r.ask(outgoing(method), to).(error); !ok || !errors.Is(err, txn.ErrTransport) {
						t.Errorf("by a connection of its own: %v", err)
					}
					for range 2 {
						if resp, ok := r.ask(outgoing(method), to).(*sip.Message); !ok || resp.Status != 486 {
							t.Fatalf("got %v", resp)
						}
						p.ends.Store(&end)
					}
					if n := p.asked.Load(); n != 4 {
						t.Errorf("%d requests, want 4: broken, answered, broken, repeated", n)
					}
				})
			}
		}
	}
}

// A client that is slow to read gets its final responses all the same: it does not repeat what it has sent by a stream.
func TestFinalResponseWaitsForASlowReader(t *testing.T) {
	for _, tc := range []struct {
		method string
		status int
		want   string
	}{
		{"INVITE", 486, "500ms 486 INVITE"}, // the 1xx is not worth it
		{"INVITE", 200, "500ms 200 INVITE"},
		{"BYE", 200, "500ms 200 BYE"},
	} {
		play(t, func(b *bed) {
			b.stream()
			full := true
			b.wire.sendErr = func(transport.Flow) error {
				if full {
					return transport.ErrQueueFull
				}
				return nil
			}
			tx := b.offer(tc.method)
			b.respond(tx, 180)
			b.respond(tx, tc.status)
			b.do(func() { full = false })
			b.pass(time.Second)
			b.wantSent(tc.want)
			b.wantDialed()
		})
		play(t, func(b *bed) { // until the end
			b.stream()
			offered := 0
			b.wire.sendErr = func(transport.Flow) error { offered++; return transport.ErrQueueFull }
			b.respond(b.offer(tc.method), tc.status)
			b.pass(5 * time.Minute)
			if n := b.layer.Transactions(); offered < 5 || offered > 15 || n != 0 {
				t.Errorf("offered %d times, %d transactions are left", offered, n)
			}
		})
	}
}
