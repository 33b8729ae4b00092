package recorder

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
)

// What may wait for a slow disk: some documents and, for each file of a stream, about
// eight seconds of telephone audio.
const (
	clerkLimit = 64 << 20
	fileRoom   = 128 << 10
)

// clerk does the writing that must not hold up an answer: one goroutine, first
// come first served, so that the files of a session appear in order.
type clerk struct {
	log     *slog.Logger
	mu      sync.Mutex
	work    sync.Cond
	queue   []job
	waiting int // bytes in queue
	files   int // of streams, that are open
	closed  bool
	ended   chan struct{}
}

type job struct {
	size int
	do   func()
}

func newClerk(log *slog.Logger) *clerk {
	c := &clerk{log: log, ended: make(chan struct{})}
	c.work.L = &c.mu
	go c.run()
	return c
}

// post takes a job that holds size bytes; false when the disk is too far behind
// to take it. A job of size 0 is always taken.
func (c *clerk) post(size int, do func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size > 0 && c.waiting+size > clerkLimit+c.files*fileRoom {
		return false
	}
	c.waiting += size
	c.queue = append(c.queue, job{size, do})
	c.work.Signal()
	return true
}

// expect makes room for so many files more, or fewer.
func (c *clerk) expect(files int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files += files
}

func (c *clerk) run() {
	defer close(c.ended)
	for {
		c.mu.Lock()
		for len(c.queue) == 0 && !c.closed {
			c.work.Wait()
		}
		batch := c.queue
		c.queue = nil
		c.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, j := range batch {
			c.do(j)
		}
	}
}

func (c *clerk) do(j job) {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error("panic while writing files", "panic", v, "stack", string(debug.Stack()))
		}
		c.mu.Lock()
		c.waiting -= j.size
		c.mu.Unlock()
	}()
	j.do()
}

// close works off what waits and ends.
func (c *clerk) close() {
	c.mu.Lock()
	c.closed = true
	c.work.Signal()
	c.mu.Unlock()
	<-c.ended
}

// flush brings what was written of a file, or the names in a folder, to the disk. What
// cannot be flushed where it is, is not.
func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(synced(f), f.Close())
}

// flushAll does it to the files of a folder that end so.
func flushAll(folder string, endings ...string) error {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if slices.Contains(endings, filepath.Ext(e.Name())) {
			err = errors.Join(err, flush(filepath.Join(folder, e.Name())))
		}
	}
	return err
}

func synced(f *os.File) error {
	err := f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// writeFile writes a file of the folder; with replace set a reader finds either the
// old content or the new, never half of it.
func writeFile(f *folder, name string, b []byte, replace bool) error {
	path, err := f.file(name)
	if err != nil {
		return err
	}
	if !replace {
		return os.WriteFile(path, b, 0o640)
	}
	if err := os.WriteFile(path+".tmp", b, 0o640); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
