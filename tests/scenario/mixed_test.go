package scenario_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/audio"
	"sidetrack/tests/peer"
)

// drone has a party say one level for as long as it may, at the pace of real audio: what is mixed of two such is their sum,
// whatever the jitter of a busy machine does to it.
func drone(t *testing.T, from *peer.Media, to netip.AddrPort, codec string, level int16) (stop func()) {
	t.Helper()
	return droneBy(t, from, to, codec, level, func(b []byte) []byte { return b })
}

// droneBy is drone with packets that seal has changed.
func droneBy(t *testing.T, from *peer.Media, to netip.AddrPort, codec string, level int16, seal func([]byte) []byte) (stop func()) {
	t.Helper()
	c, _ := audio.FindCodec(codec, 8000, 1)
	pt := map[string]byte{"PCMU": 0, "PCMA": 8}[codec]
	payload := c.NewEncoder().Encode(nil, slices.Repeat([]int16{level}, peer.Frame))
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		begun := time.Now()
		for n := uint32(0); ; n++ {
			b := make([]byte, 12, 12+peer.Frame)
			b[0], b[1] = 0x80, pt
			binary.BigEndian.PutUint16(b[2:], uint16(n))
			binary.BigEndian.PutUint32(b[4:], uint32(time.Since(begun)/(20*time.Millisecond))*peer.Frame) // a late packet is a lost one
			binary.BigEndian.PutUint32(b[8:], uint32(level))
			from.SendRaw(to, seal(append(b, payload...)))
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	})
	stop = sync.OnceFunc(func() { close(quit); done.Wait() })
	t.Cleanup(stop)
	return stop
}

// hears waits until a stream has n more packets of that level.
func hears(t *testing.T, what string, stream *peer.Media, want int) {
	t.Helper()
	after := len(stream.Packets())
	t.Cleanup(func() {
		if t.Failed() {
			all := stream.Packets()
			t.Logf("%s: %d packets before, %d in all", what, after, len(all))
			for _, p := range all[max(0, len(all)-10):] {
				t.Logf("%d %d pt %d % x", p.Seq, p.Stamp, p.PT, p.Payload[:8])
			}
		}
	})
	stream.Await(what, func(all []peer.Packet) bool {
		n := 0
		for _, p := range all[after:] {
			codec, _ := audio.FindCodec(map[uint8]string{0: "PCMU", 8: "PCMA"}[p.PT], 8000, 1)
			pcm := codec.NewDecoder().Decode(nil, p.Payload[4*(p.Raw[0]&0xf):]) // behind the CSRC list
			if lowest, highest := int(slices.Min(pcm)), int(slices.Max(pcm)); lowest >= want-want/20-20 && highest <= want+want/20+20 {
				n++
			}
		}
		return n >= 10
	})
}

// One stream has both parties: one alone, held and resumed, another codec in the call, another SRS. It stays one source
// whose numbers go on, and the SRS is told of nothing that does not concern it.
func TestMixedRecording(t *testing.T) {
	st := newStage(t, setup{srs: 2, recorder: "    dialect: {streams: mixed}"})
	c := st.establish(dialing{quiet: true})
	rs := st.srss[0].Accept()
	if m := rs.Offer().Media; len(m) != 1 || m[0].Label != "1" || m[0].Direction != "sendonly" || !slices.Equal(m[0].Formats, []string{"0", "8"}) {
		t.Fatalf("offered %+v", m)
	}
	mix := rs.Streams["1"]
	stopA := drone(t, c.a, c.aTo.rtp, "PCMU", 4000)
	stopB := drone(t, c.b, c.bTo.rtp, "PCMU", 1500)
	hears(t, "both", mix, 5500)
	stopB()
	hears(t, "the caller alone", mix, 4000)
	stopA()
	hears(t, "none", mix, 0)
	stopB = drone(t, c.b, c.bTo.rtp, "PCMU", 1500)
	hears(t, "the callee alone", mix, 1500)
	stopA = drone(t, c.a, c.aTo.rtp, "PCMU", 3000)
	hears(t, "both again", mix, 4500)

	c.apply(change{method: "INVITE", offer: peer.Line{Direction: "sendonly"}, answer: peer.Line{Direction: "recvonly"}})
	rs.Update()
	if got := rs.Directions(); !slices.Equal(got, []string{"inactive"}) {
		t.Errorf("held, and offered %v", got)
	}
	c.apply(change{method: "INVITE"})
	rs.Update()
	hears(t, "both after the hold", mix, 4500)

	stopA()
	stopB()
	c.apply(change{method: "INVITE", offer: peer.Line{Payload: 8}, answer: peer.Line{Payload: 8}}) // nothing to tell the SRS
	drone(t, c.a, c.aTo.rtp, "PCMA", 2500)
	drone(t, c.b, c.bTo.rtp, "PCMA", 1000)
	hears(t, "both in another codec", mix, 3500)

	moved := post(st, "/api/v1/recordings/"+st.sys.recordings()[0].str("id")+"/move", 200)
	rs.End()
	next := st.srss[1].Accept()
	<-moved
	hears(t, "both at the next SRS", next.Streams["1"], 3500)
	c.hangUp()
	next.End()
	last := peer.Packet{}
	for _, s := range []*peer.Session{rs, next} {
		for i, p := range s.Streams["1"].Packets() {
			if last.Raw != nil && (p.SSRC != last.SSRC || i > 0 && p.Seq != last.Seq+1) {
				t.Fatalf("packet %d: %d of %x after %d of %x", i, p.Seq, p.SSRC, last.Seq, last.SSRC)
			}
			last = p
		}
	}
	r := st.sys.recordings()[0]
	if !peer.Eventually(func() bool { r = st.sys.recordings()[0]; return r.str("result") == "complete" }) {
		t.Errorf("%v", r)
	}
	if streams, _ := r["streams"].([]any); len(streams) != 1 || streams[0].(map[string]any)["party"] != "both" {
		t.Errorf("shown as %v", r["streams"])
	}
}

// Parties that encrypt are mixed as well, where their keys pass or end here.
func TestMixOfAnEncryptedCall(t *testing.T) {
	for name, c := range map[string]struct {
		route       string
		left, right ends
	}{
		"passed": {"srtp: pass", ends{suite: cm80, quiet: true}, ends{suite: cm80, asked: "RTP/SAVP", passes: true}},
		"ended":  {route("required", "required"), ends{suite: cm80, quiet: true}, ends{suite: gcm256, asked: "RTP/SAVP"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, setup{route: c.route, recorder: "    plain_copy: true\n    dialect: {streams: mixed}"})
			call, keys := st.legsCall(c.left, c.right)
			rs := st.srs().Accept()
			stopA := droneBy(t, call.a, call.aTo.rtp, "PCMU", 4000, keys[0].seal())
			stopB := droneBy(t, call.b, call.bTo.rtp, "PCMU", 1500, keys[1].seal())
			hears(t, "both", rs.Streams["1"], 5500)
			stopA()
			stopB()
			call.hangUp()
			rs.End()
		})
	}
}
