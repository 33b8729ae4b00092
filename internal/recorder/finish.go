package recorder

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// finish closes the files of an ended session and tells what came out. It runs on
// its own goroutine; Server.finishing counts it.
func (s *session) finish() {
	// A fault costs this recording its end, not the process all others: the next recorder
	// finds the folder without a report.
	defer func() {
		if v := recover(); v != nil {
			s.trouble(fmt.Sprintf("fault while closing files: %v\n%s", v, debug.Stack()))
			s.mu.Lock()
			s.clean = false
			s.mu.Unlock()
		}
		s.server.clerk.post(0, s.conclude)
	}()
	until := time.Now().Add(s.server.cfg.Linger)
	streams := s.openStreams()
	for _, st := range streams {
		st.hush(until)
	}
	for _, st := range streams {
		st.drain()
	}
	written := make(chan struct{})
	s.server.clerk.post(0, func() { close(written) })
	<-written
	s.server.closing.enter(func(lasting bool) {
		s.closeFiles(streams, lasting)
		s.writeReport(lasting)
	})
}

// Bounds of what sessions that have ended do with the disk at once.
const (
	closers = 16  // that close their files; others wait
	crowd   = 128 // that wait or close: with more of them the disk is too slow to be waited for
)

// gate lets a bounded number of sessions close their files: a disk that stands still
// must not cost a thread of the process for each.
type gate struct {
	rooms chan struct{}
	all   atomic.Int32
}

func newGate() *gate { return &gate{rooms: make(chan struct{}, closers)} }

// enter waits for room, and tells do whether there is time to see the files onto the disk.
func (g *gate) enter(do func(lasting bool)) {
	lasting := g.all.Add(1) <= crowd
	g.rooms <- struct{}{}
	defer func() {
		<-g.rooms
		g.all.Add(-1)
	}()
	do(lasting)
}

// closeFiles aligns the streams and makes them equally long.
func (s *session) closeFiles(streams []*stream, lasting bool) {
	aligns, leads := make([]alignment, len(streams)), make([]float64, len(streams))
	for i, st := range streams {
		st.mu.Lock()
		aligns[i], leads[i] = st.align, st.track.first
		st.mu.Unlock()
	}
	moves, ok := shifts(aligns, leads)
	if !ok {
		s.trouble("the sender reports of the streams contradict each other: files are aligned by arrival")
	}
	length := s.endAt.Seconds()
	for i, st := range streams {
		length = max(length, st.length()+moves[i])
	}
	for i, st := range streams {
		st.finish(length, moves[i], lasting)
	}
}

// length is the length of what a stream has recorded, in seconds.
func (s *stream) length() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.track.seconds()
}

// finish closes the files. Nobody but it has a part in the track any more; who asks meanwhile
// is told what there was before, so that a disk which stands still holds nobody else up.
func (s *stream) finish(length, shift float64, lasting bool) {
	s.settle(true)
	defer s.settle(false)
	s.track.take(lasting)
	if c := s.track.offered; c.Name != "" && s.wanted && s.track.dump == nil {
		s.track.open(c) // a silent stream has a file too
	}
	s.track.finish(length, shift)
}

// settle keeps what there is to tell while the files are closed, or forgets it again.
func (s *stream) settle(begins bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled = nil
	if begins {
		sum, problems := s.tell()
		s.settled = &settled{sum, problems}
	}
}

// settled is what there was to tell of a stream when its files began to be closed.
type settled struct {
	sum      StreamSummary
	problems []string
}

// writeReport follows the session's files and documents: what it says of them is true
// when it can be read.
func (s *session) writeReport(lasting bool) {
	if err := s.report().write(s.folder, lasting); err != nil {
		s.trouble(fmt.Sprintf("writing the report: %v", err))
		s.server.disk.failed(err)
		return
	}
	forgetBeginning(s.folder)
}

// conclude tells whoever wants to know. It runs on the clerk.
func (s *session) conclude() {
	var told *Summary
	defer func() { s.server.dismiss(s, told) }() // whatever happens: Close waits for it
	sum := s.snapshot()
	told = &sum
	first := ""
	if len(sum.Problems) > 0 {
		first = sum.Problems[0]
	}
	s.log.Info("recording session ended", "reason", sum.Reason, "seconds", sum.Seconds, "complete", sum.Complete,
		"problems", len(sum.Problems), "first", first, "folder", sum.Folder)
	s.server.tell(sum)
}
