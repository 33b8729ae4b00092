package scenario_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"sidetrack/tests/peer"
)

// before is an address where TLS is taken with that certificate, for a peer that speaks TCP at to.
func (s *signer) before(ip string, cert tls.Certificate, to string) string {
	s.t.Helper()
	l, err := tls.Listen("tcp", ip+":0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		s.t.Fatal(err)
	}
	join(s.t, l, func() (net.Conn, error) { return net.Dial("tcp", to) })
	return l.Addr().String()
}

// join passes on what comes by the connections that l takes, each by one of its own, until the test ends.
func join(t *testing.T, l net.Listener, dial func() (net.Conn, error)) {
	var all sync.WaitGroup
	var mu sync.Mutex
	open := []io.Closer{l}
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := dial()
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			open = append(open, in, out)
			mu.Unlock()
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				all.Go(func() {
					_, _ = io.Copy(way[1], way[0])
					way[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
}

// A call comes by UDP and leaves by TLS, what follows within it too; by TCP and TLS a message of 60,000 octets and its answer
// pass whole.
func TestCallFromUDPToTLS(t *testing.T) {
	s := newSigner(t)
	cert, key := s.files(s.issue(systemIP))
	ca, _ := s.files(tls.Certificate{Certificate: [][]byte{s.cert.Raw}, PrivateKey: s.key})
	socket := freePort(t, systemIP)
	st := newStageWith(t, setup{noPolicy: true, sockets: fmt.Sprintf("%q, ", "tls://"+socket), sip: fmt.Sprintf("tls: {certificate: %q, key: %q, ca: %q}", cert, key, ca)},
		func(st *stage, set *setup) {
			set.to = "sip:" + s.before(calleeIP, s.issue(calleeIP), st.callee.Addr().String()) + ";transport=tls"
		})
	c := st.establish(dialing{})
	if via := c.in.Get("Via"); !strings.HasPrefix(via, "SIP/2.0/TLS ") {
		t.Errorf("the call left by %s", via)
	}
	c.heard(5)
	info := c.right.Send("INFO")
	c.left.Expect("INFO").Reply(200)
	info.Expect(200)
	c.hangUp()

	body := strings.Repeat("0123456789abcde\n", 60000/16)
	whole := peer.WithBody("text/plain", []byte(body))
	out := st.caller.Start("MESSAGE", st.sys.SIP, peer.Call{Network: "tcp", URI: bobAOR, From: "<" + aliceAOR + ">", Opts: []peer.Opt{whole}})
	in := st.callee.Expect("MESSAGE")
	if string(in.Body) != body || !strings.HasPrefix(in.Get("Via"), "SIP/2.0/TLS ") {
		t.Errorf("%d of %d octets came by %s", len(in.Body), len(body), in.Get("Via"))
	}
	in.Reply(200, whole)
	if got := out.Expect(200); string(got.Body) != body {
		t.Errorf("%d of %d octets came back", len(got.Body), len(body))
	}
}
