package recorder

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"sidetrack/internal/audio"
	"sidetrack/metadata"
)

// This file concludes what a recorder that was killed has left: folders without a report.

const (
	reasonKilled  = "the recorder was killed"
	problemKilled = "the recorder was killed: how many packets came, and what it had not written yet, is not known"
)

// folderName is how newFolder names them.
var folderName = regexp.MustCompile(`^(\d{8}T\d{6}\.\d{3}Z)_(.+)$`)

// claim locks the output folder for as long as the server runs, and gives the names of
// what was in it before: nil while another recorder uses it, whose folders are not to
// be touched.
func (s *Server) claim() (left []string, err error) {
	if s.folder, err = os.Open(s.cfg.Out); err != nil {
		return nil, err
	}
	if lockAlone(s.folder) {
		left, err = s.folder.Readdirnames(-1)
	}
	lockShared(s.folder)
	return left, err
}

// rescue concludes those of the folders that have no report. It runs on a goroutine of its own,
// beside the sessions, until the server closes.
func (s *Server) rescue(left []string) {
	defer s.rescuing.Done()
	slices.Sort(left)
	for _, name := range left {
		select {
		case <-s.stopping:
			return
		default:
		}
		path := filepath.Join(s.cfg.Out, name)
		if strings.HasPrefix(name, probePrefix) {
			_ = os.Remove(path) // it was in the way of nobody
		}
		if _, err := os.Lstat(filepath.Join(path, reportName)); !folderName.MatchString(name) || !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		r, err := rescued(path)
		if err == nil {
			err = r.write(folderAt(path), true)
		}
		if err == nil {
			forgetBeginning(folderAt(path))
		}
		if err != nil {
			s.cfg.Log.Error("what a killed recorder has left cannot be concluded", "folder", path, "error", err)
			continue
		}
		s.cfg.Log.Warn("recording session concluded", "reason", r.Reason, "seconds", r.Seconds, "folder", path, "rs", r.ID)
		s.clerk.post(0, func() {
			s.tell(r.Summary)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.keep(r.Summary)
		})
	}
}

// rescued sets the files of a folder right and is what they tell.
func rescued(path string) (report, error) {
	parts := folderName.FindStringSubmatch(filepath.Base(path))
	start, err := time.Parse(folderTime, parts[1])
	if err != nil {
		return report{}, err
	}
	r := report{
		Summary: Summary{
			ID: parts[2], Folder: path, Start: start, Reason: reasonKilled,
			Streams: []StreamSummary{}, Problems: []string{problemKilled},
		},
		SDP: []exchange{},
	}
	began := beginning(path)
	r.CallID, r.From, r.To, r.Transport = began.CallID, began.From, began.To, began.Transport
	r.SDP, r.Problems = append(r.SDP, began.SDP...), append(r.Problems, began.Problems...)
	l := library{sender: map[string]Party{}}
	l.recall(path, start)
	if id := l.sessionID(); id != "" {
		r.ID = id
	}
	r.Parties, r.Documents, r.Metadata = l.parties(), l.count, append([]document{}, l.list...)
	last, err := r.reopen(path)
	if err != nil {
		return r, err
	}
	r.remember(began.Streams)
	for i := range r.Streams {
		r.Streams[i].Party = l.sender[r.Streams[i].Label].AOR
	}
	r.Seconds = max(r.Seconds, last.Sub(start).Seconds())
	r.End = start.Add(time.Duration(r.Seconds * float64(time.Second)))
	return r, nil
}

// beginning is what a session wrote of itself when it began, as far as it can be read.
func beginning(path string) (r report) {
	b, err := os.ReadFile(filepath.Join(path, beganName))
	if err != nil || json.Unmarshal(b, &r) != nil {
		return report{}
	}
	return r
}

// forgetBeginning removes what the report tells better.
func forgetBeginning(f *folder) { _ = os.Remove(filepath.Join(f.location(), beganName)) }

// remember adds what was known of the streams at the beginning to what their files tell, and those that have none.
func (r *report) remember(began []StreamSummary) {
	for _, b := range began {
		i := slices.IndexFunc(r.Streams, func(s StreamSummary) bool { return s.Label == safeName(b.Label, 64) })
		if i < 0 {
			r.Streams = append(r.Streams, b)
			continue
		}
		r.Streams[i].Label, r.Streams[i].Kind, r.Streams[i].Codec = b.Label, b.Kind, b.Codec
	}
}

// recall reads the documents that a folder holds.
func (l *library) recall(path string, start time.Time) {
	for n := 1; n <= maxDocuments; n++ {
		d := document{File: fmt.Sprintf("metadata-%d.xml", n), Problems: []string{}}
		b, err := os.ReadFile(filepath.Join(path, d.File))
		info, err2 := os.Stat(filepath.Join(path, d.File))
		if errors.Join(err, err2) != nil {
			return // each has been written before the next
		}
		d.At, d.Bytes = max(0, info.ModTime().Sub(start).Seconds()), len(b)
		if rec, err := metadata.Parse(b); err != nil {
			d.Problems = append(d.Problems, err.Error())
		} else {
			d.Mode = rec.Mode()
			l.learn(rec)
		}
		l.count++
		l.list = append(l.list, d)
	}
}

// reopen sets the streams' files of a folder right, makes those with sound equally long and tells
// of each, and when the last of them was written.
func (r *report) reopen(path string) (last time.Time, err error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return last, err
	}
	var sounds []*audio.WAVWriter
	for _, e := range entries {
		extension := filepath.Ext(e.Name())
		label := strings.TrimSuffix(e.Name(), extension)
		if extension != ".wav" && extension != ".pcap" {
			continue
		}
		f, info, err := openRegular(filepath.Join(path, e.Name()))
		if err != nil {
			return last, err
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
		st := StreamSummary{Label: label, File: f.Name(), Gaps: []Gap{}, Pauses: []Pause{}}
		if extension == ".pcap" {
			err = errors.Join(f.Truncate(wholePackets(f)), f.Close())
		} else if w, bad := audio.ReopenWAV(f, info.Size()); bad != nil {
			r.Problems = append(r.Problems, e.Name()+": "+bad.Error())
			err = f.Close()
		} else {
			sounds, st.Kind, st.Seconds = append(sounds, w), "audio", float64(w.Frames())/float64(w.Rate())
			r.Seconds = max(r.Seconds, st.Seconds)
		}
		if err != nil {
			return last, err
		}
		// A stream that has both is named by its sound, as ever.
		if i := slices.IndexFunc(r.Streams, func(s StreamSummary) bool { return s.Label == label }); i < 0 {
			r.Streams = append(r.Streams, st)
		} else if extension == ".wav" {
			r.Streams[i] = st
		}
	}
	for _, w := range sounds {
		err = errors.Join(err, w.Silence(int64(r.Seconds*float64(w.Rate())+0.5)-w.Frames()), w.Close())
	}
	for i := range r.Streams {
		if r.Streams[i].Kind == "audio" {
			r.Streams[i].Seconds = r.Seconds
		}
	}
	return last, err
}

// openRegular opens a file to be changed; what is none, a link or a pipe, is not ours.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no file", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	return f, info, err
}

// wholePackets is the length of a capture of ours up to where a packet was cut short.
func wholePackets(f io.Reader) (end int64) {
	in := bufio.NewReader(f)
	n, _ := in.Discard(24)
	for end = int64(n); ; {
		head, err := in.Peek(16)
		if err != nil {
			return end
		}
		size := 16 + int(binary.LittleEndian.Uint32(head[8:])&(1<<24-1))
		if n, err := in.Discard(size); err != nil || n < size {
			return end
		}
		end += int64(size)
	}
}
