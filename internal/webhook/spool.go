package webhook

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// record is one event in a spool.
type record struct {
	Seq  uint64          `json:"seq"` // of the hook: rises by one with each event, lost ones included
	ID   uint64          `json:"id"`  // of the event, the same for all hooks and readers
	Type string          `json:"type"`
	Time time.Time       `json:"time"`
	Data json.RawMessage `json:"data"`
}

var errFull = errors.New("the queue is full")

const segmentSize = 1 << 20 // bytes, above which a new segment is begun

// segment is one file of a spool; its name is the Seq of its first record.
type segment struct {
	file string
	size int64 // whole lines only
}

// spool is a queue on disk with one writer, one reader and a bound. What is
// written survives the end of the process, not that of the host: nothing waits
// for the disk.
type spool struct {
	dir string

	max     atomic.Int64 // bytes that may wait
	pending atomic.Int64 // records not yet taken; changed under mu, read without: who asks waits for no disk

	mu       sync.Mutex // held while the disk is written
	segments []segment  // oldest first; the last one is written
	total    int64      // bytes of all
	seq      uint64     // of the newest record

	out  *os.File // owned by the writer; nil until there is something to write
	sent *os.File // how far the records have been taken

	in    *os.File // owned by the reader: segments[0]
	lines *bufio.Reader
	at    int64
}

// openSpool finds what an earlier process has left in dir, which is made when it
// is not there.
func openSpool(dir string, max int64) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &spool{dir: dir}
	s.max.Store(max)
	var err error
	if s.sent, err = os.OpenFile(filepath.Join(dir, "sent"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if err = flock(s.sent); err == nil {
		err = s.recover()
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// recover reads how far things have come.
func (s *spool) recover() error {
	text := make([]byte, 20)
	n, err := s.sent.ReadAt(text, 0)
	if err != nil && err != io.EOF {
		return err
	}
	sent, _ := strconv.ParseUint(strings.TrimSpace(string(text[:n])), 10, 64) // none: nothing sent
	s.seq = sent
	files, err := filepath.Glob(filepath.Join(s.dir, "*.jsonl"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	for _, file := range files {
		if err := s.recoverSegment(file, sent); err != nil {
			return err
		}
	}
	return nil
}

// recoverSegment counts what a segment still holds; one that was sent is removed.
func (s *spool) recoverSegment(file string, sent uint64) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	var size, skip int64
	left := 0
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			break // what has no end was being written when the process ended
		}
		size += int64(len(line))
		var rec record
		if json.Unmarshal(line, &rec) == nil && rec.Seq > sent {
			left++
			s.seq = max(s.seq, rec.Seq)
		} else if left == 0 {
			skip = size
		}
	}
	if left == 0 {
		return os.Remove(file)
	}
	if len(s.segments) == 0 {
		s.at = skip
	}
	s.segments = append(s.segments, segment{file, size})
	s.total += size
	s.pending.Add(int64(left))
	return f.Truncate(size)
}

// skipped takes a number for an event that is lost before it is written.
func (s *spool) skipped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
}

// append writes a record. The error is errFull or the disk's.
func (s *spool) append(rec record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++ // also when it cannot be written: the gap tells
	rec.Seq = s.seq
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if s.total+int64(len(line)) > s.max.Load() {
		// What has been taken makes room.
		for s.pending.Load() == 0 && len(s.segments) > 0 {
			if err := s.drop(); err != nil {
				return err
			}
		}
		if s.total+int64(len(line)) > s.max.Load() {
			return errFull
		}
	}
	if s.out == nil || s.segments[len(s.segments)-1].size >= segmentSize {
		if err := s.begin(); err != nil {
			return err
		}
	}
	last := &s.segments[len(s.segments)-1]
	if n, err := s.out.WriteAt(line, last.size); err != nil {
		if n > 0 {
			err = errors.Join(err, s.out.Truncate(last.size)) // half a line is none
		}
		return err
	}
	last.size += int64(len(line))
	s.total += int64(len(line))
	s.pending.Add(1)
	return nil
}

func (s *spool) begin() error {
	file := filepath.Join(s.dir, fmt.Sprintf("%020d.jsonl", s.seq))
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if s.out != nil {
		s.out.Close()
	}
	s.out = f
	s.segments = append(s.segments, segment{file, 0})
	return nil
}

// next is the oldest record; false when there is none. It stays until done.
func (s *spool) next() (rec record, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.pending.Load() > 0 {
		first := s.segments[0]
		if s.at >= first.size {
			if err := s.drop(); err != nil {
				return rec, false, err
			}
			continue
		}
		if s.in == nil {
			if s.in, err = os.Open(first.file); err != nil {
				return rec, false, err
			}
			if _, err = s.in.Seek(s.at, io.SeekStart); err != nil {
				return rec, false, err
			}
			s.lines = bufio.NewReaderSize(s.in, 1<<16)
		}
		line, err := s.lines.ReadBytes('\n')
		if err != nil {
			s.in.Close()
			s.in = nil // tried again from the same place
			return rec, false, err
		}
		s.at += int64(len(line))
		if json.Unmarshal(line, &rec) == nil {
			return rec, true, nil
		}
	}
	return rec, false, nil
}

// drop removes the oldest segment, all of which has been taken.
func (s *spool) drop() error {
	first := s.segments[0]
	if s.in != nil {
		s.in.Close()
		s.in = nil
	}
	if len(s.segments) == 1 && s.out != nil {
		s.out.Close()
		s.out = nil
	}
	s.segments, s.at, s.total = s.segments[1:], 0, s.total-first.size
	return os.Remove(first.file)
}

// done says that the record which next gave is dealt with.
func (s *spool) done(rec record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending.Add(-1)
	_, err := s.sent.WriteAt(fmt.Appendf(nil, "%020d", rec.Seq), 0)
	return err
}

// bound sets how many bytes may wait.
func (s *spool) bound(max int64) { s.max.Store(max) }

func (s *spool) depth() int { return int(s.pending.Load()) }

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, f := range []*os.File{s.in, s.out, s.sent} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}
