//go:build interop

package interop_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// evidence is what a failed test shows: the last lines of each program, what each phone has told, and the ladders of
// the last calls. It is gathered once, when the first failure is noticed and everything still runs; what the test
// waited for is said first, and once more at the end, for of a long log often only the lines around the verdict are kept.
type evidence struct {
	t        *testing.T
	programs []*process
	phones   []*phone
	sites    []*site
	missed   []string
	told     bool
}

var evidences = struct {
	sync.Mutex
	of map[*testing.T]*evidence
}{of: map[*testing.T]*evidence{}}

func evidenceOf(t *testing.T) *evidence {
	evidences.Lock()
	defer evidences.Unlock()
	e := evidences.of[t]
	if e == nil {
		e = &evidence{t: t}
		evidences.of[t] = e
		t.Cleanup(func() {
			e.tell()
			if len(e.missed) > 0 {
				t.Logf("so it failed:\n%s", strings.Join(e.missed[:min(3, len(e.missed))], "\n"))
			}
			evidences.Lock()
			defer evidences.Unlock()
			delete(evidences.of, t)
		})
	}
	return e
}

// failed says what was waited for in vain, and shows the evidence at once.
func failed(t *testing.T, format string, args ...any) {
	t.Helper()
	text := fmt.Sprintf(format, args...)
	e := evidenceOf(t)
	e.missed = append(e.missed, text)
	t.Error(text)
	e.tell()
}

// fatal is failed, and the end of the test.
func fatal(t *testing.T, format string, args ...any) {
	t.Helper()
	failed(t, format, args...)
	t.FailNow()
}

// add is another site, or one again.
func (e *evidence) add(s *site) {
	if !slices.Contains(e.sites, s) {
		e.sites = append(e.sites, s)
	}
}

func (e *evidence) tell() {
	if e.told || !e.t.Failed() {
		return
	}
	e.told = true
	for _, p := range e.programs {
		e.t.Logf("%s said:\n%s", p.name, tail(legible(p.out.String()), 15))
		select {
		case <-p.done:
			e.t.Logf("%s has ended: %v", p.name, p.cmd.ProcessState)
		default:
		}
	}
	for _, p := range e.phones {
		e.t.Logf("%s told:\n%s", p.name, tail(strings.Join(p.told(), "\n"), 15))
	}
	drawn := map[string]bool{} // passages of one Call-ID have one ladder
	for _, s := range e.sites {
		for _, id := range s.lastCalls(4) {
			status, body := s.get("/api/v1/calls/" + id + "/ladder?format=text")
			if ladder := string(body); status == http.StatusOK && !drawn[ladder] {
				drawn[ladder] = true
				e.t.Logf("call %s:\n%s", id, tail(ladder, 30))
			}
		}
	}
}

var arrived = regexp.MustCompile(`msg="call arrived" call=(\S+)`)

// lastCalls are the ids of live calls, the newest last, else of those that came last.
func (s *site) lastCalls(n int) []string {
	var ids []string
	for _, m := range arrived.FindAllStringSubmatch(s.proxy.out.String(), -1) {
		ids = append(ids, m[1])
	}
	var live struct{ Items []struct{ ID string } }
	if _, body := s.get("/api/v1/calls?limit=1000"); json.Unmarshal(body, &live) == nil {
		for _, c := range live.Items {
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == c.ID })
			ids = append(ids, c.ID)
		}
	}
	return ids[max(0, len(ids)-n):]
}

// threads tells where in the kernel each thread of a program waits: one that waits for its own threads is told from one
// that waits for messages.
func (p *process) threads() string {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/wchan", p.cmd.Process.Pid))
	var places []string
	for _, name := range names {
		if place, err := os.ReadFile(name); err == nil {
			places = append(places, string(place))
		}
	}
	return strings.Join(places, " ")
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|\x1b[78=>]`)

// legible leaves out what a terminal would not show: colours, and lines that were written over.
func legible(text string) string {
	lines := strings.Split(escapes.ReplaceAllString(text, ""), "\n")
	kept := lines[:0]
	for _, line := range lines {
		line = strings.TrimRight(line, "\r ")
		line = strings.TrimSpace(line[strings.LastIndexByte(line, '\r')+1:])
		if line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
