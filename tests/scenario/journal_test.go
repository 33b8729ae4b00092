package scenario_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sidetrack/internal/store"
	"sidetrack/tests/peer"
)

// journaled builds a stage that keeps a journal, and gives the file.
func journaled(t *testing.T, s setup) (*stage, string) {
	t.Helper()
	s.journal = filepath.Join(t.TempDir(), "journal.db")
	return newStage(t, s), s.journal
}

// verdicts waits until the API tells of n recordings, and decodes them.
func (st *stage) verdicts(query string, n int) []store.Verdict {
	st.t.Helper()
	var items []store.Verdict
	enough := func() bool {
		_, body := st.sys.get("/api/v1/journal" + query)
		var page struct{ Items []store.Verdict }
		if err := json.Unmarshal(body, &page); err != nil {
			st.t.Errorf("%v: %s", err, body)
		}
		items = page.Items
		return len(items) == n
	}
	if !peer.Eventually(enough) {
		st.t.Fatalf("journal%s: %d recordings, wanted %d: %+v", query, len(items), n, items)
	}
	return items
}

// codes are those of a verdict's attempts.
func codes(v store.Verdict) (all []int) {
	for _, a := range v.Attempts {
		all = append(all, a.Code)
	}
	return all
}

// A recorded call is in the journal from its beginning on, and at its end with each packet that was sent. What a crash
// would leave in the middle is partial.
func TestJournalOfARecordedCall(t *testing.T) {
	st, file := journaled(t, setup{srs: 2})
	c := st.establish(dialing{})
	first := st.srss[0].Expect("INVITE")
	first.Reply(503)
	first.ExpectOther("ACK")
	rs := st.srss[1].Accept()
	c.recorded(rs, 10)
	taken := func() bool { v := st.verdicts("?result=running", 1)[0]; return !v.Taken.IsZero() }
	if !peer.Eventually(taken) {
		t.Fatal("the journal does not know that an SRS has taken the recording")
	}
	tag := "/api/v1/recordings/" + st.sys.recordings()[0].str("id") + "/tag"
	if status, body := st.sys.doBody(http.MethodPost, tag, `{"parameters": {"complaint": "yes & no"}}`); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	rs.Update()
	st.verdicts("?result=running&tag=complaint%3Dyes+%26+no", 1)
	st.verdicts("?tag=complaint%3Dno", 0)
	crashed := crash(t, file)
	c.quiet()
	c.hangUp()
	rs.End()

	v := st.verdicts("?result=complete", 1)[0]
	if v.Rule != "rule-1" || v.Recorder != "main" || v.Required || v.SRS != st.srss[1].URI("") || v.Seconds <= 0 ||
		v.Call.From != aliceAOR || v.Call.To != bobAOR || v.Reason != "the call ended" || len(v.Alarms) != 0 ||
		v.Started.IsZero() || v.Answered.IsZero() || v.Taken.Before(v.Started) || v.Ended.Before(v.Taken) {
		t.Errorf("%+v", v)
	}
	if !slices.Equal(codes(v), []int{503, 200}) {
		t.Errorf("attempts %+v", v.Attempts)
	}
	if v.Parameters["complaint"] != "yes & no" || crashed.Parameters["complaint"] != "yes & no" {
		t.Errorf("tagged %v, after a crash %v", v.Parameters, crashed.Parameters)
	}
	if v.ID != st.sys.recordings()[0].str("id") {
		t.Errorf("the API knows it as %v", st.sys.recordings())
	}
	for i, sent := range []int{c.a.Sent(), c.b.Sent()} {
		s := v.Streams[i]
		if s.PacketsIn != uint64(sent) || s.PacketsCopied+s.Dropped != s.PacketsIn || s.Lost != 0 || s.First.IsZero() {
			t.Errorf("%d packets sent: %+v", sent, s)
		}
	}
	if status, body := st.sys.get("/api/v1/journal?result=bad"); status != http.StatusBadRequest {
		t.Errorf("%d %s", status, body)
	}
	if n := st.sys.sum("sidetrack_journal_rows_total"); n < 2 {
		t.Errorf("%v rows counted", n)
	}
	if crashed.Result != store.Partial || crashed.Reason != "the proxy ended without a word" || crashed.ID != v.ID {
		t.Errorf("after a crash: %+v", crashed)
	}
}

// crash is the only verdict that a start would find in the file as it is now.
func crash(t *testing.T, file string) store.Verdict {
	t.Helper()
	dead := filepath.Join(t.TempDir(), "dead.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(file + suffix)
		if err == nil {
			err = os.WriteFile(dead+suffix, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(store.Config{File: dead})
	if err != nil {
		t.Fatal(err)
	}
	page, _, err := s.List(context.Background(), store.Query{})
	if err = errors.Join(err, s.Close(context.Background())); err != nil || len(page) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	return page[0]
}

// No SRS takes the call, or one says that none shall: the verdict says so, with every answer, and the event too.
func TestJournalOfAMissedCall(t *testing.T) {
	for name, tt := range map[string]struct {
		skip   string
		codes  []int
		result store.Result
	}{
		"refused by both": {"", []int{486, 603}, store.Failed},
		"skip code":       {"486", []int{486}, store.Skipped},
	} {
		t.Run(name, func(t *testing.T) {
			st, file := journaled(t, setup{srs: 2, skip: tt.skip})
			c := st.establish(dialing{})
			for i, code := range tt.codes {
				in := st.srss[i].Expect("INVITE")
				in.Reply(code)
				in.ExpectOther("ACK")
			}
			v := st.verdicts("?result=missed&recorder=main", 1)[0]
			if v.Result != tt.result || !slices.Equal(codes(v), tt.codes) || !v.Taken.IsZero() || v.Seconds != 0 || v.Reason == "" {
				t.Errorf("%+v", v)
			}
			if e := st.verdictEvent(); e.Verdict.ID != v.ID || e.Verdict.Result != tt.result || e.SessionID != v.ID {
				t.Errorf("event %+v", e)
			}
			c.quiet()
			c.hangUp()
			st.sys.Empty()
			st.sys.Stop()
			// The proxy is down; what it wrote is there.
			r, err := store.OpenReader(context.Background(), file)
			if err != nil {
				t.Fatal(err)
			}
			page, _, err := r.List(context.Background(), store.Query{Result: store.Missed})
			if err = errors.Join(err, r.Close()); err != nil || len(page) != 1 || page[0].ID != v.ID {
				t.Errorf("%+v, %v", page, err)
			}
		})
	}
}

// event is what the stream of events says of a verdict.
type event struct {
	SessionID string `json:"session_id"`
	Verdict   store.Verdict
}

// verdictEvent reads the events from their beginning up to the verdict.
func (st *stage) verdictEvent() (e event) {
	st.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), peer.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, st.sys.HTTP+"/api/v1/events", nil)
	if err != nil {
		st.t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", "1")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		st.t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if ok && strings.Contains(data, `"type":"recording.verdict"`) {
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				st.t.Error(err)
			}
			return e
		}
	}
	st.t.Fatal("no event tells the verdict")
	return e
}

// The SRS hangs up while the call goes on: partial, and why.
func TestJournalOfARecorderThatHangsUp(t *testing.T) {
	st, _ := journaled(t, setup{recorder: "    midcall: stop\n"})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	rs.Dialog.Send("BYE", peer.With("Reason", `SIP;cause=503;text="disk full"`)).Expect(200)
	v := st.verdicts("?result=partial", 1)[0]
	if !strings.Contains(v.Reason, "disk full") || v.Taken.IsZero() || v.Streams[0].PacketsCopied == 0 {
		t.Errorf("%+v", v)
	}
	st.verdicts("?result=missed", 0)
	c.heard(10)
	c.quiet()
	c.hangUp()
}
