package demo

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sidetrack/internal/audio"
	"sidetrack/internal/recorder"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
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
	var out []Attempt
	for _, a := range v.Attempts {
		out = append(out, Attempt{a.SRS, a.Code})
	}
	return out
}

// report listens to everything that was recorded.
func (s *System) report(attempts map[string][]Attempt) (*Report, error) {
	took := time.Since(s.began)
	r := &Report{Out: s.opt.Out, Duration: took, Seconds: math.Round(took.Seconds()*10) / 10}
	sessions := s.srs.Sessions()
	for _, sum := range sessions {
		rec, err := s.judge(sum, attempts[sum.ID])
		if err != nil {
			return nil, err
		}
		r.Recordings = append(r.Recordings, rec)
	}
	if len(sessions) != s.opt.Calls {
		r.Problems = append(r.Problems, fmt.Sprintf("%d calls, but %d recordings", s.opt.Calls, len(sessions)))
	}
	r.OK = len(r.Problems) == 0
	for _, rec := range r.Recordings {
		r.OK = r.OK && len(rec.Problems) == 0
	}
	return r, nil
}

// judge compares one recording with what was said in its call.
func (s *System) judge(sum recorder.Summary, attempts []Attempt) (Recording, error) {
	rec := Recording{ID: sum.ID, Folder: sum.Folder, Attempts: attempts, Documents: sum.Documents, Problems: sum.Problems}
	if !sum.Complete {
		rec.Problems = append(rec.Problems, "not complete: "+sum.Reason)
	}
	if len(attempts) != 2 || attempts[0].Code != refusalCode || attempts[1].Code != 200 {
		rec.Problems = append(rec.Problems, fmt.Sprintf("expected %d from the first SRS and 200 from the second, saw %v", refusalCode, attempts))
	}
	if len(sum.Streams) != 2 || len(sum.Parties) != 2 {
		rec.Problems = append(rec.Problems, fmt.Sprintf("%d streams of %d parties", len(sum.Streams), len(sum.Parties)))
		return rec, nil
	}
	rec.Caller, rec.Callee = user(sum.Parties[0].AOR), user(sum.Parties[1].AOR)
	var number int
	fmt.Sscanf(strings.TrimPrefix(rec.Caller, "10"), "%d", &number)
	own, other := callerVoice(number-1), calleeVoice(number-1)
	var seconds [2]float64
	for i, st := range sum.Streams {
		wav, err := audio.ReadWAVFile(st.File)
		if err != nil {
			return rec, err
		}
		seconds[i] = wav.Seconds()
		out := Stream{Label: st.Label, Party: user(st.Party), Codec: st.Codec, Packets: st.Packets, Lost: st.Lost, Seconds: seconds[i], File: st.File}
		hold := pause(st.Pauses)
		out.Hold = hold.To - hold.From
		rec.Problems = append(rec.Problems, listen(wav, out, hold, own, other)...)
		rec.Streams = append(rec.Streams, out)
		own, other = other, own
	}
	if math.Abs(seconds[0]-seconds[1]) > .001 {
		rec.Problems = append(rec.Problems, fmt.Sprintf("the files differ in length: %.3f s and %.3f s", seconds[0], seconds[1]))
	}
	return rec, nil
}

// pause is the hold as the SRS was told of it.
func pause(all []recorder.Pause) recorder.Pause {
	if len(all) == 0 {
		return recorder.Pause{}
	}
	return all[0]
}

// listen tells what is wrong with one party's file.
func listen(wav audio.WAV, st Stream, hold recorder.Pause, own, other int) []string {
	var wrong []string
	say := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("label %s (%s): ", st.Label, st.Party)+fmt.Sprintf(format, args...))
	}
	talk := append(append([]int16{}, wav.Span(0, hold.From)...), wav.Span(hold.To, wav.Seconds())...)
	if !audio.Heard(talk, wav.Rate, own) {
		say("its party is not heard")
	}
	if audio.Heard(wav.PCM, wav.Rate, other) {
		say("the other party is heard")
	}
	if hold.To-hold.From < 1 {
		say("no hold of a second or more was signalled")
		return wrong
	}
	// A quarter of a second on each side: speech that was on its way.
	if level := audio.RMS(wav.Span(hold.From+.25, hold.To-.25)); level > 1 {
		say("not silent during the hold (level %.0f)", level)
	}
	return wrong
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

// refuse answers requests that a caller of the demo does not expect.
type refuse struct{}

// OnRequest implements txn.Handler.
func (refuse) OnRequest(tx *txn.ServerTx) {
	switch tx.Request.Method {
	case "BYE", "OPTIONS":
		tx.Reply(200, "")
	default:
		tx.Reply(481, "")
	}
}

// OnAck implements txn.Handler.
func (refuse) OnAck(*txn.Lane, *sip.Message, transport.Flow) {}

// OnCancel implements txn.Handler.
func (refuse) OnCancel(tx *txn.ServerTx, _ *sip.Message) { tx.Reply(487, "") }
