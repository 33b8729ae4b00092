package recorder

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sidetrack/internal/audio"
	"sidetrack/internal/sdp"
)

// filesIn are the files of a track in a folder, written by c or, where it is nil, at once.
func filesIn(dir string, t *track, c *clerk) func(string) *file {
	return func(extension string) *file {
		return &file{
			clerk: c, path: func() (string, error) { return filepath.Join(dir, "1"+extension), nil },
			failed: func(err error) { t.fault.set(err) },
		}
	}
}

// FuzzMedia feeds a stream with datagrams cut from the input: a byte of flags, a
// byte of length, a byte of time. Whatever they are: no panic, files that can be
// read, and no more audio than the clock allows.
func FuzzMedia(f *testing.F) {
	seed := []byte{}
	for i := range uint16(12) {
		d := datagram(65530+i, uint32(i)*160, 7)
		seed = append(append(seed, 0, byte(len(d)), 20), d...)
	}
	f.Add(seed)
	f.Add([]byte{1, 8, 1, 0x81, 200, 0, 1, 0, 0, 0, 7})
	f.Add([]byte{0, 14, 255, 0x80, 101, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 5, 10})
	f.Add([]byte{0, 13, 1, 0x80, 9, 0, 1, 255, 0, 0, 0, 0, 0, 0, 7, 5, 0, 13, 1, 0x80, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 8, 5})
	f.Fuzz(func(t *testing.T, in []byte) {
		dir := t.TempDir()
		s := &stream{label: "1", epoch: time.Now(), wanted: true}
		s.rx.deliver, s.rx.changed = s.deliver, s.track.sourceChanged
		s.track.cfg = trackConfig{
			start: s.epoch, local: netip.MustParseAddrPort("127.0.0.1:4000"),
			file: filesIn(dir, &s.track, nil),
		}
		s.learn([]sdp.Format{{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}, {PT: 9, Name: "G722", Clock: 8000, Channels: 1},
			{PT: 97, Name: "L16", Clock: 44100, Channels: 2}, {PT: 101, Name: "telephone-event", Clock: 8000, Channels: 1},
			{PT: 13, Name: "CN", Clock: 8000, Channels: 1}, {PT: 111, Name: "opus", Clock: 48000, Channels: 2}})
		at := time.Duration(0)
		for len(in) > 3 {
			flags, n := in[0], min(int(in[1]), len(in)-3)
			at += time.Duration(in[2]) * time.Millisecond
			b := in[3 : 3+n]
			in = in[3+n:]
			if flags&1 != 0 {
				s.control(b, at)
			} else {
				s.rx.receive(b, at)
			}
			if flags&2 != 0 {
				s.track.pause(at)
			}
			if flags&4 != 0 {
				s.track.resume(at)
			}
		}
		s.rx.flush()
		check(t, s, at)
	})
}

func check(t *testing.T, s *stream, at time.Duration) {
	length := s.length()
	if limit := (at + aheadLimit + 10*time.Second).Seconds(); length > limit {
		t.Fatalf("%.1f s of audio after %.1f s", length, at.Seconds())
	}
	s.finish(length+1, 0, false)
	if err := s.track.fault.get(); err != nil {
		t.Fatal(err)
	}
	sum, _ := s.summarize()
	if _, ok := s.report("x"); !ok {
		t.Fatal("no receiver report can be made")
	}
	if sum.File == "" {
		t.Fatal("no file")
	}
	if filepath.Ext(sum.File) == ".wav" && length < 3 {
		if _, err := audio.ReadWAVFile(sum.File); err != nil {
			t.Fatal(err)
		}
	} else if _, err := os.Stat(sum.File); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkStream(b *testing.B) {
	dir := b.TempDir()
	s := &stream{label: "1", epoch: time.Now(), wanted: true}
	s.rx.deliver, s.rx.changed = s.deliver, s.track.sourceChanged
	s.track.cfg.file = filesIn(dir, &s.track, nil)
	s.learn([]sdp.Format{{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}})
	from := netip.MustParseAddrPort("127.0.0.1:4000")
	s.latch.expect(from.Addr())
	d := append(datagram(0, 0, 7), make([]byte, 156)...)
	s.epoch = time.Now()
	i := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		binary.BigEndian.PutUint16(d[2:], uint16(i))
		binary.BigEndian.PutUint32(d[4:], i*160)
		if i%1000 == 0 {
			s.epoch = s.epoch.Add(-20 * time.Second) // keep up with the timestamps
		}
		i++
		s.takeRTP(d, from)
	}
	if s.track.excess > 0 || s.rx.n.lost > 0 {
		b.Fatalf("%d too early, %+v", s.track.excess, s.rx.n)
	}
	s.finish(0, 0, true)
}
