package audio_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"testing"

	"sidetrack/internal/audio"
)

// chunks reads the chunks of a RIFF or RF64 file up to the audio: content by name, the
// last JUNK left out, and where the data chunk's content begins.
func chunks(t *testing.T, f *os.File) (form string, size uint32, content map[string][]byte, data int64, dataSize uint32) {
	t.Helper()
	b := make([]byte, 64<<10)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	b, content = b[:n], map[string][]byte{}
	le := binary.LittleEndian
	form, size = string(b[:4]), le.Uint32(b[4:])
	for at := 12; at+8 <= n; {
		name, k := string(b[at:at+4]), int(le.Uint32(b[at+4:]))
		if name == "data" {
			return form, size, content, int64(at + 8), uint32(k)
		}
		if content[name] == nil {
			content[name] = b[at+8 : at+8+k]
		}
		at += 8 + k
	}
	t.Fatal("no data chunk")
	return
}

// A file that outgrows the sizes of RIFF becomes RF64, with the true ones in its ds64
// chunk (EBU Tech 3306); below that it is RIFF, with room for the chunk.
func TestWAVBeyondFourGigabytes(t *testing.T) {
	w, path := create(t, 48000, 2)
	must(t, w.Write([]int16{1, 2}))
	must(t, w.Flush())
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	if form, _, content, _, size := chunks(t, f); form != "RIFF" || len(content["JUNK"]) != 28 || size != 4 {
		t.Errorf("%s with %d bytes of room, %d of data", form, len(content["JUNK"]), size)
	}
	const frames = 1_250_000_000 // 5 GB, a hole
	must(t, w.Silence(frames))
	must(t, w.Write([]int16{3, 4}))
	must(t, w.Shift(1))
	must(t, w.Close())

	const data = 4 * (frames + 3)
	form, size, content, at, dataSize := chunks(t, f)
	if form != "RF64" || size != 0xffffffff || dataSize != 0xffffffff {
		t.Errorf("%s of %d with %d bytes of data", form, size, dataSize)
	}
	info, err := f.Stat()
	must(t, err)
	le := binary.LittleEndian
	if ds := content["ds64"]; len(ds) < 28 || le.Uint64(ds) != uint64(info.Size()-8) || le.Uint64(ds[8:]) != data || le.Uint64(ds[16:]) != frames+3 {
		t.Errorf("ds64 %x, a file of %d", ds, info.Size())
	}
	if info.Size() != at+data {
		t.Errorf("%d bytes, the data from %d on", info.Size(), at)
	}
	last := make([]byte, 4)
	if _, err := f.ReadAt(last, at+data-4); err != nil || !bytes.Equal(last, []byte{3, 0, 4, 0}) {
		t.Errorf("it ends in %x, %v", last, err)
	}
}

// What RF64 says in 64 bits is believed, and not what lies behind the audio.
func TestReadRF64(t *testing.T) {
	b := []byte("RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00")
	b = binary.LittleEndian.AppendUint64(b, 1000)
	b = binary.LittleEndian.AppendUint64(b, 4)
	b = append(b, make([]byte, 12)...)
	b = append(b, "fmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"...)
	b = append(b, "data\xff\xff\xff\xff\x01\x00\x02\x00LIST\x04\x00\x00\x00abcd"...)
	w, err := audio.ReadWAV(bytes.NewReader(b))
	if err != nil || !equal(w.PCM, []int16{1, 2}) || w.Rate != 8000 {
		t.Errorf("%+v, %v", w, err)
	}
}

// What a killed writer has left is set right by its length.
func TestReopenWAV(t *testing.T) {
	w, path := create(t, 8000, 2)
	must(t, w.Silence(10))
	must(t, w.Write([]int16{1, 2, 3, 4}))
	must(t, w.Shift(-2)) // another headroom than at first
	must(t, w.Flush())
	defer w.Close()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	info, err := f.Stat()
	must(t, err)
	// Audio that the headers do not know yet, and a frame cut short.
	_, err = f.WriteAt([]byte{5, 0, 6, 0, 7, 0, 8, 0, 9}, info.Size())
	must(t, err)
	if got := read(t, path); len(got.PCM) != 20 {
		t.Fatalf("%d samples before", len(got.PCM))
	}
	again, err := audio.ReopenWAV(f, info.Size()+9)
	must(t, err)
	if again.Frames() != 12 || again.Rate() != 8000 || again.Channels() != 2 {
		t.Errorf("%d frames of %d channels at %d Hz", again.Frames(), again.Channels(), again.Rate())
	}
	must(t, again.Write([]int16{10, 11}))
	must(t, again.Close())
	want := append(make([]int16, 16), 1, 2, 3, 4, 5, 6, 7, 8, 10, 11)
	if got := read(t, path); !equal(got.PCM, want) {
		t.Errorf("%v", got.PCM)
	}
	for _, b := range [][]byte{nil, []byte("RIFF"), make([]byte, 200), append([]byte("RIFF\xff\xff\xff\xffWAVEfmt "), make([]byte, 200)...)} {
		must(t, os.WriteFile(path, b, 0o600))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		if _, err := audio.ReopenWAV(f, int64(len(b))); err == nil {
			t.Errorf("%q is taken", b)
		}
		must(t, f.Close())
	}
}
