//go:build interop

package interop_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Two baresip phones talk through sidetrack, in a network namespace (baresip does not start on loopback alone). One
// holds and resumes. Each hears the other's tone, and the recording holds both, each under its own label.
func TestBaresipPhones(t *testing.T) {
	root(t)
	need(t, "baresip", "ip")
	namespace := newNamespace(t)
	s := newSite(t, namespace, inside, fmt.Sprintf("sip:%s:6081", inside))
	anna := newPhone(t, namespace, "anna", 6071, 440)
	ben := newPhone(t, namespace, "ben", 6081, 1000)

	anna.command("dial", fmt.Sprintf("sip:ben@%s:%d", inside, proxyPort))
	anna.event("CALL_ESTABLISHED", 1)
	ben.event("CALL_ESTABLISHED", 1)
	s.awaitCopies(250)
	anna.command("hold", "")
	s.awaitState("paused")
	held := time.Now()
	if !eventually(patience, func() bool { return time.Since(held) > 1500*time.Millisecond }) {
		fatal(t, "the clock stands still")
	}
	anna.command("resume", "")
	s.awaitState("recording")
	s.awaitCopies(s.copies() + 250)
	anna.command("hangup", "")
	anna.event("CALL_CLOSED", 1)
	ben.event("CALL_CLOSED", 1)

	r := s.awaitRecordings(1)[0]
	if !r.Complete || len(r.Problems) > 0 || len(r.Streams) != 2 {
		t.Errorf("recording %+v", r)
	}
	for _, stream := range r.Streams {
		own, other := 440.0, 1000.0
		if stream.Label == "2" {
			own, other = other, own
		}
		samples, rate := wave(t, filepath.Join(r.dir, filepath.Base(stream.File)))
		mine, foreign, quiet := heard(samples, rate, own), heard(samples, rate, other), silent(samples, rate)
		t.Logf("label %s: own tone %.1f s, other %.1f s, silence %.1f s of %.1f", stream.Label, mine, foreign, quiet, stream.Seconds)
		if mine < 4 || foreign > 0 || quiet < 1 {
			t.Errorf("label %s: own tone %.1f s, other %.1f s, silence %.1f s", stream.Label, mine, foreign, quiet)
		}
		if len(stream.Pauses) != 1 {
			t.Errorf("label %s: pauses %v", stream.Label, stream.Pauses)
		}
	}
	anna.hears(1000)
	ben.hears(440)
}

// The namespace has a network of this run: two runs on one machine do not meet.
var (
	inside  = private(1)
	outside = private(254)
)

func private(n int) string { return fmt.Sprintf("10.77.%d.%d", os.Getpid()%250+1, n) }

// devices counts the pairs made; device names an end of the last one.
var devices atomic.Int32

func device(end string) string {
	return fmt.Sprintf("st%d%s%d", os.Getpid()%100000, end, devices.Load())
}

// newNamespace makes a network namespace joined to ours by a veth pair, and removes it with the test.
func newNamespace(t *testing.T) string {
	t.Helper()
	return newNamespaceAt(t, inside, outside)
}

// newNamespaceAt has other addresses for the two ends.
func newNamespaceAt(t *testing.T, inside, outside string) string {
	t.Helper()
	name := fmt.Sprintf("sidetrack-%d", os.Getpid())
	devices.Add(1) // those of the namespace before go when they like
	near, far := device("a"), device("b")
	steps := []string{
		"netns add " + name, "link add " + near + " type veth peer name " + far + " netns " + name,
		"addr add " + outside + "/24 dev " + near, "link set " + near + " up",
		"-n " + name + " addr add " + inside + "/24 dev " + far, "-n " + name + " link set " + far + " up",
		"-n " + name + " link set lo up",
	}
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "del", near).Run() // at once; with the namespace it would go some time later
		_ = exec.Command("ip", "netns", "del", name).Run()
	})
	for _, step := range steps {
		if out, err := exec.Command("ip", strings.Fields(step)...).CombinedOutput(); err != nil {
			unable(t, "ip %s: %v %s", step, err, out)
		}
	}
	return name
}

// addAddress gives the namespace one more address.
func addAddress(t *testing.T, namespace, ip string) {
	t.Helper()
	dev := device("b")
	if out, err := exec.Command("ip", "-n", namespace, "addr", "add", ip+"/24", "dev", dev).CombinedOutput(); err != nil {
		unable(t, "ip addr add %s: %v %s", ip, err, out)
	}
}

// awaitCopies waits until so many packets were copied to the SRS.
func (s *site) awaitCopies(n float64) {
	s.t.Helper()
	if !eventually(patience, func() bool { return s.copies() >= n }) {
		fatal(s.t, "%v packets copied, wanted %v", s.copies(), n)
	}
}

func (s *site) copies() float64 { return s.sum("sidetrack_fork_packets_total") }

// awaitState waits until the only live recording is in that state.
func (s *site) awaitState(state string) {
	s.t.Helper()
	s.awaitStates(state, 1)
}

// awaitStates waits until the live recordings, so many, are all in that state.
func (s *site) awaitStates(state string, n int) {
	s.t.Helper()
	var body []byte
	if !eventually(patience, func() bool {
		_, body = s.get("/api/v1/recordings")
		var page struct{ Items []struct{ State string } }
		if json.Unmarshal(body, &page) != nil {
			return false
		}
		live, fit := 0, 0
		for _, r := range page.Items {
			if r.State != "ended" {
				live++
			}
			if r.State == state {
				fit++
			}
		}
		return live == n && fit == n
	}) {
		fatal(s.t, "the recording does not become %s: %s", state, body)
	}
}

// tone is a WAV file of seconds of a tone at 8 kHz.
func tone(hertz float64, seconds int) []byte {
	samples := 8000 * seconds
	b := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(36+2*samples))...)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint32(b, 8000)
	b = binary.LittleEndian.AppendUint32(b, 16000)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*samples))
	for i := range samples {
		v := int16(12000 * math.Sin(2*math.Pi*hertz*float64(i)/8000))
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}
