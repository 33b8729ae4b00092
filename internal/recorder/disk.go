package recorder

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"sidetrack/internal/sip"
)

const (
	probeSize   = 64 << 10  // what must find room before recordings are taken again,
	probePrefix = ".probe-" // in a file of that name
)

// disk is what is known of the disk. While it refuses, so do we: a client that hears
// of it can have its call recorded elsewhere. Its methods may be called from any
// goroutine.
type disk struct {
	// Set once.
	out   string
	every time.Duration // it is tried again
	clerk *clerk
	log   *slog.Logger

	mu     sync.Mutex
	err    error       // nil: all is well
	again  *time.Timer // until it is tried again
	closed bool
}

// failed takes note of a write that failed, and has the disk tried until it takes some.
func (d *disk) failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil && !d.closed {
		d.log.Error("nothing is recorded until the disk takes it again", "folder", d.out, "error", err)
		d.err = err
		d.again = time.AfterFunc(d.every, d.retry)
	}
}

func (d *disk) retry() {
	d.clerk.post(0, func() {
		err := probe(d.out)
		d.mu.Lock()
		defer d.mu.Unlock()
		switch {
		case d.closed:
		case err != nil:
			d.again.Reset(d.every)
		default:
			d.err = nil
			d.log.Info("the disk takes recordings again", "folder", d.out)
		}
	})
}

// refusal is the answer to who wants to be recorded; nil: welcome.
func (d *disk) refusal() *refusal {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		return nil
	}
	return refuse(503, "cannot write: "+cause(d.err), sip.Header{Name: "Retry-After", Value: "10"})
}

func (d *disk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.again != nil {
		d.again.Stop()
	}
}

// probe tries whether the folder takes a recording.
func probe(out string) error {
	if err := os.MkdirAll(out, 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(out, ".probe-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeSize))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// cause is what the system says, without the path that it says it of.
func cause(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err.Error()
}

// fileOf gives the files of a stream, one for each extension.
func (s *session) fileOf(st *stream, name string) func(extension string) *file {
	folder := s.folder
	return func(extension string) *file {
		s.server.clerk.expect(1)
		return &file{
			clerk: s.server.clerk,
			path:  func() (string, error) { return folder.file(name + extension) },
			failed: func(err error) {
				if st.track.fault.set(fmt.Errorf("writing: %w", err)) {
					s.giveUp(err)
				}
			},
		}
	}
}

// giveUp ends the session, for what it is sent cannot be kept: the client may take
// it elsewhere. Any goroutine, whatever it holds.
func (s *session) giveUp(err error) {
	s.server.disk.failed(err)
	s.lane.Post(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bye("cannot write: "+cause(err), func() {})
	})
}
