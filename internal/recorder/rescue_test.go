package recorder_test

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/recorder"
)

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What a recorder that was killed has left is concluded by the next one: its files say how
// long they are, a report says that it was killed. What is whole is left alone.
func TestKilledRecorder(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 2)
	c.call(two)
	newSender(c, 0, "PCMU", 0, 0).talk(150)
	newSender(c, 1, "PCMU", 0, 1).talk(300)
	packets(t, s, 0, 150)
	packets(t, s, 1, 300)
	folder := s.Sessions()[0].Folder
	eventually(t, "two files with sound", func() bool {
		long := 0
		for _, name := range []string{"1.wav", "2.wav"} {
			if info, err := os.Stat(filepath.Join(folder, name)); err == nil && info.Size() > 16<<10 {
				long++
			}
		}
		return long == 2
	})

	// What is on the disk now is what a kill would leave, with a last write cut short.
	out := t.TempDir()
	dead := filepath.Join(out, filepath.Base(folder))
	must(t, os.CopyFS(dead, os.DirFS(folder)))
	add := func(name string, b []byte) {
		f, err := os.OpenFile(filepath.Join(dead, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
		must(t, err)
		_, err = f.Write(b)
		must(t, err)
		must(t, f.Close())
	}
	add("1.wav", make([]byte, 2*8000+1)) // a second that its header does not know
	packet := make([]byte, 16+30)
	binary.LittleEndian.PutUint32(packet[8:], 30)
	add("3.pcap", append(append(make([]byte, 24), packet...), packet[:20]...))
	add("4.wav", []byte("RIFF"))
	whole := filepath.Join(out, "20260102T030405.006Z_whole")
	must(t, os.Mkdir(whole, 0o750))
	must(t, os.WriteFile(filepath.Join(whole, "recording.json"), []byte("{}"), 0o640))
	must(t, os.Mkdir(filepath.Join(out, "other"), 0o750))
	must(t, os.WriteFile(filepath.Join(out, ".probe-123"), nil, 0o640))

	next, told := serve(t, func(c *recorder.Config) { c.Out = out })
	sum := result(t, told)
	if sum.Complete || sum.Reason != "the recorder was killed" || sum.ID != "hVpd7YQgRW2nD22h7q60JQ" || sum.Folder != dead ||
		len(sum.Problems) != 2 || !strings.Contains(sum.Problems[1], "4.wav") || sum.Documents != 1 || len(sum.Parties) != 2 {
		t.Errorf("%+v", sum)
	}
	if start := s.Sessions()[0].Start.Truncate(time.Millisecond); !sum.Start.Equal(start) || sum.Seconds <= 0 || !sum.End.After(start) {
		t.Errorf("from %v to %v, %v s, not from %v", sum.Start, sum.End, sum.Seconds, start)
	}
	if len(sum.Streams) != 4 {
		t.Fatalf("%+v", sum.Streams)
	}
	live := s.Sessions()[0]
	if sum.CallID != live.CallID || sum.Streams[0].Codec != "PCMU" || sum.Streams[1].Kind != "audio" || sum.Streams[2].Codec != "" {
		t.Errorf("what was known at the beginning: %+v", sum)
	}
	a, b := wav(t, sum, 0), wav(t, sum, 1)
	if sum.Streams[0].Party != "sip:alice@example.com" || len(a.PCM) != len(b.PCM) || a.Seconds() != sum.Streams[0].Seconds || a.Seconds() < 3 {
		t.Errorf("%+v: %v and %v s", sum.Streams, a.Seconds(), b.Seconds())
	}
	only(t, "label 2", b.PCM, b.Rate, 1)
	if info, err := os.Stat(sum.Streams[2].File); err != nil || info.Size() != 24+16+30 {
		t.Errorf("a capture of %d bytes, %v", info.Size(), err)
	}
	var report struct {
		recorder.Summary
		SDP       []struct{ Offer string }
		Transport string
	}
	must(t, json.Unmarshal([]byte(mustRead(t, dead, "recording.json")), &report))
	if report.Reason != sum.Reason || report.Complete || len(report.Streams) != 4 || len(report.SDP) != 1 || report.SDP[0].Offer == "" || report.Transport != "udp" {
		t.Errorf("%+v", report)
	}
	if _, err := os.Stat(filepath.Join(dead, "began.json")); err == nil {
		t.Error("what the report tells is kept beside it")
	}
	eventually(t, "it is remembered", func() bool { return len(next.Sessions()) == 1 })
	stop(t, next)
	if _, err := os.Stat(filepath.Join(out, ".probe-123")); err == nil || mustRead(t, whole, "recording.json") != "{}" {
		t.Error("what is whole has changed, or what is useless is there")
	}
	if _, err := os.Stat(filepath.Join(out, "other", "recording.json")); err == nil {
		t.Error("a report in a folder that is none of ours")
	}

	// The live one goes on, whatever else uses its folder.
	beside, _ := serve(t, func(c *recorder.Config) { c.Out = filepath.Dir(folder) })
	stop(t, beside)
	if _, err := os.Stat(filepath.Join(folder, "recording.json")); err == nil {
		t.Error("a report of a session that lives")
	}
	c.bye()
	if sum := result(t, ended); !sum.Complete {
		t.Errorf("%+v", sum)
	}
	if _, err := os.Stat(filepath.Join(folder, "began.json")); err == nil {
		t.Error("what the report tells is kept beside it")
	}
}
