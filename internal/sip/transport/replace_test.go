package transport_test

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
)

// A socket that is taken out of use reads and sends on until it is dropped; then
// its address is free, and its connections are closed.
func TestReplace(t *testing.T) {
	r := newRig(t, transport.Config{})
	first, stream := r.listen("udp://127.0.0.1:0"), r.listen("tcp://127.0.0.1:0")
	say := func(c net.Conn, callID string) {
		t.Helper()
		if _, err := c.Write([]byte(request(callID, via, ""))); err != nil {
			t.Fatal(err)
		}
	}
	conn := dialled(t, stream)
	say(conn, "1")
	if m := r.next(); m.Flow.Listener != stream {
		t.Fatalf("came by %+v", m.Flow)
	}
	second, err := r.Bind("udp://127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	renamed := first.Advertised("proxy.example")
	r.Replace([]*transport.Listener{second, renamed})
	if got := r.Listeners(); len(got) != 2 || got[0] != second || got[1] != renamed || r.Pick("udp", second.Bound.Addr()) != second || r.Pick("tcp", second.Bound.Addr()) != nil {
		t.Errorf("in use: %v", got)
	}
	if got := r.Retiring(); len(got) != 1 || got[0] != stream || !stream.Retiring() || first.Retiring() {
		t.Errorf("retiring: %v", got)
	}
	for _, l := range []*transport.Listener{second, renamed} {
		say(dialled(t, l), "2")
		if m := r.next(); m.Flow.Listener != l {
			t.Errorf("came by %+v, not by %s", m.Flow, l.URL)
		}
	}
	say(conn, "3")
	late := dialled(t, stream) // who has lost his connection gets another
	say(late, "4")
	r.next()
	r.next()

	r.Replace([]*transport.Listener{second, renamed, stream}) // back in use
	if stream.Retiring() || len(r.Retiring()) != 0 {
		t.Error("it is still retiring")
	}
	r.Drop(stream)
	say(conn, "5")
	r.next() // what is in use is not dropped

	r.Replace([]*transport.Listener{renamed})
	r.Drop(stream)
	r.Drop(second)
	for _, c := range []net.Conn{conn, late} {
		if n, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a connection of the dropped socket gave %d, %v", n, err)
		}
	}
	if _, err := r.Bind(stream.URL[:6]+stream.Bound.String(), ""); err != nil {
		t.Errorf("the address is not free: %v", err)
	}
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	peer.SetReadDeadline(time.Now().Add(patience))
	if err := r.Send(transport.Flow{Proto: "udp", Listener: second, Remote: addrPort(peer.LocalAddr())}, []byte("by another")); err != nil {
		t.Error(err)
	}
	if _, from, err := peer.ReadFrom(make([]byte, 100)); err != nil || addrPort(from) != renamed.Bound {
		t.Errorf("came from %v: %v", from, err)
	}
}

// New connections have the certificate of the moment; those that are open stay.
func TestSetTLS(t *testing.T) {
	one, _ := selfSigned(t, "one.example.com")
	two, _ := selfSigned(t, "two.example.com")
	r := newRig(t, transport.Config{TLS: &tls.Config{Certificates: []tls.Certificate{one}}})
	l := r.listen("tls://127.0.0.1:0")
	dial := func() *tls.Conn {
		c, err := tls.Dial("tcp", l.Bound.String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	shown := func(c *tls.Conn) string { return string(c.ConnectionState().PeerCertificates[0].Raw) }
	before := dial()
	r.SetTLS(&tls.Config{Certificates: []tls.Certificate{two}}, nil)
	after := dial()
	if shown(before) != string(one.Certificate[0]) || shown(after) != string(two.Certificate[0]) {
		t.Error("wrong certificates")
	}
	for _, c := range []net.Conn{before, after} {
		if _, err := c.Write([]byte(request("1", via, ""))); err != nil {
			t.Fatal(err)
		}
		r.next()
	}
}
