//go:build interop

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// number reads a whole number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// SIPp calls SIPp through sidetrack, audio both ways, every call recorded: none fails, every recording is complete, no
// copied packet is lost, and afterwards the process is as it was. SIPP_CALLS (200) at SIPP_CPS (50) a second.
func TestSIPpCallsAreRecorded(t *testing.T) {
	root(t)
	need(t, "sipp")
	ip := home(1)
	calls, rate := number(t, "SIPP_CALLS", 200), number(t, "SIPP_CPS", 50)
	pcap, packets := clip(t, 3, 440)
	s := newSite(t, "", ip, "sip:"+ip+":5080")

	sipp(t, "warm-up", ip, pcap, 20, 20)
	warm := s.awaitRecordings(20)
	before := s.rested()
	from := time.Now()
	sipp(t, "load", ip, pcap, calls, rate)
	all := s.awaitRecordings(len(warm) + calls)
	t.Logf("%d calls at %d/s in %v", calls, rate, time.Since(from).Round(time.Millisecond))

	received := s.judge(all, packets)
	// Every copy arrived, and every packet that came in after the SRS had answered was copied. What came before is told
	// apart: counted as no-address once the session has begun, not at all before.
	const drops = "sidetrack_fork_dropped_packets_total"
	in, copied := s.sum("sidetrack_rtp_packets_total"), s.sum("sidetrack_fork_packets_total")
	early := s.sum(drops, `reason="no-address"`)
	if n := s.sum(drops) - early; n != 0 || copied != received || in-copied-early > in/100 {
		t.Errorf("%v packets in, %v copied, %v at the recorder, %v before the SRS had answered, %v lost", in, copied, received, early, n)
	}
	t.Logf("%v packets in, %v copied, all at the recorder; %.1f a call before the SRS had answered", in, copied, (in-copied)/float64(len(all)))
	if n := s.sum("sidetrack_recordings_total", `result="complete"`); n != float64(len(all)) {
		t.Errorf("%v of %d recordings counted as complete", n, len(all))
	}
	s.awaitRest(before, 16<<20)
}

// unhurried are the options by which SIPp stays, and all that it would have called with it, when it has not been on the
// processor for half a second 120 times or for three seconds ten times, as happens on a machine that is busy.
var unhurried = []string{"-watchdog_minor_maxtriggers", "1000000", "-watchdog_major_maxtriggers", "1000000"}

// sipp runs one PBX and one caller until all calls are done.
func sipp(t *testing.T, name, ip, pcap string, calls, rate int) {
	t.Helper()
	common := append([]string{"-i", ip, "-mi", ip, "-key", "pcap", pcap, "-nostdin", "-trace_err", "-m", fmt.Sprint(calls),
		"-buff_size", "4000000", "-timeout", "600s", "-l", "5000"}, unhurried...)
	uas := start(t, name+" PBX", "", append([]string{"sipp", "-sf", absolute(t, "sipp/uas_audio.xml"),
		"-p", "5080", "-mp", "7000", "-error_file", errors(t)}, common...)...)
	uac := start(t, name+" caller", "", append([]string{"sipp", fmt.Sprintf("%s:%d", ip, proxyPort), "-sf", absolute(t, "sipp/uac_audio.xml"),
		"-p", "5070", "-mp", "6000", "-s", "pbx", "-d", "3300", "-r", fmt.Sprint(rate), "-error_file", errors(t)}, common...)...)
	within := time.Duration(calls/rate)*time.Second + time.Minute
	if status := uac.wait(within); status != 0 {
		t.Errorf("%s: the caller ended with %d", name, status)
	}
	if status := uas.wait(patience); status != 0 {
		t.Errorf("%s: the PBX ended with %d", name, status)
	}
}

// errors names a file for SIPp's complaints, and shows them when the test failed.
func errors(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "errors.log")
	t.Cleanup(func() {
		if b, err := os.ReadFile(file); err == nil && t.Failed() {
			t.Logf("SIPp's errors:\n%s", tail(string(b), 60))
		}
	})
	return file
}

// judge looks at each recording: complete, two streams, nothing lost. It gives the sum of their packets. (SIPp's pacing
// decides how much of the clip is played before it hangs up, so that only a lower bound can be said of each.)
func (s *site) judge(all []recording, packets int) float64 {
	s.t.Helper()
	bad, received := 0, 0.0
	for _, r := range all {
		good := r.Complete && len(r.Streams) == 2
		for _, stream := range r.Streams {
			received += float64(stream.Packets)
			good = good && stream.Lost == 0 && stream.Duplicate == 0 && stream.Packets <= uint64(packets) && stream.Packets > uint64(packets)/2
		}
		if !good {
			if bad++; bad <= 5 {
				s.t.Errorf("%s: %+v", filepath.Base(r.dir), r)
			}
		}
	}
	if bad > 0 {
		s.t.Errorf("%d of %d recordings are not as they should be", bad, len(all))
	}
	return received
}

// resources is what the proxy's process holds.
type resources struct{ goroutines, descriptors, ports, heap float64 }

func (s *site) resources() resources {
	return resources{
		s.sum("go_goroutines"), s.sum("process_open_fds"), s.sum("sidetrack_media_ports", `state="used"`),
		s.sum("go_memstats_heap_alloc_bytes"),
	}
}

// rested is what it holds when no port drains any more.
func (s *site) rested() resources {
	s.t.Helper()
	busy := func() float64 { return s.sum("sidetrack_media_ports") - s.sum("sidetrack_media_ports", `state="free"`) }
	if !eventually(patience, func() bool { return busy() == 0 }) {
		s.t.Errorf("%v media ports are not given back", busy())
	}
	return s.resources()
}

// awaitRest waits, for at most a minute, until the process holds no more than before; room is for what it keeps of ended
// calls on purpose, in octets.
func (s *site) awaitRest(before resources, room float64) {
	s.t.Helper()
	var now resources
	rest := func() bool {
		now = s.resources()
		return s.calls() == 0 && now.ports == 0 && now.goroutines <= before.goroutines+5 &&
			now.descriptors <= before.descriptors+5 && now.heap <= 2*before.heap+room
	}
	if !eventually(time.Minute, rest) {
		s.t.Errorf("a minute after the last call: %+v, before: %+v, calls %d", now, before, s.calls())
	}
	s.t.Logf("before %+v, after %+v", before, now)
}

// What is left on disk is valid by the RFC's schema and readable as audio.
func TestArtefactsAreValid(t *testing.T) {
	root(t)
	need(t, "sipp", "xmllint")
	ip := home(2)
	pcap, _ := clip(t, 1, 1000)
	s := newSite(t, "", ip, "sip:"+ip+":5080")
	sipp(t, "one call", ip, pcap, 1, 1)
	r := s.awaitRecordings(1)[0]
	if len(r.Problems) > 0 {
		t.Errorf("the recorder says %q", r.Problems)
	}
	documents, _ := filepath.Glob(filepath.Join(r.dir, "metadata*.xml"))
	if len(documents) < 2 {
		t.Errorf("documents %v", documents)
	}
	schema := absolute(t, "../../metadata/testdata/rs-metadata.xsd")
	for _, doc := range documents {
		if out, err := exec.Command("xmllint", "--noout", "--nonet", "--schema", schema, doc).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", filepath.Base(doc), out)
		}
	}
	for _, stream := range r.Streams {
		samples, rate := wave(t, filepath.Join(r.dir, filepath.Base(stream.File)))
		if got := heard(samples, rate, 1000); got < 0.7 {
			t.Errorf("label %s: the tone is heard for %.1f s of 1", stream.Label, got)
		}
	}
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	file, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// SIGTERM in the middle of calls: the process hangs up on everybody when its time for draining is over, the recorder
// included, and ends with status 0.
func TestSignalEndsCallsAndRecordings(t *testing.T) {
	root(t)
	need(t, "sipp")
	ip := home(4)
	pcap, _ := clip(t, 3, 440)
	s := newSite(t, "", ip, "sip:"+ip+":5080")
	arguments := func(file, port, media string) []string {
		return append([]string{"-sf", absolute(t, file), "-i", ip, "-mi", ip, "-p", port, "-mp", media, "-key", "pcap", pcap,
			"-nostdin", "-m", "5", "-r", "50", "-d", "60000", "-s", "pbx", "-timeout", "60s"}, unhurried...)
	}
	start(t, "PBX", "", append([]string{"sipp"}, arguments("sipp/uas_audio.xml", "5080", "7000")...)...)
	start(t, "caller", "", append([]string{"sipp", fmt.Sprintf("%s:%d", ip, proxyPort)}, arguments("sipp/uac_audio.xml", "5070", "6000")...)...)
	if !eventually(patience, func() bool { return s.sum("sidetrack_recordings_active") == 5 }) {
		t.Fatal("five recorded calls do not come up")
	}
	s.proxy.end()
	if status := s.proxy.cmd.ProcessState.ExitCode(); status != 0 {
		t.Errorf("ended with status %d", status)
	}
	for _, r := range s.awaitRecordings(5) {
		if !r.Complete {
			t.Errorf("recording %+v", r)
		}
	}
}
