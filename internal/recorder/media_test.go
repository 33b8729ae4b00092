package recorder_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"sidetrack/internal/audio"
	"sidetrack/internal/recorder"
)

// sender is one RTP source. Its packets may leave faster than real time: what
// counts is their timestamps.
type sender struct {
	t       testing.TB
	conn    *net.UDPConn
	to      netip.AddrPort
	pt      byte
	seq     uint16
	ts      uint32
	ssrc    uint32
	codec   audio.Codec
	encoder audio.Encoder
	voice   *audio.Voice
}

func newSender(c *client, stream int, codec string, pt byte, voice int) *sender {
	c.t.Helper()
	clock := 8000
	if codec == "L16" {
		clock = 16000
	}
	k, ok := audio.FindCodec(codec, clock, 1)
	if !ok {
		c.t.Fatalf("no codec %s", codec)
	}
	return &sender{
		t: c.t, conn: c.media[stream], to: c.rtpTo(stream), pt: pt, seq: 65500, ts: 0xfffffff0, ssrc: 1000 + uint32(stream),
		codec: k, encoder: k.NewEncoder(), voice: audio.NewVoice(k.Rate, voice),
	}
}

func (s *sender) packet(payload []byte, pt byte) []byte {
	b := []byte{0x80, pt}
	b = binary.BigEndian.AppendUint16(b, s.seq)
	b = binary.BigEndian.AppendUint32(b, s.ts)
	b = binary.BigEndian.AppendUint32(b, s.ssrc)
	return append(b, payload...)
}

func (s *sender) write(b []byte) {
	s.t.Helper()
	if _, err := s.conn.WriteToUDPAddrPort(b, s.to); err != nil {
		s.t.Fatal(err)
	}
}

// frame returns the next 20 ms packet and counts on.
func (s *sender) frame() []byte {
	pcm := make([]int16, s.codec.Rate/50)
	s.voice.Read(pcm)
	b := s.packet(s.encoder.Encode(nil, pcm), s.pt)
	s.seq++
	s.ts += uint32(s.codec.Clock / 50)
	return b
}

// talk sends n packets of 20 ms, faster than real time.
func (s *sender) talk(n int) {
	s.t.Helper()
	for range n {
		s.write(s.frame())
	}
}

// frames are the next n packets.
func (s *sender) frames(n int) (all [][]byte) {
	for range n {
		all = append(all, s.frame())
	}
	return all
}

// burst sends packets that are ready: making them takes a busy machine its time, and arrival counts. No more than a
// socket has room for.
func (s *sender) burst(all [][]byte) {
	s.t.Helper()
	for _, b := range all {
		s.write(b)
	}
}

// hold lets the sender's clock run without sending.
func (s *sender) hold(seconds float64) { s.ts += uint32(seconds * float64(s.codec.Clock)) }

// packets waits until the recorder has seen n packets of the stream.
func packets(t testing.TB, s *recorder.Server, stream int, n uint64) {
	t.Helper()
	eventually(t, "packets arrive", func() bool {
		for _, sum := range s.Sessions() {
			if sum.Reason == "" && len(sum.Streams) > stream && sum.Streams[stream].Packets >= n {
				return true
			}
		}
		return false
	})
}

// wav reads the file of a stream, which must be a WAV.
func wav(t testing.TB, s recorder.Summary, stream int) audio.WAV {
	t.Helper()
	if stream >= len(s.Streams) {
		t.Fatalf("session has %d streams: %+v", len(s.Streams), s)
	}
	w, err := audio.ReadWAVFile(s.Streams[stream].File)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// only checks that voice n, and no other of the first eight, is heard.
func only(t testing.TB, what string, pcm []int16, rate, n int) {
	t.Helper()
	for other := range 8 {
		if got := audio.Heard(pcm, rate, other); got != (other == n) {
			t.Errorf("%s: voice %d heard: %v (level %.3f)", what, other, got, audio.Tone(pcm, rate, audio.VoiceTones(other)[0]))
		}
	}
}

func silent(t testing.TB, what string, pcm []int16) {
	t.Helper()
	if len(pcm) == 0 {
		t.Errorf("%s: nothing there", what)
	}
	for i, v := range pcm {
		if v != 0 {
			t.Errorf("%s: sample %d of %d is %d", what, i, len(pcm), v)
			return
		}
	}
}
