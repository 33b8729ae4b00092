package load

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sidetrack/internal/app"
	"sidetrack/internal/config"
)

const system = `
sip:
  listen: ["udp://127.0.0.1:0"]
  trusted: [127.0.0.0/8]
  drain: 1s
  trace: 0
routes:
  - to: sip:%s
media:
  listen: 127.9.0.3
  ports: 12000-31999
recorders:
  main: {srs: "sip:%s;transport=udp"}
recording:
  - recorder: main
http: {listen: ""}
log: {level: warn, format: text}
`

// stage is a proxy between three parties.
type stage struct {
	sys                      *app.App
	caller, callee, recorder *peer
}

func newStage(t testing.TB, t1 time.Duration) *stage {
	s := &stage{caller: newPeer(t), callee: newPeer(t), recorder: newPeer(t)}
	go s.callee.serve(s.callee.answer)
	go s.recorder.serve(s.recorder.answer)
	cfg, problems := config.Parse("load.yaml", fmt.Appendf(nil, system, s.callee.addr(), s.recorder.addr()), config.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	sys, err := app.New(cfg, app.Options{Log: slog.New(slog.DiscardHandler), Version: "load", T1: t1})
	if err != nil {
		t.Fatal(err)
	}
	if err := sys.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sys.Stop(context.Background()) })
	s.sys, s.caller.proxy = sys, sys.Listeners()[0].Bound
	return s
}

// BenchmarkRecordedCall places one call after the other, from INVITE to the end of its recording, against peers that
// only fill in templates. There is no RTP. The allocations are ours but for a few of the peers; cpu-µs/call counts user and
// system time of all of them.
func BenchmarkRecordedCall(b *testing.B) {
	s := newStage(b, 0)
	b.ReportAllocs()
	b.ResetTimer()
	began := cpuTime()
	for i := range b.N {
		s.caller.call(b, i, s.recorder)
	}
	b.ReportMetric(float64(cpuTime()-began)/1e3/float64(b.N), "cpu-µs/call")
}

// What an ended call leaves behind until its transactions are over is small. Here they never are, however long a busy
// machine takes for the calls.
func TestEndedCallsAreSmall(t *testing.T) {
	s := newStage(t, time.Hour)
	s.place(t, 0, warm)
	before := heap()
	s.place(t, warm, calls)
	if s.sys.Transactions() < calls {
		t.Fatalf("%d transactions left of %d calls", s.sys.Transactions(), calls)
	}
	if held := (heap() - before) / calls; held > 20<<10 {
		t.Errorf("%d bytes held by an ended call, at most 20 KB wanted", held)
	} else {
		t.Logf("%d bytes held by an ended call", held)
	}
}

// Once its transactions are over nothing of a call is left but what the histories of events and recordings keep of so many.
func TestEndedCallsAreForgotten(t *testing.T) {
	s := newStage(t, 100*time.Millisecond) // transactions end after 64*T1: 6.4 s
	s.place(t, 0, warm)
	await(t, "no transaction is left", func() bool { return s.sys.Transactions() == 0 })
	before := heap()
	s.place(t, warm, calls)
	await(t, "no transaction is left", func() bool { return s.sys.Transactions() == 0 })
	if left := (heap() - before) / calls; left > 6<<10 {
		t.Errorf("%d bytes left by a forgotten call", left)
	} else {
		t.Logf("%d bytes left by a forgotten call", left)
	}
}

// Calls that are measured, and those before, which fill what is kept for the next.
const calls, warm = 150, 50

// place makes n calls, one after the other.
func (s *stage) place(t *testing.T, from, n int) {
	t.Helper()
	for i := range n {
		s.caller.call(t, from+i, s.recorder)
	}
	await(t, "ports are free", func() bool { return s.sys.MediaPorts().Draining == 0 })
}

// heap is what is live.
func heap() int {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func cpuTime() int64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// peer is a scripted SIP party on a socket of its own.
type peer struct {
	conn  *net.UDPConn
	proxy netip.AddrPort
	in    []byte
	out   bytes.Buffer
	heard chan string // ACK and BYE, once each of a call
	told  map[string]bool
}

func newPeer(t testing.TB) *peer {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &peer{conn: conn, in: make([]byte, 65536), heard: make(chan string, 16), told: map[string]bool{}}
}

func (p *peer) addr() string { return p.conn.LocalAddr().String() }

// serve hands over each message until the socket closes.
func (p *peer) serve(handle func(msg []byte, from netip.AddrPort)) {
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(p.in)
		if err != nil {
			return
		}
		handle(p.in[:n], from)
	}
}

// answer plays a callee or an SRS: it takes every call.
func (p *peer) answer(msg []byte, from netip.AddrPort) {
	switch {
	case bytes.HasPrefix(msg, []byte("INVITE ")):
		p.respond("100 Trying", "", msg, from, "")
		p.respond("180 Ringing", ";tag=x", msg, from, "")
		p.respond("200 OK", ";tag=x", msg, from, answerTo(msg))
	case bytes.HasPrefix(msg, []byte("ACK ")):
		p.tell("ACK", msg)
	case bytes.HasPrefix(msg, []byte("BYE ")):
		p.respond("200 OK", "", msg, from, "")
		p.tell("BYE", msg)
	}
}

func (p *peer) respond(status, tag string, req []byte, to netip.AddrPort, sdp string) {
	p.out.Reset()
	fmt.Fprintf(&p.out, "SIP/2.0 %s\r\n", status)
	for line := range bytes.Lines(req) {
		switch {
		case bytes.HasPrefix(line, []byte("Via:")), bytes.HasPrefix(line, []byte("From:")), bytes.HasPrefix(line, []byte("Call-ID:")),
			bytes.HasPrefix(line, []byte("CSeq:")), bytes.HasPrefix(line, []byte("Record-Route:")):
			p.out.Write(line)
		case bytes.HasPrefix(line, []byte("To:")):
			p.out.Write(bytes.TrimRight(line, "\r\n"))
			p.out.WriteString(tag + "\r\n")
		}
	}
	fmt.Fprintf(&p.out, "Contact: <sip:peer@%s>\r\n", p.addr())
	p.end(sdp)
	_, _ = p.conn.WriteToUDPAddrPort(p.out.Bytes(), to)
}

func (p *peer) end(sdp string) {
	if sdp != "" {
		p.out.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&p.out, "Content-Length: %d\r\n\r\n%s", len(sdp), sdp)
}

// answerTo describes as many audio streams as the offer has.
func answerTo(msg []byte) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n")
	for i := range bytes.Count(msg, []byte("\r\nm=audio ")) {
		mode := "sendrecv"
		if bytes.Contains(msg, []byte("a=sendonly")) {
			mode = "recvonly"
		}
		fmt.Fprintf(&b, "m=audio %d RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=%s\r\n", 20000+2*i, mode)
	}
	return b.String()
}

const offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20100 RTP/AVP 8 0 101\r\n" +
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"

// tell does not wait for who does not listen. What a busy machine has repeated it tells once.
func (p *peer) tell(method string, msg []byte) {
	id := method + field(msg, "Call-ID: ")
	if p.told[id] {
		return
	}
	if len(p.told) > 1000 { // a benchmark has many calls, one after the other
		clear(p.told)
	}
	p.told[id] = true
	select {
	case p.heard <- method:
	default:
	}
}

func (p *peer) expect(t testing.TB, method string) {
	select {
	case got := <-p.heard:
		if got != method {
			t.Fatalf("%s instead of %s", got, method)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("no %s", method)
	}
}

// call places a call, waits until it is recorded, ends it and waits until its recording has ended.
func (p *peer) call(t testing.TB, n int, recorder *peer) {
	id := strconv.Itoa(n)
	p.request("INVITE", id, "sip:bob@example.test", "", 1, offer)
	ok := p.await(t, "200 OK")
	to := field(ok, "To: ")
	target := strings.Trim(field(ok, "Contact: "), "<>")
	p.request("ACK", id, target, to, 1, "")
	recorder.expect(t, "ACK")
	p.request("BYE", id, target, to, 2, "")
	p.await(t, "200 OK")
	recorder.expect(t, "BYE")
}

func (p *peer) request(method, id, uri, to string, cseq int, sdp string) {
	if to == "" {
		to = "<sip:bob@example.test>"
	}
	p.out.Reset()
	fmt.Fprintf(&p.out, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: \"Alice\" <sip:alice@example.test>;tag=f%s\r\nTo: %s\r\nCall-ID: %s@load.test\r\nCSeq: %d %s\r\n"+
		"Contact: <sip:alice@%s>\r\nUser-Agent: load\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nSupported: timer, replaces\r\n",
		method, uri, p.addr(), method, id, id, to, id, cseq, method, p.addr())
	p.end(sdp)
	_, _ = p.conn.WriteToUDPAddrPort(p.out.Bytes(), p.proxy)
}

// await reads until a response of that status.
func (p *peer) await(t testing.TB, status string) []byte {
	_ = p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		n, _, err := p.conn.ReadFromUDPAddrPort(p.in)
		if err != nil {
			t.Fatalf("awaiting %s: %v", status, err)
		}
		if msg := p.in[:n]; bytes.HasPrefix(msg, []byte("SIP/2.0 "+status)) {
			return msg
		}
	}
}

func field(msg []byte, name string) string {
	_, rest, _ := bytes.Cut(msg, []byte("\r\n"+name))
	value, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return string(value)
}
