package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// WAV is the content of a 16-bit PCM file.
type WAV struct {
	Rate     int     // frames per second
	Channels int     // interleaved in PCM
	PCM      []int16 // all samples
}

// Seconds is the playing time.
func (w WAV) Seconds() float64 {
	if w.Rate == 0 || w.Channels == 0 {
		return 0
	}
	return float64(len(w.PCM)/w.Channels) / float64(w.Rate)
}

// Mono is the mean of the channels.
func (w WAV) Mono() []int16 {
	if w.Channels <= 1 {
		return w.PCM
	}
	out := make([]int16, len(w.PCM)/w.Channels)
	for i := range out {
		sum := 0
		for _, v := range w.PCM[i*w.Channels : (i+1)*w.Channels] {
			sum += int(v)
		}
		out[i] = int16(sum / w.Channels)
	}
	return out
}

// Span returns the samples between two times in seconds, cut to what exists.
func (w WAV) Span(from, to float64) []int16 {
	at := func(t float64) int {
		frames := len(w.PCM) / max(w.Channels, 1)
		return max(0, min(frames, int(t*float64(w.Rate)))) * w.Channels
	}
	a, b := at(from), at(to)
	return w.PCM[a:max(a, b)]
}

// ErrNotWAV tells that a file is not RIFF/WAVE with 16-bit PCM.
var ErrNotWAV = errors.New("not a 16-bit PCM WAV file")

// ReadWAVFile reads the file at path; see [ReadWAV].
func ReadWAVFile(path string) (WAV, error) {
	f, err := os.Open(path)
	if err != nil {
		return WAV{}, err
	}
	defer f.Close()
	w, err := ReadWAV(f)
	if err != nil {
		return WAV{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return w, nil
}

// ReadWAV reads 16-bit PCM. Unknown chunks are passed over. A data chunk that
// claims more than there is (the writer died) gives what is there. RF64 (EBU Tech 3306) is
// read too. Memory use is
// bounded by the input's length, whatever its headers claim. Errors
// wrap [ErrNotWAV] or come from r.
func ReadWAV(r io.Reader) (WAV, error) {
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil {
		return WAV{}, fmt.Errorf("%w: %v", ErrNotWAV, err)
	}
	if id := string(riff[:4]); id != "RIFF" && id != "RF64" || string(riff[8:]) != "WAVE" {
		return WAV{}, fmt.Errorf("%w: no RIFF/WAVE header", ErrNotWAV)
	}
	var w WAV
	long := int64(math.MaxUint32) // size of a data chunk that does not fit into 32 bits
	for {
		var h [8]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return WAV{}, fmt.Errorf("%w: no data chunk", ErrNotWAV)
		}
		size := int64(binary.LittleEndian.Uint32(h[4:]))
		switch string(h[:4]) {
		case "fmt ":
			if err := w.readFormat(r, size); err != nil {
				return WAV{}, err
			}
		case "ds64":
			var err error
			if long, err = readSizes(r, size); err != nil {
				return WAV{}, err
			}
		case "data":
			if size == math.MaxUint32 {
				size = long
			}
			return w.readData(r, size)
		default:
			if _, err := io.CopyN(io.Discard, r, size+size&1); err != nil {
				return WAV{}, fmt.Errorf("%w: chunk %q cut short", ErrNotWAV, h[:4])
			}
		}
	}
}

// readSizes reads the size of the data chunk out of a ds64 chunk.
func readSizes(r io.Reader, size int64) (data int64, err error) {
	var b [wavSizes]byte
	if size < wavSizes {
		return 0, fmt.Errorf("%w: ds64 chunk of %d bytes", ErrNotWAV, size)
	}
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, fmt.Errorf("%w: ds64 chunk cut short", ErrNotWAV)
	}
	if _, err := io.CopyN(io.Discard, r, size+size&1-wavSizes); err != nil {
		return 0, fmt.Errorf("%w: ds64 chunk cut short", ErrNotWAV)
	}
	return int64(min(binary.LittleEndian.Uint64(b[8:]), math.MaxInt64)), nil
}

func (w *WAV) readFormat(r io.Reader, size int64) error {
	if size < 16 || size > 1024 {
		return fmt.Errorf("%w: fmt chunk of %d bytes", ErrNotWAV, size)
	}
	b := make([]byte, size+size&1)
	if _, err := io.ReadFull(r, b); err != nil {
		return fmt.Errorf("%w: fmt chunk cut short", ErrNotWAV)
	}
	le := binary.LittleEndian
	w.Channels = int(le.Uint16(b[2:]))
	w.Rate = int(le.Uint32(b[4:]))
	if le.Uint16(b) != 1 || le.Uint16(b[14:]) != 16 || w.Channels == 0 || w.Rate == 0 {
		return fmt.Errorf("%w: format %d with %d bits, %d channels, %d Hz",
			ErrNotWAV, le.Uint16(b), le.Uint16(b[14:]), w.Channels, w.Rate)
	}
	return nil
}

func (w *WAV) readData(r io.Reader, size int64) (WAV, error) {
	if w.Channels == 0 {
		return WAV{}, fmt.Errorf("%w: data before fmt", ErrNotWAV)
	}
	// io.ReadAll grows with what really comes, not with what is claimed.
	b, err := io.ReadAll(io.LimitReader(r, size))
	if err != nil {
		return WAV{}, err
	}
	b = b[:len(b)-len(b)%(2*w.Channels)]
	w.PCM = make([]int16, len(b)/2)
	for i := range w.PCM {
		w.PCM[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return *w, nil
}
