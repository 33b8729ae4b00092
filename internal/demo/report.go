package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/src"
)

// Report is what the demo found out.
type Report struct {
	OK         bool          `json:"ok"` // every call was recorded whole
	Out        string        `json:"out"`
	Seconds    float64       `json:"seconds"`
	Recordings []Recording   `json:"recordings"`
	Problems   []string      `json:"problems"` // of the demo as a whole
	Duration   time.Duration `json:"-"`
}

// Recording is one recording session as it was left on disk.
type Recording struct {
	ID        string    `json:"id"`
	Folder    string    `json:"folder"`
	Caller    string    `json:"caller"`
	Callee    string    `json:"callee"`
	Attempts  []Attempt `json:"attempts"`
	Streams   []Stream  `json:"streams"`
	Documents int       `json:"documents"` // metadata documents
	Problems  []string  `json:"problems"`
}

// Attempt is one SRS that was asked, and what it said.
type Attempt struct {
	SRS  string `json:"srs"`
	Code int    `json:"code"`
}

// Stream is one party's audio.
type Stream struct {
	Label   string  `json:"label"`
	Party   string  `json:"party"`
	Codec   string  `json:"codec"`
	Packets uint64  `json:"packets"`
	Lost    uint64  `json:"lost"`
	Seconds float64 `json:"seconds"`
	Hold    float64 `json:"hold_seconds"` // silent because of the hold
	File    string  `json:"file"`
}

// attempts asks the proxy, before it stops, what each recording tried.
func (s *System) attempts() map[string][]Attempt {
	found := map[string][]Attempt{}
	for _, v := range s.proxy.Recordings() {
		found[v.ID] = attemptsOf(v)
	}
	return found
}

func attemptsOf(v src.View) []Attempt {
	out := []Attempt{}
	for _, a := range v.Attempts {
		out = append(out, Attempt{a.SRS, a.Code})
	}
	return out
}

// report listens to everything that was recorded.
func (s *System) report(attempts map[string][]Attempt) *Report {
	took := time.Since(s.began)
	r := &Report{
		Out: s.opt.Out, Duration: took, Seconds: math.Round(took.Seconds()*10) / 10,
		Recordings: []Recording{}, Problems: []string{},
	}
	for _, sum := range s.srs.Sessions() {
		r.Recordings = append(r.Recordings, judge(sum, attempts[sum.ID], s.spoken))
	}
	slices.SortStableFunc(r.Recordings, func(a, b Recording) int { return cmp.Compare(a.Caller, b.Caller) })
	if n := len(r.Recordings); n != s.opt.Calls {
		r.Problems = append(r.Problems, fmt.Sprintf("%d calls, but %d recordings", s.opt.Calls, n))
	}
	r.OK = len(r.Problems) == 0
	for _, rec := range r.Recordings {
		r.OK = r.OK && len(rec.Problems) == 0
	}
	return r
}

func user(aor string) string {
	if u, err := sip.ParseURI(aor); err == nil && u.User != "" {
		return u.User
	}
	return aor
}

// Files lists what lies in the folder of a recording.
func (r Recording) Files() []string {
	entries, err := os.ReadDir(r.Folder)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Join(r.Folder, e.Name()))
	}
	return names
}

// JSON is the report for programs.
func (r *Report) JSON() ([]byte, error) { return json.MarshalIndent(r, "", "  ") }
