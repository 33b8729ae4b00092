package recorder

import (
	"fmt"
	"time"
)

// finish closes the files of an ended session and tells what came out. It runs on
// its own goroutine; Server.finishing counts it.
func (s *session) finish() {
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
	s.closeFiles(streams)
	s.server.clerk.post(0, s.conclude)
}

// closeFiles aligns the streams and makes them equally long.
func (s *session) closeFiles(streams []*stream) {
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
		st.finish(length, moves[i])
	}
}

// length is the length of what a stream has recorded, in seconds.
func (s *stream) length() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.track.seconds()
}

func (s *stream) finish(length, shift float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.track.take()
	if c := s.track.offered; c.Name != "" && s.wanted && s.track.dump == nil {
		s.track.open(c) // a silent stream has a file too
	}
	s.track.finish(length, shift)
}

// conclude writes the report and tells whoever wants to know. It runs on the clerk,
// behind the session's documents.
func (s *session) conclude() {
	var told *Summary
	defer func() { s.server.dismiss(s, told) }() // whatever happens: Close waits for it
	b, err := s.report().encode()
	if err == nil {
		err = writeFile(s.folder, "recording.json", b, true)
	}
	if err != nil {
		s.trouble(fmt.Sprintf("writing the report: %v", err))
		s.server.disk.failed(err)
	}
	sum := s.snapshot()
	told = &sum
	first := ""
	if len(sum.Problems) > 0 {
		first = sum.Problems[0]
	}
	s.log.Info("recording session ended", "reason", sum.Reason, "seconds", sum.Seconds, "complete", sum.Complete,
		"problems", len(sum.Problems), "first", first, "folder", sum.Folder)
	if s.server.cfg.OnSession != nil {
		s.server.cfg.OnSession(sum)
	}
}
