//go:build interop

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSoak runs for SOAK minutes (make soak): every flow that survives lost packets at once, SOAK_CPS (30) calls a second
// in all, each SIPp dropping 2 % of what it sends and receives. No call fails that would not fail without sidetrack: the
// same flows run directly first, for a tenth of the time. Afterwards nothing is left.
func TestSoak(t *testing.T) {
	need(t, "sipp")
	minutes := number(t, "SOAK", 0)
	if minutes == 0 {
		t.Skip("SOAK says for how many minutes")
	}
	cps := number(t, "SOAK_CPS", 30)
	var flows []flow
	dir := t.TempDir()
	for _, f := range loadFlows(t) {
		if f.lossy {
			flows = append(flows, f)
			f.write(t, dir)
		}
	}
	ip := home(40)
	const ladders = 16 // MiB: so few that they are filled and refilled
	s := newSiteWith(t, "", ip, "request-uri", fmt.Sprintf("  trace: %dMiB", ladders))
	calls := minutes * 60 * cps / len(flows)
	direct := soak(t, flows, dir, "", max(calls/10, 20), cps)
	soak(t, flows, dir, fmt.Sprintf("%s:%d", ip, proxyPort), 20, cps) // what is made once is made
	if !eventually(time.Minute, func() bool { return s.calls() == 0 }) {
		t.Errorf("%d calls are left", s.calls())
	}
	before := s.rested()
	through := soak(t, flows, dir, fmt.Sprintf("%s:%d", ip, proxyPort), calls, cps)
	t.Logf("without sidetrack %d of %d calls failed, with it %d of %d", direct.failed, direct.all, through.failed, through.all)
	if through.all < calls*len(flows) {
		t.Errorf("%d calls were made, %d should", through.all, calls*len(flows))
	}
	if allowed := float64(direct.failed+3) / float64(direct.all) * float64(through.all); float64(through.failed) > allowed {
		t.Errorf("%d of %d calls failed; without sidetrack %d of %d", through.failed, through.all, direct.failed, direct.all)
	}
	if !eventually(2*time.Minute, func() bool { return s.calls() == 0 }) {
		t.Errorf("%d calls are stuck", s.calls())
	}
	s.awaitRest(before, (16+2*ladders)<<20)
}

// outcome is what SIPp's callers counted.
type outcome struct{ all, failed int }

// soak runs a pair of SIPps for each flow, all at once; through is the proxy, "" for none.
func soak(t *testing.T, flows []flow, dir, through string, calls, cps int) outcome {
	t.Helper()
	var callers, callees []*exec.Cmd
	var stats []string
	for i, f := range flows {
		at := home(41 + i)
		base := strings.Trim(fileName.ReplaceAllString(strings.ToLower(f.name), "_"), "_")
		common := append([]string{"-i", at, "-mi", at, "-nostdin", "-lost", "2", "-s", "callee", "-key", "callee", at + ":5080",
			"-recv_timeout", "30000", "-buff_size", "4000000"}, unhurried...)
		callee := exec.Command("sipp", append([]string{"-sf", filepath.Join(dir, base+"_callee.xml"), "-p", "5080", "-mp", "16080"}, common...)...)
		next := through
		if next == "" {
			next = at + ":5080"
		}
		file := filepath.Join(t.TempDir(), "stat.csv")
		caller := exec.Command("sipp", append([]string{next, "-sf", filepath.Join(dir, base+"_caller.xml"), "-p", "5070", "-mp", "16070", "-m", fmt.Sprint(calls),
			"-r", fmt.Sprint(cps), "-rp", fmt.Sprint(1000 * len(flows)), "-l", "5000", "-trace_stat", "-fd", "5", "-stf", file}, common...)...)
		if err := callee.Start(); err != nil {
			t.Fatal(err)
		}
		if !listening(at+":5080", "udp") {
			t.Fatalf("%s: the callee does not listen", f.name)
		}
		if err := caller.Start(); err != nil {
			t.Fatal(err)
		}
		callers, callees, stats = append(callers, caller), append(callees, callee), append(stats, file)
	}
	var sum outcome
	for i, c := range callers {
		_ = c.Wait() // 1: some calls failed
		o := counted(t, stats[i])
		if o.failed > 0 {
			t.Logf("%s: %d of %d calls failed", flows[i].name, o.failed, o.all)
		}
		sum.all, sum.failed = sum.all+o.all, sum.failed+o.failed
	}
	for _, c := range callees {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	return sum
}

// counted reads the last line of SIPp's statistics.
func counted(t *testing.T, file string) outcome {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	names, values := strings.Split(lines[0], ";"), strings.Split(lines[len(lines)-1], ";")
	var o outcome
	for i, name := range names[:min(len(names), len(values))] {
		n, _ := strconv.Atoi(values[i])
		switch name {
		case "TotalCallCreated":
			o.all = n
		case "FailedCall(C)":
			o.failed = n
		}
	}
	return o
}
