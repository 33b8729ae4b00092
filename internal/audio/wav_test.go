package audio_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/internal/audio"
)

func create(t testing.TB, rate, channels int) (*audio.WAVWriter, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.wav")
	w, err := audio.CreateWAV(path, rate, channels)
	if err != nil {
		t.Fatal(err)
	}
	return w, path
}

func read(t testing.TB, path string) audio.WAV {
	t.Helper()
	w, err := audio.ReadWAVFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWAVRoundTrip(t *testing.T) {
	w, path := create(t, 8000, 1)
	in := audio.Sine(8000, 440, 0.9, 20001)
	must(t, w.Write(in[:7]))
	must(t, w.Silence(100))
	must(t, w.Write(in[7:]))
	if w.Frames() != 20101 {
		t.Errorf("Frames() = %d, want 20101", w.Frames())
	}
	must(t, w.Close())
	got := read(t, path)
	want := append(append(append([]int16(nil), in[:7]...), make([]int16, 100)...), in[7:]...)
	if got.Rate != 8000 || got.Channels != 1 || !equal(got.PCM, want) {
		t.Errorf("read back %d Hz, %d channels, %d samples (%d wanted), or other content", got.Rate, got.Channels, len(got.PCM), len(want))
	}
	if math.Abs(got.Seconds()-20101.0/8000) > 1e-9 {
		t.Errorf("Seconds() = %v", got.Seconds())
	}
}

func equal(a, b []int16) bool {
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

func TestWAVLongSilenceIsAHole(t *testing.T) {
	w, path := create(t, 8000, 2)
	must(t, w.Write([]int16{1, 2}))
	must(t, w.Silence(1_000_000))
	must(t, w.Write([]int16{3, 4}))
	must(t, w.Silence(1_000_000))
	must(t, w.Close())
	got := read(t, path)
	if len(got.PCM) != 4_000_004 || got.PCM[2_000_002] != 3 || got.PCM[2_000_003] != 4 {
		t.Errorf("%d samples", len(got.PCM))
	}
}

// The writer is never closed: what a reader finds is what a crash leaves.
func TestWAVSurvivesItsWriter(t *testing.T) {
	w, path := create(t, 8000, 1)
	if got := read(t, path); len(got.PCM) != 0 {
		t.Errorf("an empty file holds %d samples", len(got.PCM))
	}
	for range 100 {
		must(t, w.Write(audio.Sine(8000, 440, 0.5, 1600)))
	}
	if got := len(read(t, path).PCM); got < 160000-8*1024 {
		t.Errorf("after 20 s a reader finds only %d samples", got)
	}
	must(t, w.Flush())
	if got := len(read(t, path).PCM); got != 160000 {
		t.Errorf("after Flush a reader finds %d samples, want 160000", got)
	}
	must(t, w.Close())
}

func TestWAVShift(t *testing.T) {
	for _, by := range []int64{1, 2, 3, 4, 5, 40, 4000, -1, -3, -5, -40, -900} {
		w, path := create(t, 8000, 1)
		must(t, w.Silence(900))
		must(t, w.Write([]int16{7, 8, 9}))
		must(t, w.Shift(by))
		must(t, w.Write([]int16{10}))
		must(t, w.Shift(-by))
		must(t, w.Shift(by))
		must(t, w.Close())
		got := read(t, path).PCM
		want := append(make([]int16, 900+by), 7, 8, 9, 10)
		if !equal(got, want) {
			t.Errorf("shift by %d: %d samples, want %d, or other content", by, len(got), len(want))
		}
	}
	w, _ := create(t, 8000, 1)
	must(t, w.Silence(10))
	must(t, w.Write([]int16{1}))
	must(t, w.Silence(10))
	if err := w.Shift(-11); !errors.Is(err, audio.ErrWAVShift) {
		t.Errorf("removing audio gives %v, want ErrWAVShift", err)
	}
	must(t, w.Close())
	if err := w.Write([]int16{1}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("writing after Close gives %v", err)
	}
}

// Further than the headroom: the audio is copied, holes and all.
func TestWAVLongShift(t *testing.T) {
	w, path := create(t, 8000, 1)
	pcm := audio.Sine(8000, 440, 0.5, 100_000)
	must(t, w.Silence(10))
	must(t, w.Write(pcm))
	must(t, w.Silence(200_000))
	must(t, w.Shift(50_000))
	must(t, w.Write([]int16{7}))
	must(t, w.Shift(-50_010))
	must(t, w.Close())
	got := read(t, path).PCM
	if want := append(append(pcm, make([]int16, 200_000)...), 7); !equal(got, want) {
		t.Errorf("%d samples, want %d, or other content", len(got), len(want))
	}
}

func TestCreateWAVRefuses(t *testing.T) {
	if _, err := audio.CreateWAV(filepath.Join(t.TempDir(), "none", "a.wav"), 8000, 1); err == nil {
		t.Error("a missing folder is no error")
	}
	if _, err := audio.CreateWAV(filepath.Join(t.TempDir(), "a.wav"), 0, 1); err == nil {
		t.Error("0 Hz is no error")
	}
}

func TestReadWAVRefuses(t *testing.T) {
	w, path := create(t, 8000, 1)
	must(t, w.Write([]int16{1, 2, 3}))
	must(t, w.Close())
	good, err := os.ReadFile(path)
	must(t, err)
	float := bytes.Clone(good)
	float[56] = 3
	for name, b := range map[string][]byte{
		"empty": nil, "text": []byte("hello, this is no audio"), "no data": good[:80], "format": float,
		"data first": append([]byte("RIFF\x00\x00\x00\x00WAVEdata\x04\x00\x00\x00"), 1, 2, 3, 4),
	} {
		if _, err := audio.ReadWAV(bytes.NewReader(b)); !errors.Is(err, audio.ErrNotWAV) {
			t.Errorf("%s: error %v, want ErrNotWAV", name, err)
		}
	}
}

func TestSpan(t *testing.T) {
	w := audio.WAV{Rate: 10, Channels: 1, PCM: make([]int16, 30)}
	for _, tt := range []struct {
		from, to float64
		want     int
	}{{0, 1, 10}, {-1, 9, 30}, {2, 1, 0}, {2.5, 9, 5}} {
		if got := len(w.Span(tt.from, tt.to)); got != tt.want {
			t.Errorf("Span(%v, %v) has %d samples, want %d", tt.from, tt.to, got, tt.want)
		}
	}
}

func FuzzReadWAV(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed.wav")
	w, err := audio.CreateWAV(path, 8000, 2)
	must(f, err)
	must(f, w.Write(audio.Sine(8000, 440, 0.5, 64)))
	must(f, w.Close())
	seed, err := os.ReadFile(path)
	must(f, err)
	f.Add(seed)
	f.Add(seed[:50])
	f.Add([]byte("RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00" + strings.Repeat("\xff", 28) + "fmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\xff\xff\xff\xff\x01\x02\x03"))
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\xff\xff\xff\xff\x01\x02\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := audio.ReadWAV(bytes.NewReader(b))
		if err != nil {
			return
		}
		if w.Channels < 1 || w.Rate < 1 || len(w.PCM)%w.Channels != 0 || 2*len(w.PCM) > len(b) {
			t.Errorf("%d samples of %d channels at %d Hz out of %d bytes", len(w.PCM), w.Channels, w.Rate, len(b))
		}
		_ = w.Span(0.5, 1.5)
	})
}

func BenchmarkWAVWrite(b *testing.B) {
	w, _ := create(b, 8000, 1)
	defer w.Close()
	pcm := audio.Sine(8000, 440, 0.5, 160)
	b.ReportAllocs()
	b.SetBytes(320)
	for b.Loop() {
		if w.Write(pcm) != nil {
			b.Fatal("write failed")
		}
	}
}
