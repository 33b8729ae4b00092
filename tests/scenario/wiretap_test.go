package scenario_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// capturing is a capture that is under way.
type capturing struct {
	t    *testing.T
	resp *http.Response
	seen []captured
}

// captured is a datagram of a capture.
type captured struct {
	from, to string // IPv4 address:port
	payload  []byte
}

// capture begins one of a call and reads the head of the file.
func (s *System) capture(t *testing.T, call, body string) *capturing {
	t.Helper()
	req, err := http.NewRequest("POST", s.HTTP+"/api/v1/calls/"+call+"/pcap", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	c := &capturing{t: t, resp: resp}
	if head := c.read(24); binary.LittleEndian.Uint32(head) != 0xa1b2c3d4 || binary.LittleEndian.Uint32(head[20:]) != 101 {
		t.Fatalf("no capture: % x", head)
	}
	return c
}

func (c *capturing) read(n int) []byte {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c.resp.Body, b); err != nil {
		c.t.Fatalf("%v after %d datagrams", err, len(c.seen))
	}
	return b
}

// next is the next datagram; false at the end of the file.
func (c *capturing) next() (d captured, ok bool) {
	c.t.Helper()
	head := make([]byte, 16)
	if _, err := io.ReadFull(c.resp.Body, head); err == io.EOF {
		return d, false
	} else if err != nil {
		c.t.Fatal(err)
	}
	p := c.read(int(binary.LittleEndian.Uint32(head[8:])))
	at := func(ip, port []byte) string {
		return fmt.Sprintf("%d.%d.%d.%d:%d", ip[0], ip[1], ip[2], ip[3], binary.BigEndian.Uint16(port))
	}
	d = captured{at(p[12:16], p[20:22]), at(p[16:20], p[22:24]), p[28:]}
	c.seen = append(c.seen, d)
	return d, true
}

// rest reads to the end and counts the RTP packets of each way.
func (c *capturing) rest() (ways map[string]int) {
	c.t.Helper()
	for ok := true; ok; {
		_, ok = c.next()
	}
	ways = map[string]int{}
	for _, d := range c.seen {
		if len(d.payload) > 12 && d.payload[0]>>6 == 2 && (d.payload[1]&0x7f) < 64 {
			ways[d.from+" > "+d.to]++
		}
	}
	return ways
}

// A capture of a call's media has the messages so far, then each packet as it came, as it went on and as its copy, and the
// messages that came meanwhile; it ends with the call. Not one packet of the call or of its recording is missing.
func TestMediaIsCaptured(t *testing.T) {
	st := newStage(t, setup{})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	call := st.sys.list("/api/v1/calls")[0].str("id")
	f := st.sys.capture(t, call, `{"limit": "5m"}`)
	if first, _ := f.next(); !strings.HasPrefix(string(first.payload), "INVITE sip:bob@pbx.test") || first.from != st.caller.Addr().String() {
		t.Errorf("the capture begins with %q from %s", first.payload, first.from)
	}
	c.recorded(rs, 10) // what was on its way before has come
	count := func() [2]int { return [2]int{len(rs.Streams["1"].Packets()), len(rs.Streams["2"].Packets())} }
	from := count()
	c.recorded(rs, 20)
	to := count()
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
	ways := f.rest()
	want := []string{
		c.a.Addr().String() + " > " + c.aTo.rtp.String(), c.bTo.rtp.String() + " > " + c.b.Addr().String(),
		c.b.Addr().String() + " > " + c.bTo.rtp.String(), c.aTo.rtp.String() + " > " + c.a.Addr().String(),
	}
	if len(ways) != 6 {
		t.Errorf("%d ways: %v", len(ways), ways)
	}
	for i, way := range want {
		if n := to[i/2] - from[i/2]; ways[way] < n {
			t.Errorf("%d packets %s, of %d: %v", ways[way], way, n, ways)
		}
	}
	texts := ""
	for _, d := range f.seen {
		if line, _, ok := strings.Cut(string(d.payload), "\r\n"); ok && strings.Contains(line, "SIP/2.0") {
			texts += line + "\n"
		}
	}
	if !strings.Contains(texts, "BYE sip:") || strings.Count(texts, "INVITE sip:") < 3 { // or more: on a slow machine they are repeated
		t.Errorf("messages:\n%s", texts)
	}
	if n := st.sys.metric("sidetrack_capture_dropped_packets_total"); n != 0 {
		t.Errorf("%v packets dropped", n)
	}
}

// Limits end a capture, not the call; there are four at most, and one whose reader has gone makes room.
func TestCapturesAreBounded(t *testing.T) {
	st := newStage(t, setup{srs: -1, noPolicy: true})
	c := st.establish(dialing{})
	call := st.sys.list("/api/v1/calls")[0].str("id")
	path := "/api/v1/calls/" + call + "/pcap"
	st.sys.capture(t, call, `{"limit": "30ms"}`).rest()
	f := st.sys.capture(t, call, `{"bytes": 65536, "limit": "10m"}`)
	f.rest()
	size := 24
	for _, d := range f.seen {
		size += 16 + 28 + len(d.payload)
	}
	if size > 65536 || size < 65536-1000 {
		t.Errorf("%d bytes of at most 65536", size)
	}
	var open []*capturing
	for range 4 {
		open = append(open, st.sys.capture(t, call, `{"limit": "10m"}`))
	}
	if status, body := st.sys.do("POST", path); status != 409 || !strings.Contains(string(body), "4 captures run already") {
		t.Errorf("a fifth: %d %s", status, body)
	}
	open[0].resp.Body.Close()
	if !peer.Eventually(func() bool {
		status, _ := st.sys.doBody("POST", path, `{"limit": "1ms"}`)
		return status == 200
	}) {
		t.Error("no room after one has ended")
	}
	c.heard(5)
	c.quiet()
	c.hangUp()
	for _, f := range open[1:] {
		f.rest()
	}
}
