package scenario_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"testing"

	"sidetrack/internal/audio"
	"sidetrack/internal/recorder"
	"sidetrack/tests/peer"
)

// speaker sends real audio in PCMU from a party's port, and telephone-events beside it, as fast as it arrives.
type speaker struct {
	from, to *peer.Media // who speaks, who hears
	at       netip.AddrPort
	seq      uint16
	stamp    uint32
	ssrc     uint32
	sent     [][]byte
}

func (c *call) speakers() (a, b *speaker) {
	a = &speaker{from: c.a, to: c.b, at: c.aTo.rtp, seq: 65000, stamp: 1 << 31, ssrc: 1}
	b = &speaker{from: c.b, to: c.a, at: c.bTo.rtp, seq: 100, stamp: 77, ssrc: 2}
	return a, b
}

func (s *speaker) packet(pt byte, marker bool, stamp uint32, payload []byte) {
	b := make([]byte, 12, 12+len(payload))
	b[0], b[1] = 0x80, pt
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], s.seq)
	binary.BigEndian.PutUint32(b[4:], stamp)
	binary.BigEndian.PutUint32(b[8:], s.ssrc)
	b = append(b, payload...)
	s.seq++
	s.sent = append(s.sent, b)
	s.from.SendRaw(s.at, b)
	if n := len(s.sent); n%20 == 0 {
		s.await()
	}
}

// await waits until all that was sent has been heard.
func (s *speaker) await() []peer.Packet {
	return s.to.Await("audio", func(all []peer.Packet) bool { return len(all) >= len(s.sent) })
}

// say sends pcm in packets of 20 ms.
func (s *speaker) say(pcm []int16) {
	codec, _ := audio.FindCodec("PCMU", 8000, 1)
	for enc := codec.NewEncoder(); len(pcm) >= peer.Frame; pcm = pcm[peer.Frame:] {
		s.packet(0, len(s.sent) == 0, s.stamp, enc.Encode(nil, pcm[:peer.Frame]))
		s.stamp += peer.Frame
	}
}

// listen decodes what has been heard, by the timestamps.
func listen(t *testing.T, packets []peer.Packet) (pcm []int16) {
	t.Helper()
	codec, _ := audio.FindCodec("PCMU", 8000, 1)
	dec := codec.NewDecoder()
	for _, p := range packets {
		if p.PT != 0 {
			continue
		}
		at := int(p.Stamp - packets[0].Stamp)
		if at > 100*8000 {
			t.Fatalf("timestamp %d after %d", p.Stamp, packets[0].Stamp)
		}
		for len(pcm) < at {
			pcm = append(pcm, 0)
		}
		pcm = dec.Decode(pcm[:at], p.Payload)
	}
	return pcm
}

// untouched compares headers and sizes of what was heard with what was sent.
func (s *speaker) untouched(t *testing.T) (altered int) {
	t.Helper()
	heard := s.await()
	for i, p := range heard {
		if i >= len(s.sent) || !bytes.Equal(p.Raw[:12], s.sent[i][:12]) || len(p.Raw) != len(s.sent[i]) {
			t.Fatalf("packet %d of %d was heard as % x", i, len(s.sent), p.Raw[:12])
		}
		if !bytes.Equal(p.Raw, s.sent[i]) {
			altered++
		}
	}
	return altered
}

// sounds judges the bursts of a tone: frequency, length, level and period within 1 %.
func sounds(t *testing.T, who string, pcm []int16, hertz, amplitude, length, period float64, n int) {
	t.Helper()
	found := audio.Bursts(pcm, 8000, hertz)
	if len(found) != n {
		t.Fatalf("%s hears %d bursts, not %d: %+v", who, len(found), n, found)
	}
	off := func(got, want float64) bool { return math.Abs(got-want) > .01*want }
	for i, b := range found {
		if off(b.Hertz, hertz) || off(b.Amplitude, amplitude) || off(b.Length, length) || i > 0 && off(b.Start-found[i-1].Start, period) {
			t.Errorf("%s: burst %d: %+v", who, i, b)
		}
	}
}

// The recording tone as both parties hear it and the recorder does not, or does.
func TestRecordingTone(t *testing.T) {
	for name, copied := range map[string]bool{"not copied": false, "copied": true} {
		t.Run(name, func(t *testing.T) {
			rule := "tone: fs1037c"
			if copied {
				rule = "tone: {form: fcc1948, jitter: 0s, period: 5s, frequency: 1150, level: -12, copy: true}"
			}
			st := newStage(t, setup{rule: rule})
			c := st.establish(dialing{quiet: true})
			rs := st.srs().Accept()
			c.running()
			a, b := c.speakers()
			quiet := make([]int16, 8000)
			for range 31 {
				a.say(quiet)
				b.say(quiet)
			}
			hertz, level, length, period, n := 1400.0, -24.0, .5, 15.0, 3
			if copied {
				hertz, level, length, period, n = 1150, -12, .2, 5, 7
			}
			sounds(t, "callee", listen(t, a.await()), hertz, audio.Decibels(level), length, period, n)
			sounds(t, "caller", listen(t, b.await()), hertz, audio.Decibels(level), length, period, n)
			if most := n * int(length*50+2); a.untouched(t) > most || b.untouched(t) > most {
				t.Errorf("%d and %d packets altered, %d are in bursts", a.untouched(t), b.untouched(t), most)
			}
			for label, s := range map[string]*speaker{"1": a, "2": b} {
				got := rs.Streams[label].Await("copies", func(all []peer.Packet) bool { return len(all) >= len(s.sent) })
				if copied {
					sounds(t, "recorder", listen(t, got), hertz, audio.Decibels(level), length, period, n)
					continue
				}
				for i, p := range got {
					if !bytes.Equal(p.Payload, s.sent[i][12:]) {
						t.Fatalf("label %s: packet %d of the copy has changed", label, i)
					}
				}
			}
			c.hangUp()
			rs.End()
		})
	}
}

// running waits until the call is recorded.
func (c *call) running() {
	c.st.t.Helper()
	recording := func() bool {
		all := c.st.sys.recordings()
		return len(all) > 0 && all[0].str("state") == "recording"
	}
	if !peer.Eventually(recording) {
		c.st.t.Fatalf("not recorded: %v", c.st.sys.recordings())
	}
}

// embedded is the product's own recorder, which writes WAV files.
func embedded(t *testing.T, sums chan<- recorder.Summary) *recorder.Server {
	t.Helper()
	rec, err := recorder.New(recorder.Config{
		Listen: []string{"udp://" + freePort(t, srsIP)}, Out: t.TempDir(), PortMin: 25000, PortMax: 25999,
		OnSession: func(s recorder.Summary) { sums <- s },
	})
	if err == nil {
		err = rec.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rec.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return rec
}

// withKeys describes a party that speaks PCMU and sends keys as events.
func withKeys(m *peer.Media) []byte {
	sdp := peer.BuildSDP(1, peer.Line{Media: m, Extra: []string{"rtpmap:101 telephone-event/8000"}})
	return bytes.Replace(sdp, []byte("RTP/AVP 0"), []byte("RTP/AVP 0 101"), 1)
}

// dial sends keys of 100 ms as gateways do: tones in the audio, an event beside it, its end three times.
func (s *speaker) dial(keys string) {
	for i := range keys {
		tone, start := audio.DTMF(8000, keys[i], .2, 800), s.stamp
		event := func(end bool, ticks uint16) {
			payload := []byte{byte(bytes.IndexByte([]byte("0123456789*#ABCD"), keys[i])), 10, byte(ticks >> 8), byte(ticks)}
			if end {
				payload[1] |= 0x80
			}
			s.packet(101, ticks == peer.Frame, start, payload)
		}
		for n := range 5 {
			event(false, uint16(n+1)*peer.Frame)
			s.say(tone[n*peer.Frame : (n+1)*peer.Frame])
		}
		for range 3 {
			event(true, 5*peer.Frame)
		}
		s.say(make([]int16, 800))
	}
}

// Keys are found by a DTMF decoder in the recorder's WAV where they pass, and none where they are masked.
func TestKeysInTheRecording(t *testing.T) {
	const dialled = "4000123*7#A"
	for rule, want := range map[string]string{"pass": dialled, "mask": ""} {
		t.Run(rule, func(t *testing.T) {
			sums := make(chan recorder.Summary, 1)
			rec := embedded(t, sums)
			st := newStage(t, setup{srs: -1, srsURIs: rec.URIs()[0], recorder: "    dtmf: " + rule})
			c := st.newCall(dialing{})
			c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: withKeys(c.a)})
			c.in = st.callee.Expect("INVITE")
			c.in.Reply(200, peer.WithSDP(withKeys(c.b)))
			c.accepted(dialing{quiet: true})
			c.running()
			a, b := c.speakers()
			a.say(make([]int16, 1600))
			b.say(make([]int16, 1600))
			a.dial(dialled)
			if got := audio.FindDTMF(listen(t, a.await()), 8000); got != dialled || a.untouched(t) != 0 {
				t.Errorf("the callee hears %q", got)
			}
			c.hangUp()
			sum := <-sums
			wav, err := audio.ReadWAVFile(sum.Streams[0].File)
			if err != nil {
				t.Fatal(err)
			}
			if got := audio.FindDTMF(wav.PCM, wav.Rate); got != want || wav.Seconds() < 2 {
				t.Errorf("in %.2f s of the recording there is %q, not %q", wav.Seconds(), got, want)
			}
		})
	}
}

// An announcement from a file, to both parties, before they hear each other: its tones are measured where it is heard.
func TestAnnouncement(t *testing.T) {
	file := t.TempDir() + "/notice.wav"
	w, err := audio.CreateWAV(file, 16000, 1)
	if err == nil {
		err = errors.Join(w.Write(audio.Sine(16000, 880, .25, 16000*2/5)), w.Write(make([]int16, 1600)), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	st := newStage(t, setup{rule: `announce: {file: "` + file + `", side: both, copy: true}`})
	c := st.establish(dialing{quiet: true})
	rs := st.srs().Accept()
	for who, m := range map[string]*peer.Media{"caller": c.a, "callee": c.b, "recorder, label 1": rs.Streams["1"], "recorder, label 2": rs.Streams["2"]} {
		got := m.Await("announcement", func(all []peer.Packet) bool { return len(all) >= 25 })[:25]
		for i, p := range got[1:] {
			if p.Seq != got[i].Seq+1 || p.Stamp != got[i].Stamp+peer.Frame || p.SSRC != got[0].SSRC || p.Marker {
				t.Fatalf("%s: packet %d is %+v after %+v", who, i+1, p.Raw[:12], got[i].Raw[:12])
			}
		}
		sounds(t, who, listen(t, got), 880, .25, .4, 1, 1)
	}
	c.talk()
	c.heard(20)
	c.hangUp()
	rs.End()
}
