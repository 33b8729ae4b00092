package transport_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
	testpeer "sidetrack/tests/peer"
)

type dialResult struct {
	flow transport.Flow
	err  error
}

func dial(r *rig, f transport.Flow, name string, timeout time.Duration) dialResult {
	r.t.Helper()
	done := make(chan dialResult, 2)
	f.Server = name
	r.Dial(f, timeout, func(f transport.Flow, err error) { done <- dialResult{f, err} })
	select {
	case res := <-done:
		return res
	case <-time.After(patience):
		r.t.Fatal("Dial never ended")
		panic("unreachable")
	}
}

func peer(t *testing.T) net.Listener {
	t.Helper()
	nl, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nl.Close() })
	return nl
}

func TestDialSendAndReceive(t *testing.T) {
	r := newRig(t, transport.Config{})
	l := r.listen("tcp://127.0.0.1:0")
	nl := peer(t)
	want := transport.Flow{Proto: "tcp", Listener: l, Remote: addrPort(nl.Addr())}
	if _, ok := r.Find(want); ok {
		t.Error("found a connection before there is one")
	}
	res := dial(r, want, "", 0)
	if res.err != nil {
		t.Fatal(res.err)
	}
	if found, ok := r.Find(want); !ok || found.Conn != res.flow.Conn || found.Listener != l {
		t.Errorf("Find: %+v, %v", found, ok)
	}
	if again := dial(r, want, "", time.Second); again.err != nil || again.flow.Conn != res.flow.Conn {
		t.Errorf("a second Dial: %+v", again)
	}
	c, err := nl.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := addrPort(c.RemoteAddr()); got.Port() == l.Bound.Port() {
		t.Error("dialled from the listener's port")
	}
	if err := r.Send(res.flow, []byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(c).ReadString('\n'); line != "hello\n" {
		t.Errorf("peer got %q", line)
	}
	fmt.Fprint(c, request("back", via, ""))
	if m := r.next(); m.Flow != res.flow {
		t.Errorf("came by %+v, want %+v", m.Flow, res.flow)
	}
	c.Close()
	if f := r.failure(); f.Flow != res.flow {
		t.Errorf("failure %+v", f)
	}
	if _, ok := r.Find(want); ok {
		t.Error("found an ended connection")
	}
	c2 := dial(r, want, "", 0)
	if c2.err != nil || c2.flow.Conn == res.flow.Conn {
		t.Errorf("reconnecting: %+v", c2)
	}
}

func TestDialFailures(t *testing.T) {
	r := newRig(t, transport.Config{})
	nl := peer(t)
	refused := addrPort(nl.Addr())
	nl.Close()
	watch := testpeer.StartStopwatch(t)
	if res := dial(r, transport.Flow{Proto: "tcp", Remote: refused}, "", 0); res.err == nil {
		t.Error("no error from a closed port")
	}
	if took := watch.Took(); took > time.Second {
		t.Errorf("refusal took %v", took)
	}
	mute := peer(t) // accepts, but never speaks TLS
	watch = testpeer.StartStopwatch(t)
	if res := dial(r, transport.Flow{Proto: "tls", Remote: addrPort(mute.Addr())}, "x", 100*time.Millisecond); res.err == nil {
		t.Error("no error from a mute TLS peer")
	}
	if took := watch.Took(); took > time.Second {
		t.Errorf("timeout of 100 ms took %v", took)
	}
}

// Callers that wait for one connection share it and are called in their order.
func TestDialsAreOne(t *testing.T) {
	r := newRig(t, transport.Config{})
	nl := peer(t)
	f := transport.Flow{Proto: "tcp", Remote: addrPort(nl.Addr())}
	const n = 50
	var mu sync.Mutex
	var order []int
	var conns []uint64
	done := make(chan struct{})
	for i := range n {
		r.Dial(f, 0, func(f transport.Flow, err error) {
			mu.Lock()
			defer mu.Unlock()
			order, conns = append(order, i), append(conns, f.Conn)
			if len(order) == n {
				close(done)
			}
		})
	}
	<-done
	for i := range n {
		if conns[i] != conns[0] || conns[i] == 0 {
			t.Fatalf("connections %v", conns)
		}
	}
	last := -1
	for _, i := range order[:n/2] { // all that joined the first attempt are in order; so are later ones
		if i < last {
			t.Fatalf("order %v", order)
		}
		last = i
	}
}

func TestTLS(t *testing.T) {
	cert, pool := selfSigned(t, "srs.example.com")
	server := newRig(t, transport.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	l := server.listen("tls://127.0.0.1:0")
	client := newRig(t, transport.Config{TLS: &tls.Config{RootCAs: pool}})
	to := transport.Flow{Proto: "tls", Remote: l.Bound}
	if res := dial(client, to, "other.example.com", 0); res.err == nil {
		t.Error("a certificate for another name was taken")
	}
	res := dial(client, to, "srs.example.com", 0)
	if res.err != nil {
		t.Fatal(res.err)
	}
	for what, other := range map[string]transport.Flow{
		"server names": {Proto: "tls", Remote: l.Bound, Server: "other.example.com"},
		"settings":     {Proto: "tls", Remote: l.Bound, Server: "srs.example.com", TLS: &tls.Config{RootCAs: pool}},
	} {
		if _, ok := client.Find(other); ok {
			t.Error("a TLS connection is shared between " + what)
		}
	}
	again := res.flow
	again.Conn = 0
	if found, ok := client.Find(again); !ok || found != res.flow {
		t.Errorf("found %+v", found)
	}
	if err := client.Send(res.flow, []byte(request("x", via, "secret"))); err != nil {
		t.Fatal(err)
	}
	m := server.next()
	if m.Flow.Proto != "tls" || string(m.Msg.Body) != "secret" {
		t.Errorf("got %+v", m)
	}
	if err := server.Send(m.Flow, []byte(request("y", via, ""))); err != nil {
		t.Fatal(err)
	}
	if got := client.next().Msg.CallID(); got != "y" {
		t.Errorf("client got %q", got)
	}
}

func TestListenErrorsAreOneClearLine(t *testing.T) {
	r := newRig(t, transport.Config{})
	taken := r.listen("tcp://127.0.0.1:0")
	for url, want := range map[string]string{
		"tcp://" + taken.Bound.String(): "address already in use",
		"sctp://127.0.0.1:5060":         "must begin with udp://, tcp:// or tls://",
		"udp://127.0.0.1":               "must be PROTOCOL://ADDRESS:PORT",
		"udp://pbx.example.com:5060":    "is not an IP address",
		"udp://127.0.0.1:sip":           "is not a port",
		"tls://127.0.0.1:0":             "tls needs a certificate",
		"udp://192.0.2.1:5060":          "cannot assign requested address",
	} {
		_, err := r.Listen(url, "")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), url) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	r := newRig(t, transport.Config{})
	u := r.listen("udp://127.0.0.1:0")
	six, err := r.Listen("tcp://[::1]:0", "[2001:db8::1]")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("sip:bob@127.0.0.1:%d", u.Port); u.ContactURI("bob") != want {
		t.Errorf("Contact %s, want %s", u.ContactURI("bob"), want)
	}
	if want := fmt.Sprintf("sip:[2001:db8::1]:%d;transport=tcp", six.Port); six.ContactURI("") != want {
		t.Errorf("Contact %s, want %s", six.ContactURI(""), want)
	}
	if got := r.Pick("udp", u.Bound.Addr()); got != u {
		t.Errorf("Pick udp: %v", got)
	}
	if got := r.Pick("tcp", u.Bound.Addr()); got != nil {
		t.Errorf("Pick tcp over IPv4: %v", got)
	}
	if got := r.Pick("", six.Bound.Addr()); got != six {
		t.Errorf("Pick any over IPv6: %v", got)
	}
	wild := r.listen("udp://0.0.0.0:0")
	if wild.Advertise == "0.0.0.0" || wild.Advertise == "" {
		t.Errorf("a wildcard advertises %q", wild.Advertise)
	}
	if len(r.Listeners()) != 3 {
		t.Errorf("%d listeners", len(r.Listeners()))
	}
}

func TestCloseEndsEverything(t *testing.T) {
	r := newRig(t, transport.Config{})
	r.listen("udp://127.0.0.1:0")
	l := r.listen("tcp://127.0.0.1:0")
	for range 10 {
		fmt.Fprint(dialled(t, l), request("x", via, ""))
		r.next()
	}
	if res := dial(r, transport.Flow{Proto: "tcp", Remote: l.Bound}, "", 0); res.err != nil {
		t.Fatal(res.err)
	}
	r.Close()
	r.Close()
	if _, err := r.Listen("udp://127.0.0.1:0", ""); err == nil {
		t.Error("Listen after Close")
	}
	if res := dial(r, transport.Flow{Proto: "tcp", Remote: l.Bound}, "", 0); res.err == nil {
		t.Error("Dial after Close")
	}
}

func selfSigned(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
