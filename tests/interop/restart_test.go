//go:build interop

package interop_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// chorus speaks for many calls: a frame of each party every 200 ms, so that many can live on a small machine.
func chorus(t *testing.T, calls []*chat, until func() bool, longer time.Duration) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var end time.Time
	for begun := time.Now(); end.IsZero() || time.Now().Before(end); <-tick.C {
		for _, c := range calls {
			c.a.Send(c.aTo)
			c.b.Send(c.bTo)
		}
		if end.IsZero() && until() {
			end = time.Now().Add(longer)
		}
		if end.IsZero() && time.Since(begun) > 4*patience { // some hundred recordings may begin meanwhile
			fatal(t, "what is waited for does not happen")
		}
	}
}

// story is a row of the journal.
type story struct {
	SIPCallID string `json:"sip_call_id"`
	Result    string
	Reason    string
	Moves     int
	Streams   []struct {
		Party  string
		AtRisk uint64 `json:"at_risk"`
		Lost   uint64
	}
}

// stories are all rows of the journal that have ended, by the Call-ID of their call.
func (s *site) stories() map[string]story {
	all := map[string]story{}
	for path := "/api/v1/journal?limit=1000"; path != ""; {
		_, body := s.get(path)
		var page struct {
			Items []struct {
				story
				Call struct {
					SIPCallID string `json:"sip_call_id"`
				}
			}
			Next string
		}
		if json.Unmarshal(body, &page) != nil {
			return nil
		}
		for _, row := range page.Items {
			if row.Result != "" && row.Result != "running" {
				all[row.Call.SIPCallID] = row.story
			}
		}
		path = ""
	}
	return all
}

// Many calls are live while their only recorder is killed and started again: RESTART_CALLS, 40 when not set. The calls
// hear nothing of it, and each recording is complete, or its journal says to the packet what is missing.
func TestRecorderRestarts(t *testing.T) {
	ip := home(11)
	n := number(t, "RESTART_CALLS", 40)
	ladder := peer.NewLadder(t)
	caller, pbx := peer.New(t, ladder, "caller", ip), peer.New(t, ladder, "pbx", ip)
	s := newSiteOf(t, "", ip, siteKeys{
		routes: fmt.Sprintf("  - to: %q\n", pbx.URI("")), recorder: ", replay: 10s",
		journal: filepath.Join(t.TempDir(), "journal.db"),
	})
	var calls []*chat
	for i := range n {
		c := newChat(t, caller, pbx, ip, fmt.Sprintf("c%d", i))
		c.a.Stride, c.b.Stride = 1600, 1600 // one frame in ten is said
		calls = append(calls, c)
	}
	recorded := func() bool {
		all := s.shown()
		return len(all) == n && !slices.ContainsFunc(all, func(r shown) bool { return r.State != "recording" })
	}
	chorus(t, calls, recorded, 3*time.Second)
	_ = s.recorder.cmd.Process.Signal(syscall.SIGKILL)
	<-s.recorder.done
	died := time.Now()
	again := t.TempDir()
	newRecorder(t, "", ip, srsPort, again)
	moved := func() bool { return recorded() && s.sum("sidetrack_srs_failovers_total") >= float64(n) }
	chorus(t, calls, moved, 2*time.Second)
	t.Logf("%d recordings are at the new process, %v after the old one's end", n, time.Since(died).Round(time.Millisecond))
	for _, c := range calls {
		c.unharmed()
		c.hangUp()
	}
	if !eventually(4*patience, func() bool { return len(s.stories()) == n && written(again) == n }) {
		fatal(t, "%d of %d recordings in the journal, %d written", len(s.stories()), n, written(again))
	}
	judgeRestart(t, calls, s.stories(), spoken(t, s.dir), spoken(t, again))
}

// judgeRestart holds what is missing in the files against what the journal says is.
func judgeRestart(t *testing.T, calls []*chat, stories map[string]story, one, two map[string][]int) {
	t.Helper()
	complete, missing, told := 0, 0, uint64(0)
	for _, c := range calls {
		row := stories[c.left.CallID]
		if row.Result == "complete" {
			complete++
		}
		for _, m := range []*peer.Media{c.a, c.b} {
			gone := absent(m, one, two)
			lost := len(gone)
			missing += lost
			var may uint64
			for _, st := range row.Streams {
				if (st.Party == "caller") == (m == c.a) {
					may = st.AtRisk + st.Lost
				}
			}
			told += may
			if uint64(lost) > may || row.Result == "complete" && may > 0 {
				t.Errorf("%s/%s: %d of %d packets missing, %v, the journal (%s, %s) tells of %d", m.Call, m.Party, lost, m.Sent(), gone, row.Result, row.Reason, may)
			}
		}
	}
	t.Logf("%d of %d recordings are complete; %d packets are missing, the journal tells of %d", complete, len(calls), missing, told)
}

// absent are the packets of a party that are in neither folder, from the first recorded one on.
func absent(m *peer.Media, one, two map[string][]int) (gone []int) {
	key := m.Call + "/" + m.Party
	have := map[int]bool{}
	for _, i := range slices.Concat(one[key], two[key]) {
		have[i] = true
	}
	first := 1
	for !have[first] && first <= m.Sent() {
		first++
	}
	for i := first; i <= m.Sent(); i++ {
		if !have[i] {
			gone = append(gone, i)
		}
	}
	return gone
}
