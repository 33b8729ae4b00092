package recorder_test

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"sidetrack/internal/audio"
	"sidetrack/internal/recorder"
)

// decoded is what n packets of a voice sound like after PCMU.
func decoded(voice, n int) []int16 {
	pcm := make([]int16, 160*n)
	audio.NewVoice(8000, voice).Read(pcm)
	c, _ := audio.FindCodec("PCMU", 8000, 1)
	return c.NewDecoder().Decode(nil, c.NewEncoder().Encode(nil, pcm))
}

func same(a, b []int16) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Sequence numbers and timestamps wrap early in each of these: see newSender.
func TestUglyNetwork(t *testing.T) {
	const n = 120
	tests := []struct {
		name      string
		order     func(p [][]byte) [][]byte
		missing   []int // packets that must be silence
		lost, dup uint64
		reordered uint64
		late      uint64
	}{
		{name: "as sent", order: func(p [][]byte) [][]byte { return p }},
		{name: "loss", order: func(p [][]byte) [][]byte {
			return append(append(append([][]byte{}, p[:30]...), p[33:60]...), p[61:]...)
		}, missing: []int{30, 31, 32, 60}, lost: 4},
		{name: "duplicates", order: func(p [][]byte) (out [][]byte) {
			for _, b := range p {
				out = append(out, b, b)
			}
			return out
		}, dup: n},
		{name: "each pair swapped", order: func(p [][]byte) (out [][]byte) {
			for i := 0; i < len(p); i += 2 {
				out = append(out, p[i+1], p[i])
			}
			return out
		}, reordered: n / 2},
		{name: "one far behind", order: func(p [][]byte) (out [][]byte) {
			out = append(append(out, p[:40]...), p[41:60]...)
			return append(append(out, p[40]), p[60:]...)
		}, reordered: 1},
		{name: "one too late", order: func(p [][]byte) (out [][]byte) {
			out = append(append(out, p[:40]...), p[41:90]...)
			return append(append(out, p[40]), p[90:]...)
		}, missing: []int{40}, late: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ended := serve(t, nil)
			c := dial(t, s, "udp", 1)
			c.call(offer{sections: []section{{label: "1"}}})
			x := newSender(c, 0, "PCMU", 0, 0)
			var all [][]byte
			for range n {
				all = append(all, x.frame())
			}
			for _, b := range tt.order(all) {
				x.write(b)
			}
			c.bye()
			sum := result(t, ended)
			st := sum.Streams[0]
			if st.Lost != tt.lost || st.Duplicate != tt.dup || st.Late != tt.late || st.Reordered < tt.reordered ||
				st.Packets != n-tt.lost-tt.late || sum.Complete != (tt.lost+tt.late == 0) {
				t.Errorf("%+v, complete %v, problems %q", st, sum.Complete, sum.Problems)
			}
			want := decoded(0, n)
			for _, i := range tt.missing {
				clear(want[160*i : 160*i+160])
			}
			from := int(math.Round(st.First * 8000))
			if got := wav(t, sum, 0).PCM[from:]; !same(got[:len(want)], want) {
				t.Error("the audio is not what was sent, with silence for what was lost")
			}
		})
	}
}

func TestGapsAreTold(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 1)
	c.call(offer{sections: []section{{label: "1"}}})
	x := newSender(c, 0, "PCMU", 0, 0)
	x.talk(20)
	for range 5 { // lost on the way
		x.frame()
	}
	x.talk(20)
	x.hold(0.5) // a sender that says nothing for a while
	x.talk(20)
	c.bye()
	sum := result(t, ended)
	gaps, first := sum.Streams[0].Gaps, sum.Streams[0].First
	near := func(a, b float64) bool { return math.Abs(a-b) < 0.001 }
	if len(gaps) != 2 || gaps[0].Lost != 5 || !near(gaps[0].At, first+0.4) || !near(gaps[0].Seconds, 0.1) ||
		gaps[1].Lost != 0 || !near(gaps[1].At, first+0.9) || !near(gaps[1].Seconds, 0.5) {
		t.Errorf("gaps %+v, first audio at %v", gaps, first)
	}
}

func TestNewSourceIsFollowed(t *testing.T) {
	for _, goodbye := range []bool{false, true} {
		s, ended := serve(t, nil)
		c := dial(t, s, "udp", 1)
		c.call(offer{sections: []section{{label: "1"}}})
		x := newSender(c, 0, "PCMU", 0, 0)
		x.talk(50)
		packets(t, s, 0, 50)
		if goodbye {
			b, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.Goodbye{Sources: []uint32{x.ssrc}}})
			x.conn.WriteToUDPAddrPort(b, x.to) // multiplexed, as some do
		}
		y := newSender(c, 0, "PCMU", 0, 3)
		y.ssrc, y.seq, y.ts = 77, 100, 5
		if !goodbye {
			// Two sources at once: the old one stays.
			y.talk(3)
			x.talk(1)
		}
		var n uint64 = 50
		eventually(t, "the new source is followed", func() bool {
			y.talk(1)
			n++
			return s.Sessions()[0].Streams[0].Sources == 2
		})
		y.talk(50)
		c.bye()
		sum := result(t, ended)
		st := sum.Streams[0]
		w := wav(t, sum, 0)
		only(t, "first source", w.Span(st.First, st.First+0.98), 8000, 0)
		only(t, "second source", w.Span(st.First+1.2, st.First+2), 8000, 3)
		if st.Lost != 0 || st.Sources != 2 || !sum.Complete {
			t.Errorf("%+v", st)
		}
	}
}

func TestStrangersAreNotHeard(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 1)
	c.call(offer{sections: []section{{label: "1"}}})
	stranger := *newSender(c, 0, "PCMU", 0, 5)
	stranger.conn = udpSocket(t, "127.0.0.2")
	x := newSender(c, 0, "PCMU", 0, 0)
	x.talk(10)
	packets(t, s, 0, 10)
	stranger.talk(100)
	x.talk(90)
	packets(t, s, 0, 100)
	c.bye()
	sum := result(t, ended)
	only(t, "with a stranger", wav(t, sum, 0).PCM, 8000, 0)
	if sum.Streams[0].Dropped != 100 {
		t.Errorf("%d dropped, want 100", sum.Streams[0].Dropped)
	}
}

func ntp(at time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(at.Unix()+since1900)<<32 | uint64(at.Nanosecond())<<32/1e9
}

// report sends a sender report: the source's timestamp was base when its clock showed start.
func (x *sender) report(c *client, stream int, base uint32, start time.Time) {
	x.t.Helper()
	now := time.Now()
	sr := &rtcp.SenderReport{SSRC: x.ssrc, NTPTime: ntp(now), RTPTime: base + uint32(int64(now.Sub(start).Seconds()*8000))}
	raw, err := sr.Marshal()
	if err != nil {
		x.t.Fatal(err)
	}
	to := netip.AddrPortFrom(x.to.Addr(), x.to.Port()+1)
	if _, err := c.rtcp[stream].WriteToUDPAddrPort(raw, to); err != nil {
		x.t.Fatal(err)
	}
}

// Two ways in which arrival does not tell when something was said: the second stream's
// packets are late, or both were kept and come at once although the second began later.
func TestSenderReportsAlignTheFiles(t *testing.T) {
	tests := []struct {
		name  string
		late  time.Duration // arrival of the second behind the first
		began time.Duration // and its beginning
	}{
		{"late on the way", 100 * time.Millisecond, 0},
		{"kept and sent at once", 0, 3 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ended := serve(t, nil)
			c := dial(t, s, "udp", 2)
			c.call(two)
			a, b := newSender(c, 0, "PCMU", 0, 0), newSender(c, 1, "PCMU", 0, 0)
			baseA, baseB := a.ts, b.ts
			start := time.Now()
			a.talk(50)
			packets(t, s, 0, 50)
			eventually(t, "the second may come", func() bool { return time.Since(start) > tt.late })
			b.talk(50)
			packets(t, s, 1, 50)
			a.report(c, 0, baseA, start)
			b.report(c, 1, baseB, start.Add(tt.began))
			c.bye()
			sum := result(t, ended)
			x, y := wav(t, sum, 0), wav(t, sum, 1)
			apart := float64(firstSound(y)-firstSound(x)) / 8000
			if math.Abs(apart-tt.began.Seconds()) > 0.002 || len(x.PCM) != len(y.PCM) || len(sum.Problems) > 0 {
				t.Errorf("audio begins %.4f s apart, want %v; aligned by %v and %v; %d and %d samples; problems %q", apart, tt.began,
					sum.Streams[0].Aligned, sum.Streams[1].Aligned, len(x.PCM), len(y.PCM), sum.Problems)
			}
		})
	}
}

func firstSound(w audio.WAV) int {
	return slices.IndexFunc(w.PCM, func(v int16) bool { return v != 0 })
}

func TestReceiverReports(t *testing.T) {
	s, _ := serve(t, func(c *recorder.Config) { c.RTCPInterval = 40 * time.Millisecond })
	c := dial(t, s, "udp", 1)
	c.call(offer{sections: []section{{label: "1"}}})
	x := newSender(c, 0, "PCMU", 0, 0)
	x.talk(40)
	for range 10 {
		x.frame()
	}
	x.talk(50)
	packets(t, s, 0, 90)
	buf := make([]byte, 1500)
	c.rtcp[0].SetReadDeadline(time.Now().Add(patience))
	for {
		n, from, err := c.rtcp[0].ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatal("no receiver report with all of it: ", err)
		}
		list, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			t.Fatal(err)
		}
		rr, ok := list[0].(*rtcp.ReceiverReport)
		if !ok || len(list) != 2 || from.Port() != c.rtpTo(0).Port()+1 {
			t.Fatalf("%d packets from %v, the first %T", len(list), from, list[0])
		}
		if len(rr.Reports) == 1 && uint16(rr.Reports[0].LastSequenceNumber) == x.seq-1 {
			if r := rr.Reports[0]; r.SSRC != 1000 || r.TotalLost != 10 {
				t.Errorf("%+v", r)
			}
			c.bye()
			return
		}
	}
}

func TestGarbageOnTheMediaPorts(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 1)
	c.call(offer{sections: []section{{label: "1"}}})
	x := newSender(c, 0, "PCMU", 0, 0)
	rtcpTo := netip.AddrPortFrom(x.to.Addr(), x.to.Port()+1)
	big := make([]byte, 9000)
	big[0] = 0x40
	for _, b := range [][]byte{{}, {0x80}, {0xff, 200, 0, 0, 1, 2, 3, 4}, big, []byte("GET / HTTP/1.1\r\n\r\n"),
		{0xbf, 0, 0, 1, 0, 0, 0, 1, 0, 0, 3, 0xe8}} {
		x.write(b)
		x.conn.WriteToUDPAddrPort(b, rtcpTo)
	}
	x.talk(50)
	packets(t, s, 0, 50)
	c.bye()
	sum := result(t, ended)
	only(t, "after garbage", wav(t, sum, 0).PCM, 8000, 0)
	if len(sum.Problems) == 0 {
		t.Error("the garbage is not told")
	}
}

func BenchmarkReceive(b *testing.B) {
	s, _ := serve(b, nil)
	c := dial(b, s, "udp", 1)
	c.call(offer{sections: []section{{label: "1"}}})
	x := newSender(c, 0, "PCMU", 0, 0)
	x.frame()
	payload := make([]byte, 160)
	b.ReportAllocs()
	var n uint64
	for b.Loop() {
		x.write(x.packet(payload, 0))
		x.seq++
		n++
		if n%100 == 0 {
			binary.BigEndian.PutUint32(payload, uint32(n))
			packets(b, s, 0, n)
		}
	}
	c.bye()
}
