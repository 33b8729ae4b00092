package app_test

import (
	"path/filepath"
	"testing"
)

// The page finds the calls that go on without their recording, tells what it was that ended, keeps to the calls that it
// names, and hears of lost recordings from the journal or, where none is kept, from memory.
func TestOverviewOfWhatIsLost(t *testing.T) {
	s := open(t, `  main:`, `  dead: {srs: "sip:`+home(5)+`:9;transport=tcp", retry: false}
  main:`, `http: {`, `journal: {file: "`+filepath.Join(t.TempDir(), "journal.db")+`"}
http: {`)
	s.call()
	s.call()
	overview := func(query string) map[string]any {
		t.Helper()
		var answer struct{ Now map[string]any }
		s.json("/api/v1/overview?"+query, &answer)
		return answer.Now
	}
	ids := func(query string) (all []string) {
		for _, item := range overview(query)["items"].([]any) {
			all = append(all, item.(map[string]any)["id"].(string))
		}
		return all
	}
	var both []string
	s.eventually("both calls are recorded", func() bool { both = ids("recording=recording"); return len(both) == 2 })
	s.post("/api/v1/recordings/"+both[1]+":main/stop", "")
	s.eventually("one is not any more", func() bool { return len(ids("recording=recording")) == 1 })
	if lost := ids("recording=ended"); len(lost) != 0 {
		t.Errorf("%v go on without a recording that somebody has stopped", lost)
	}
	s.post("/api/v1/calls/"+both[0]+"/recordings", `{"recorder":"dead"}`)
	s.eventually("a recording has failed", func() bool { return len(ids("recording=ended")) == 1 })
	if lost := ids("recording=ended"); len(lost) != 1 || lost[0] != both[0] {
		t.Errorf("%v go on without a recording, %s should", lost, both[0])
	}
	now := overview("ids=" + both[0] + "," + both[0] + ",none&lately=5")
	items, lately := now["items"].([]any), now["lately"].([]any)
	if len(items) != 1 || len(lately) != 2 || now["matching"] != 2.0 {
		t.Fatalf("%v", now)
	}
	ended := items[0].(map[string]any)["recordings"].([]any)
	if len(ended) != 2 || ended[1].(map[string]any)["result"] != "failed" || now["recordings"].(map[string]any)["ended"] != 1.0 {
		t.Errorf("%v", now)
	}
	documented(t, "overview", now)

	var reasons struct{ Items []map[string]any }
	s.eventually("the journal has it", func() bool {
		s.json("/api/v1/journal/reasons?since=1h&result=missed,partial,failed", &reasons)
		return len(reasons.Items) == 2
	})
	for _, r := range reasons.Items {
		if wants := map[any]any{"main": "partial", "dead": "failed"}; r["count"] != 1.0 || r["result"] != wants[r["recorder"]] || r["reason"] == "" {
			t.Errorf("%v", r)
		}
	}
	documented(t, "reason", reasons.Items[0])
	if status, body := s.get("/api/v1/journal?result=partial,bad"); status != 400 {
		t.Errorf("%d %s", status, body)
	}
}
