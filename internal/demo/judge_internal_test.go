package demo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/audio"
	"sidetrack/internal/recorder"
)

const second = rate

// recorded is a party's audio: two seconds of talk, a hold, one more second.
func recorded(voice int, hold time.Duration) []int16 {
	v := audio.NewVoice(rate, voice)
	speech := make([]int16, 3*second)
	v.Read(speech)
	silence := make([]int16, int(hold.Seconds()*rate))
	return slices.Concat(speech[:2*second], silence, speech[2*second:])
}

func wav(t *testing.T, dir, name string, pcm []int16) string {
	t.Helper()
	path := filepath.Join(dir, name)
	w, err := audio.CreateWAV(path, rate, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(pcm); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// perfect is a session as a good run leaves it.
func perfect(t *testing.T) (recorder.Summary, []Attempt) {
	t.Helper()
	dir := t.TempDir()
	stream := func(label, user string, voice int) recorder.StreamSummary {
		return recorder.StreamSummary{
			Label: label, Party: "sip:" + user + "@demo.invalid", Codec: "PCMU", Packets: 150,
			File:   wav(t, dir, label+".wav", recorded(voice, 1500*time.Millisecond)),
			Pauses: []recorder.Pause{{From: 2.1, To: 3.4}},
		}
	}
	return recorder.Summary{
		ID: "s", Folder: dir, Complete: true, Documents: 4,
		Parties: []recorder.Party{{AOR: "sip:1002@demo.invalid"}, {AOR: "sip:2002@demo.invalid"}},
		Streams: []recorder.StreamSummary{stream("1", "1002", callerVoice(1)), stream("2", "2002", calleeVoice(1))},
	}, []Attempt{{"sip:a", 503}, {"sip:b", 200}}
}

// Each way in which a recording can be wrong is told; a good one is not blamed.
func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(*recorder.Summary, *[]Attempt)
		says   string // "" for none
	}{
		{"perfect", func(*recorder.Summary, *[]Attempt) {}, ""},
		{"late by half a second", func(s *recorder.Summary, _ *[]Attempt) {
			s.Streams[0].Pauses[0] = recorder.Pause{From: 1.6, To: 2.9}
		}, ""},
		{"told by the SRS", func(s *recorder.Summary, _ *[]Attempt) { s.Problems = []string{"MD-20"} }, "MD-20"},
		{"not complete", func(s *recorder.Summary, _ *[]Attempt) { s.Complete, s.Reason = false, "idle" }, "not complete: idle"},
		{"first SRS took it", func(_ *recorder.Summary, a *[]Attempt) { *a = (*a)[1:] }, "expected 503"},
		{"one stream", func(s *recorder.Summary, _ *[]Attempt) { s.Streams = s.Streams[:1] }, "1 streams of 2 parties"},
		{"labels swapped", func(s *recorder.Summary, _ *[]Attempt) { s.Streams[0].Label, s.Streams[1].Label = "2", "1" }, "expected label 1"},
		{"audio swapped", func(s *recorder.Summary, _ *[]Attempt) {
			s.Streams[0].File, s.Streams[1].File = s.Streams[1].File, s.Streams[0].File
		}, "its party is not heard"},
		{"few packets", func(s *recorder.Summary, _ *[]Attempt) { s.Streams[1].Packets = 70 }, "70 packets recorded of 150"},
		{"file gone", func(s *recorder.Summary, _ *[]Attempt) { os.Remove(s.Streams[0].File) }, "no such file"},
		{"file damaged", func(s *recorder.Summary, _ *[]Attempt) { os.WriteFile(s.Streams[0].File, []byte("RIFFxxxx"), 0o600) }, "label 1 (1002): "},
		{"file cut short", func(s *recorder.Summary, _ *[]Attempt) { os.Truncate(s.Streams[0].File, 100) }, "label 1 (1002): "},
		{"lengths differ", func(s *recorder.Summary, _ *[]Attempt) {
			s.Streams[0].File = wav(t, s.Folder, "x.wav", recorded(callerVoice(1), 1600*time.Millisecond))
		}, "differ in length"},
		{"no hold signalled", func(s *recorder.Summary, _ *[]Attempt) { s.Streams[0].Pauses = nil }, "one hold was expected"},
		{"hold not ended", func(s *recorder.Summary, _ *[]Attempt) { s.Streams[0].Pauses[0].To = 0 }, "one hold was expected"},
		{"talk during the hold", func(s *recorder.Summary, _ *[]Attempt) {
			s.Streams[0].File = wav(t, s.Folder, "x.wav", recorded(callerVoice(1), 500*time.Millisecond))
		}, "not silent during the hold"},
		{"silent elsewhere", func(s *recorder.Summary, _ *[]Attempt) {
			s.Streams[0].Pauses[0] = recorder.Pause{From: .1, To: 1.4}
		}, "but on hold from"},
	} {
		sum, attempts := perfect(t)
		tt.damage(&sum, &attempts)
		rec := judge(sum, attempts, func(string) int64 { return 150 })
		all := strings.Join(rec.Problems, "\n")
		if tt.says == "" && all != "" || !strings.Contains(all, tt.says) {
			t.Errorf("%s: %q, want %q", tt.name, rec.Problems, tt.says)
		}
	}
}

// Somebody else in the background is noticed, in his own call or of another.
func TestJudgeHearsStrangers(t *testing.T) {
	for _, stranger := range []int{calleeVoice(1), callerVoice(0), calleeVoice(3)} {
		sum, attempts := perfect(t)
		mix := recorded(callerVoice(1), 1500*time.Millisecond)
		for i, v := range recorded(stranger, 1500*time.Millisecond) {
			mix[i] = mix[i]/2 + v/2
		}
		sum.Streams[0].File = wav(t, sum.Folder, "mixed.wav", mix)
		rec := judge(sum, attempts, func(string) int64 { return 150 })
		if !strings.Contains(strings.Join(rec.Problems, "\n"), "another party is heard") {
			t.Errorf("voice %d is not heard: %q", stranger, rec.Problems)
		}
	}
}

func TestReportIsNotOKWhenACallIsMissing(t *testing.T) {
	srs, err := recorder.New(recorder.Config{Listen: []string{"udp://127.0.0.1:0"}, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := &System{opt: Options{Calls: 2}, srs: srs, began: time.Now()}
	if r := s.report(nil); r.OK || len(r.Problems) != 1 || r.Problems[0] != "2 calls, but 0 recordings" {
		t.Errorf("%+v", r)
	}
}
