package scenario_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"sidetrack/tests/peer"
)

// homer takes HEPv3 packets and keeps them as chunks.
type homer struct {
	conn *net.UDPConn
	done chan struct{}

	mu      sync.Mutex
	packets []map[uint16]string
}

func newHomer(t *testing.T) *homer {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(apiIP)})
	if err != nil {
		t.Fatal(err)
	}
	h := &homer{conn: conn, done: make(chan struct{})}
	go h.read(t)
	t.Cleanup(func() {
		conn.Close()
		<-h.done
	})
	return h
}

func (h *homer) read(t *testing.T) {
	defer close(h.done)
	b := make([]byte, 1<<16)
	for {
		n, err := h.conn.Read(b)
		if err != nil {
			return
		}
		packet := map[uint16]string{}
		for rest := b[6:n]; len(rest) >= 6; {
			size := int(binary.BigEndian.Uint16(rest[4:]))
			if size < 6 || size > len(rest) {
				t.Errorf("no chunk: % x", rest)
				break
			}
			packet[binary.BigEndian.Uint16(rest[2:])] = string(rest[6:size])
			rest = rest[size:]
		}
		h.mu.Lock()
		h.packets = append(h.packets, packet)
		h.mu.Unlock()
	}
}

// kind awaits n packets of that protocol type whose payload holds the text, and gives all of them.
func (h *homer) kind(t *testing.T, kind byte, text string, n int) []map[uint16]string {
	t.Helper()
	var got []map[uint16]string
	if !peer.Eventually(func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		got = slices.DeleteFunc(slices.Clone(h.packets), func(p map[uint16]string) bool {
			return p[11] != string(kind) || !strings.Contains(p[15], text)
		})
		return len(got) >= n
	}) {
		t.Fatalf("%d of %d packets of type %d with %q: %v", len(got), n, kind, text, h.packets)
	}
	return got
}

// Homer sees both legs, the recording session, an SRS that refused, RTCP of the parties, the SRS's and our own to it, and the
// verdict of a call under its one Call-ID, though each dialog has another.
func TestHEPShowsACallAsOne(t *testing.T) {
	h := newHomer(t)
	st := newStage(t, setup{srs: 2, identity: "rewrite", more: fmt.Sprintf("hep: {address: \"udp://%s\", capture_id: 7, node: edge}", h.conn.LocalAddr())})
	c := st.establish(dialing{})
	st.srss[0].Expect("INVITE").Reply(503)
	st.srss[0].Expect("ACK")
	rs := st.srss[1].Accept()
	c.recorded(rs, 5)
	report := receiverReport(c.a.SSRC)
	c.a.SendRTCP(c.aTo.rtcp, report)
	c.b.AwaitRTCP("the receiver report", func(b []byte) bool { return slices.Equal(b, report) })
	copies, ssrc := rs.Streams["1"], rs.Streams["1"].Packets()[0].SSRC
	copies.AwaitRTCP("our sender report", func(b []byte) bool { return len(b) >= 28 && b[1] == 200 && binary.BigEndian.Uint32(b[4:]) == ssrc })
	lossy := append([]byte{0x81, 201, 0, 7, 0, 0, 0, 99}, make([]byte, 24)...)
	binary.BigEndian.PutUint32(lossy[8:], ssrc)
	lossy[12] = 64 // a quarter is lost
	ours := firstMedia(t, rs.Invite.Message)
	copies.SendRTCP(ours.rtcp, lossy)
	heard := h.kind(t, 5, fmt.Sprintf(`"source_ssrc":%d,"fraction_lost":64,`, ssrc), 1)[0]
	c.hangUp()
	rs.End()

	callID := c.out.Sent.CallID()
	dialogs := map[string]bool{}
	if !peer.Eventually(func() bool { // two legs, two SRSs
		for _, p := range h.kind(t, 1, "CSeq: ", 1) {
			dialogs[callIDOf(p[15])] = true
		}
		return len(dialogs) == 4
	}) {
		t.Errorf("%d dialogs: %v", len(dialogs), dialogs)
	}
	for _, p := range h.kind(t, 1, "CSeq: ", 1) {
		if p[17] != callID {
			t.Errorf("a message under %q:\n%s", p[17], p[15])
		}
	}
	if p := h.kind(t, 5, fmt.Sprintf(`"ssrc":%d,`, c.a.SSRC), 1)[0]; p[17] != callID || p[19] != "edge" || p[12] != "\x00\x00\x00\x07" {
		t.Errorf("RTCP: %v", p)
	}
	sent := h.kind(t, 5, fmt.Sprintf(`"ssrc":%d,"type":200,`, ssrc), 1)[0]
	if sent[17] != callID || !strings.Contains(sent[15], `"packets":`) {
		t.Errorf("our sender report: %v", sent)
	}
	if heard[17] != callID || !strings.Contains(heard[15], `"ssrc":99,"type":201,`) || heard[3] != sent[4] || heard[4] != sent[3] || heard[7] != sent[8] || heard[8] != sent[7] {
		t.Errorf("the SRS's report: %v, after ours: %v", heard, sent)
	}
	if at := net.JoinHostPort(net.IP(heard[4]).String(), fmt.Sprint(binary.BigEndian.Uint16([]byte(heard[8])))); at != ours.rtcp.String() {
		t.Errorf("the SRS's report came to %s, and is told of %s", ours.rtcp, at)
	}
	if p := h.kind(t, 100, `"result":"complete"`, 1)[0]; p[17] != callID || !strings.Contains(p[15], `"code":503`) {
		t.Errorf("the verdict: %v", p)
	}
	if n := st.sys.sum("sidetrack_hep_dropped_packets_total"); n != 0 {
		t.Errorf("%v packets dropped", n)
	}
}

func callIDOf(message string) string {
	_, rest, _ := strings.Cut(message, "\r\nCall-ID: ")
	id, _, _ := strings.Cut(rest, "\r\n")
	return id
}
