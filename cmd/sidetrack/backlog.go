package main

import (
	"errors"
	"io"
	"sync"
	"time"
)

const (
	backlogRoom = 4 << 20     // bytes of lines that wait for whoever takes the log
	backlogKept = 64 << 10    // of a buffer, once the lines have gone
	backlogTime = time.Second // for the last lines
)

// errBehind is for a line that found no room.
var errBehind = errors.New("nobody takes the log")

// backlog is a writer that nobody waits for: lines are kept in memory, and one goroutine
// hands them on. A pipe that is not read, a terminal that is held, a disk that hangs behind
// it cost lines, and not the calls that write them.
type backlog struct {
	w    io.Writer
	wake chan struct{} // capacity 1: there are lines
	done chan struct{} // all is written, once closed

	mu      sync.Mutex
	waiting []byte // whole lines
	closed  bool
}

func newBacklog(w io.Writer) *backlog {
	l := &backlog{w: w, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run()
	return l
}

// Write implements io.Writer for whole lines. Its error is errBehind.
func (l *backlog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.waiting)+len(b) > backlogRoom {
		return 0, errBehind
	}
	l.waiting = append(l.waiting, b...)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (l *backlog) run() {
	defer close(l.done)
	var out []byte
	for range l.wake {
		l.mu.Lock()
		out, l.waiting = l.waiting, out[:0]
		l.mu.Unlock()
		if len(out) > 0 {
			_, _ = l.w.Write(out) // there is nobody else to tell
		}
		if cap(out) > backlogKept {
			out = nil
		}
	}
}

// close has what waits written, as far as somebody takes it at once. Later lines are lost.
func (l *backlog) close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.wake)
	}
	l.mu.Unlock()
	late := time.NewTimer(backlogTime)
	defer late.Stop()
	select {
	case <-l.done:
	case <-late.C:
	}
}
