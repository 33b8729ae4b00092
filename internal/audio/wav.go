package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Layout of the files: RIFF header, a JUNK chunk of the size of ds64, fmt chunk, a
// JUNK chunk of headroom, data chunk to the end. The headroom makes it possible to move
// the beginning of the audio after it was written, by writing headers only (see
// [WAVWriter.Shift]). A file that outgrows the 32 bits of its sizes becomes
// an RF64 file (EBU Tech 3306): the first JUNK chunk becomes ds64, which has them in 64.
const (
	wavSizes    = 28                         // bytes of the ds64 chunk's content
	wavHead     = 12 + 8 + wavSizes + 24 + 8 // RIFF+WAVE, JUNK or ds64, fmt, JUNK header
	wavFixed    = wavHead + 8                // and the data header
	wavBuffer   = 16 << 10                   // bytes of PCM held before a write
	wavSparse   = 64 << 10                   // silence longer than this becomes a hole in the file
	wavHeadroom = 8 << 10                    // bytes of the second JUNK chunk's content
)

// ErrWAVShift tells that a file has less leading silence than is to be removed.
var ErrWAVShift = errors.New("wav: not so much leading silence")

// WAVFile is what a [WAVWriter] fills, an [os.File] in most cases. One whose
// WriteAt lets a write go and tells no error gets silence in that place: all that
// follows lies where it belongs.
type WAVFile interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Close() error
}

// WAVWriter appends 16-bit PCM to a RIFF/WAVE file. The sizes in the header are
// renewed as the file grows, so that what was written before a crash can be
// played. It is not safe for use by several goroutines. After the first
// error every method returns that error; Close still releases the file.
type WAVWriter struct {
	f        WAVFile
	rate     int
	channels int
	head     int64 // content bytes of the second JUNK chunk now
	size     int64 // content bytes of the data chunk, buffered ones included
	lead     int64 // bytes of silence that open the data chunk
	leading  bool  // only silence was written so far
	buf      []byte
	err      error
}

// CreateWAV creates (or truncates) the file at path for PCM of the given rate
// in frames per second.
func CreateWAV(path string, rate, channels int) (*WAVWriter, error) {
	if err := checkPCM(rate, channels); err != nil {
		return nil, fmt.Errorf("creating %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return nil, err
	}
	w, err := NewWAV(f, rate, channels)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

// NewWAV begins a file on f, which must be empty. The writer owns it from then on,
// unless there is an error.
func NewWAV(f WAVFile, rate, channels int) (*WAVWriter, error) {
	if err := checkPCM(rate, channels); err != nil {
		return nil, err
	}
	w := &WAVWriter{f: f, rate: rate, channels: channels, head: wavHeadroom, leading: true, buf: make([]byte, 0, wavBuffer)}
	if w.mark(); w.err != nil {
		return nil, w.err
	}
	return w, nil
}

// ReopenWAV goes on with a file of length bytes that a [WAVWriter] has left without
// Close, behind the last whole frame; Close sets its headers right. The writer owns f
// from then on, unless there is an error, which wraps [ErrNotWAV] or comes from f.
func ReopenWAV(f WAVFile, length int64) (*WAVWriter, error) {
	head := make([]byte, wavHead)
	if _, err := f.ReadAt(head, 0); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %d bytes", ErrNotWAV, length)
	} else if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	w := &WAVWriter{f: f, rate: int(le.Uint32(head[60:])), channels: int(le.Uint16(head[58:])), head: int64(le.Uint32(head[wavHead-4:]))}
	if checkPCM(w.rate, w.channels) != nil {
		return nil, fmt.Errorf("%w: %d Hz, %d channels", ErrNotWAV, w.rate, w.channels)
	}
	w.size = max(0, length-wavFixed-w.head)
	w.size -= w.size % w.frameBytes()
	if ours, _ := w.headers(); !bytes.Equal(ours[48:], head[48:]) {
		return nil, fmt.Errorf("%w of ours", ErrNotWAV)
	}
	w.buf = make([]byte, 0, wavBuffer)
	return w, nil
}

func checkPCM(rate, channels int) error {
	if rate <= 0 || channels <= 0 || channels > 8 {
		return fmt.Errorf("%d Hz with %d channels is no PCM format", rate, channels)
	}
	return nil
}

// Rate is the number of frames per second.
func (w *WAVWriter) Rate() int { return w.rate }

// Channels is the number of interleaved channels.
func (w *WAVWriter) Channels() int { return w.channels }

// Frames is the number of frames written so far, which is also the position of
// the next one.
func (w *WAVWriter) Frames() int64 { return w.size / w.frameBytes() }

func (w *WAVWriter) frameBytes() int64 { return int64(2 * w.channels) }

// Write appends interleaved samples; an incomplete last frame is ignored.
func (w *WAVWriter) Write(pcm []int16) error {
	pcm = pcm[:len(pcm)-len(pcm)%w.channels]
	if len(pcm) > 0 {
		w.leading = false
	}
	for len(pcm) > 0 && w.err == nil {
		if cap(w.buf)-len(w.buf) < 2 {
			w.flush()
		}
		n := min((cap(w.buf)-len(w.buf))/2, len(pcm))
		at := len(w.buf)
		w.buf = w.buf[:at+2*n]
		for i, b := 0, w.buf[at:]; i < n && len(b) >= 2; i, b = i+1, b[2:] {
			binary.LittleEndian.PutUint16(b, uint16(pcm[i]))
		}
		w.size += int64(2 * n)
		pcm = pcm[n:]
	}
	return w.err
}

// Silence appends frames of silence. A long one costs neither memory nor, on
// file systems that know holes, disk.
func (w *WAVWriter) Silence(frames int64) error {
	n := frames * w.frameBytes()
	if n <= 0 || w.err != nil {
		return w.err
	}
	if w.leading {
		w.lead += n
	}
	w.size += n
	if n > wavSparse {
		w.flushTo(w.size - n)
		return w.err
	}
	for n > 0 && w.err == nil {
		if len(w.buf) == cap(w.buf) {
			w.flushTo(w.size - n)
		}
		k := min(int64(cap(w.buf)-len(w.buf)), n)
		start := len(w.buf)
		w.buf = w.buf[:start+int(k)]
		clear(w.buf[start:])
		n -= k
	}
	return w.err
}

// Flush hands buffered samples to the operating system and renews the header.
func (w *WAVWriter) Flush() error {
	w.flush()
	w.mark()
	return w.err
}

func (w *WAVWriter) flush() { w.flushTo(w.size) }

// flushTo writes what is buffered to where it ends at a place of the data chunk, what
// follows it up to size is a hole, and renews the header.
func (w *WAVWriter) flushTo(end int64) {
	if w.err != nil || len(w.buf) == 0 {
		return
	}
	_, w.err = w.f.WriteAt(w.buf, wavFixed+w.head+end-int64(len(w.buf)))
	w.buf = w.buf[:0]
	w.mark()
}

// Shift moves all audio later (frames > 0, silence is put before it) or earlier
// (frames < 0, leading silence is removed) in time. Up to a quarter of a second at
// 16 kHz mono only headers are written: the beginning of the data chunk moves over
// zeros. Further into the future the audio is copied. It fails with [ErrWAVShift],
// changing nothing, when there is less leading silence than is to be removed.
func (w *WAVWriter) Shift(frames int64) error {
	n := frames * w.frameBytes()
	if -n > w.lead {
		return ErrWAVShift
	}
	w.flush()
	if n > w.head {
		w.insert(n)
	} else {
		// The present data header becomes silence or headroom: zeros both.
		w.zero(wavFixed-8+w.head, 8)
		w.head -= n
	}
	w.lead += n
	w.size += n
	w.mark()
	return w.err
}

// insert makes room for n bytes at the beginning of the data, from the end on
// so that nothing is overwritten before it was copied.
func (w *WAVWriter) insert(n int64) {
	buf := make([]byte, wavSparse)
	start := wavFixed + w.head
	for end := start + w.size; end > start && w.err == nil; {
		b := buf[:min(int64(len(buf)), end-start)]
		end -= int64(len(b))
		// A hole at the end of the file has no bytes yet: it reads as zeros.
		clear(b)
		if _, err := w.f.ReadAt(b, end); err != nil && !errors.Is(err, io.EOF) {
			w.err = err
			return
		}
		_, w.err = w.f.WriteAt(b, end+n)
	}
	w.zero(start, n)
}

// zero overwrites n bytes with zeros.
func (w *WAVWriter) zero(at, n int64) {
	b := make([]byte, min(n, wavSparse))
	for n > 0 && w.err == nil {
		k := min(n, int64(len(b)))
		_, w.err = w.f.WriteAt(b[:k], at)
		at, n = at+k, n-k
	}
}

// Close writes what is buffered and the final sizes, and closes the file.
func (w *WAVWriter) Close() error {
	w.flush()
	if w.err == nil {
		// A file that ends in a hole has its length from here.
		w.err = w.f.Truncate(wavFixed + w.head + w.size)
	}
	w.mark()
	if err := w.f.Close(); w.err == nil {
		w.err = err
	}
	err := w.err
	if w.err == nil {
		w.err = os.ErrClosed
	}
	return err
}

// mark writes both headers for the present size.
func (w *WAVWriter) mark() {
	if w.err != nil {
		return
	}
	head, data := w.headers()
	if _, w.err = w.f.WriteAt(head, 0); w.err == nil {
		_, w.err = w.f.WriteAt(data, wavFixed-8+w.head)
	}
}

func (w *WAVWriter) headers() (head, data []byte) {
	le := binary.LittleEndian
	frame := uint16(w.frameBytes())
	name, sizes, all, size := "RIFF", "JUNK", wavFixed-8+w.head+w.size, w.size
	content := make([]byte, 0, wavSizes)
	if all > math.MaxUint32 {
		name, sizes = "RF64", "ds64"
		content = le.AppendUint64(content, uint64(all))
		content = le.AppendUint64(content, uint64(size))
		content = le.AppendUint64(content, uint64(w.Frames()))
		all, size = math.MaxUint32, math.MaxUint32
	}
	head = append(make([]byte, 0, wavHead), name...)
	head = le.AppendUint32(head, uint32(all))
	head = append(head, "WAVE"...)
	head = append(head, sizes...)
	head = le.AppendUint32(head, wavSizes)
	head = append(head, content[:wavSizes]...)
	head = append(head, "fmt "...)
	head = le.AppendUint32(head, 16)
	head = le.AppendUint16(head, 1) // PCM
	head = le.AppendUint16(head, uint16(w.channels))
	head = le.AppendUint32(head, uint32(w.rate))
	head = le.AppendUint32(head, uint32(w.rate)*uint32(frame))
	head = le.AppendUint16(head, frame)
	head = le.AppendUint16(head, 16)
	head = append(head, "JUNK"...)
	head = le.AppendUint32(head, uint32(w.head))
	data = le.AppendUint32([]byte("data"), uint32(size))
	return head, data
}
