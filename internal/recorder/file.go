package recorder

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"sidetrack/internal/audio"
)

// errSlow tells that the disk is so far behind that there is no room for more.
var errSlow = errors.New("the disk is too slow")

// file is a file of a stream. Whoever fills it does not wait for the disk: the
// clerk writes, in order. What the disk refuses is missing in the file, which goes
// on behind it, and begins when it can be made. Its methods are called under the
// stream's mu; the file is the clerk's until finish takes it.
type file struct {
	// Set once.
	clerk  *clerk                 // nil: whoever writes waits
	path   func() (string, error) // makes the folder
	head   []byte                 // what the file begins with
	failed func(error)            // hears of each write that failed; any goroutine

	direct bool // the clerk is through with it: whoever writes waits
	lasts  bool // Close has it on the disk before it returns
	closed bool

	f    *os.File
	end  int64                  // behind what append has written
	name atomic.Pointer[string] // nil until the file is there
}

var _ audio.WAVFile = (*file)(nil)

// do has op done to the open file.
func (f *file) do(size int, op func(*os.File) error) {
	if f.closed {
		return
	}
	job := func() {
		err := f.open()
		if err == nil {
			err = op(f.f)
		}
		if err != nil {
			f.failed(err)
		}
	}
	switch {
	case f.clerk == nil || f.direct:
		job()
	case !f.clerk.post(size, job):
		f.failed(errSlow)
	}
}

func (f *file) open() error {
	if f.f != nil {
		return nil
	}
	path, err := f.path()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	if _, err := out.WriteAt(f.head, 0); err != nil {
		return errors.Join(err, out.Close())
	}
	f.f, f.end = out, int64(len(f.head))
	f.name.Store(&path)
	return nil
}

// location is the file's path, "" while there is none. Any goroutine.
func (f *file) location() string {
	if f == nil {
		return ""
	}
	if name := f.name.Load(); name != nil {
		return *name
	}
	return ""
}

// WriteAt implements [io.WriterAt]. The error is always nil: failed hears of it.
func (f *file) WriteAt(b []byte, at int64) (int, error) {
	own := slices.Clone(b)
	f.do(len(b), func(out *os.File) error {
		_, err := out.WriteAt(own, at)
		return err
	})
	return len(b), nil
}

// append writes b, whole or not at all, behind what it wrote before.
func (f *file) append(b []byte) {
	own := slices.Clone(b)
	f.do(len(b), func(out *os.File) error {
		_, err := out.WriteAt(own, f.end)
		if err == nil {
			f.end += int64(len(own))
		}
		return err
	})
}

// ReadAt implements [io.ReaderAt] for a file that finish has taken.
func (f *file) ReadAt(b []byte, at int64) (int, error) {
	if !f.direct || f.f == nil {
		return 0, io.EOF
	}
	return f.f.ReadAt(b, at)
}

// Truncate sets the file's length; the error is always nil.
func (f *file) Truncate(size int64) error {
	f.do(0, func(out *os.File) error { return out.Truncate(size) })
	return nil
}

// seal cuts off what append could not finish.
func (f *file) seal() {
	f.do(0, func(out *os.File) error { return out.Truncate(f.end) })
}

// Close closes the file; the error is always nil.
func (f *file) Close() error {
	f.do(0, func(out *os.File) error {
		var err error
		if f.lasts {
			err = synced(out) // what the disk has refused behind our back is told here
		}
		return errors.Join(err, out.Close())
	})
	if f.clerk != nil && !f.closed {
		f.clerk.expect(-1)
	}
	f.closed = true
	return nil
}

// fault is the first thing that went wrong. Its methods may be called from any goroutine.
type fault struct {
	mu  sync.Mutex
	err error
}

// set reports whether it is the first.
func (f *fault) set(err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return false
	}
	f.err = err
	return true
}

func (f *fault) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
