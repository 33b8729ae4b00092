package recorder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// report is the content of recording.json.
type report struct {
	Summary
	From      string     `json:"from"` // identities of the recording session
	To        string     `json:"to"`
	SDP       []exchange `json:"sdp"`
	Metadata  []document `json:"metadata"`
	Transport string     `json:"transport"`
}

func (s *session) report() report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whole()
}

// whole is report with mu held.
func (s *session) whole() report {
	return report{
		Summary: s.summary(), From: s.dialog.Remote, To: s.dialog.Local,
		SDP: s.sdp.exchanges, Metadata: append([]document{}, s.library.list...), Transport: s.dialog.Flow.Proto,
	}
}

const (
	reportName = "recording.json"
	beganName  = "began.json" // what a session was at its beginning, for the report should we be killed; gone with the report
)

// keepBeginning has written down what the files of a session do not tell. mu is held.
func (s *session) keepBeginning() {
	b, err := s.whole().encode()
	if err != nil {
		return // the report will tell
	}
	f := s.folder
	s.server.clerk.post(len(b), func() { _ = writeFile(f, beganName, b, false) }) // what matters more will fail, too
}

// write writes the report into the folder, with lasting set so that it is on the disk with the
// documents when write returns.
func (r report) write(f *folder, lasting bool) error {
	b, err := r.encode()
	if err != nil {
		return err
	}
	if err := writeFile(f, reportName+".tmp", b, false); err != nil {
		return err
	}
	path := f.location()
	whole := filepath.Join(path, reportName)
	if lasting {
		if err := flushAll(path, ".xml", ".tmp"); err != nil {
			return err
		}
	}
	if err := os.Rename(whole+".tmp", whole); err != nil || !lasting {
		return err
	}
	return errors.Join(flush(path), flush(filepath.Dir(path)))
}

// encode writes the report for people: indented, and without escapes that only
// matter within HTML.
func (r report) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(r)
	return b.Bytes(), err
}

// snapshot is what there is to tell now. Called from any goroutine, without mu.
func (s *session) snapshot() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.summary()
}

// summary is snapshot with mu held.
func (s *session) summary() Summary {
	sum := Summary{
		ID: s.id, CallID: s.dialog.CallID, Start: s.epoch.UTC(), Seconds: s.now().Seconds(),
		Parties: s.library.parties(), Streams: []StreamSummary{}, Documents: s.library.count,
		Problems: append([]string{}, s.problems...), Reason: s.reason,
	}
	if s.folder != nil {
		sum.Folder = s.folder.location()
	}
	if s.ended {
		sum.End, sum.Seconds = s.epoch.Add(s.endAt).UTC(), s.endAt.Seconds()
	}
	whole := s.clean
	for _, st := range s.openStreams() {
		ss, problems := st.summarize()
		ss.Party = s.library.sender[st.label].AOR
		sum.Streams = append(sum.Streams, ss)
		sum.Problems = append(sum.Problems, problems...)
		whole = whole && (!st.wanted || ss.whole())
	}
	sum.Complete = whole && slices.ContainsFunc(sum.Streams, func(st StreamSummary) bool { return st.Packets > 0 })
	return sum
}

// openStreams lists the streams that there are, former ones first.
func (s *session) openStreams() (list []*stream) {
	list = append(list, s.retired...)
	for _, st := range s.streams {
		if st != nil {
			list = append(list, st)
		}
	}
	return list
}

// whole reports whether nothing is missing that was sent, as far as can be known.
func (s *StreamSummary) whole() bool {
	return s.Packets > 0 && s.Lost == 0 && s.Late == 0 && !s.damaged
}

// summarize tells about one stream, and what is wrong with it. The session's mu is held.
func (s *stream) summarize() (StreamSummary, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settled != nil {
		return s.settled.sum, s.settled.problems
	}
	return s.tell()
}

// tell is summarize with mu held.
func (s *stream) tell() (StreamSummary, []string) {
	t, n := &s.track, &s.rx.n
	out := StreamSummary{
		Label: s.label, Kind: s.kind, Codec: t.name(), File: t.location(),
		Packets: n.packets, Octets: n.octets, Lost: n.lost, Late: n.late, Duplicate: n.duplicate, Reordered: n.reordered,
		Dropped: n.malformed + n.foreign + s.latch.strangers, Events: t.events, Sources: n.sources,
		First: t.first, Seconds: t.seconds(), Aligned: t.shifted,
		Gaps: append([]Gap{}, t.gaps...), GapCount: t.gapCount, Pauses: append([]Pause{}, t.pauses...),
		damaged: t.fault.get() != nil || t.excess > 0,
	}
	if c := s.rx.current; c != nil && t.time.clock > 0 {
		out.Jitter = c.report.jitter / float64(t.time.clock)
	}
	return out, s.complaints(&out)
}

// complaints puts into words what is wrong with a stream.
func (s *stream) complaints(sum *StreamSummary) (list []string) {
	tell := func(n uint64, format string, args ...any) {
		if n > 0 {
			list = append(list, fmt.Sprintf("label %s: ", s.label)+fmt.Sprintf(format, args...))
		}
	}
	t := &s.track
	if s.wanted && sum.Packets == 0 && (s.closed || s.now() > 5*time.Second) {
		tell(1, "no RTP was received")
	}
	tell(sum.Lost, "%d of %d packets lost", sum.Lost, sum.Lost+sum.Packets)
	tell(sum.Late, "%d packets came too late", sum.Late)
	tell(t.excess, "%d packets too far ahead of time", t.excess)
	tell(t.unknown, "%d packets of a payload type that is not in the SDP", t.unknown)
	tell(s.rx.n.malformed, "%d datagrams that are no RTP", s.rx.n.malformed)
	tell(s.crypt.closed, "%d datagrams of SRTP that the key does not open", s.crypt.closed)
	tell(s.badRTCP, "%d datagrams that are no RTCP", s.badRTCP)
	tell(s.latch.strangers, "%d datagrams from strangers", s.latch.strangers)
	if err := t.fault.get(); err != nil {
		tell(1, "%v", err)
	}
	return list
}
