package app_test

import (
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

const reloaded = "sidetrack_config_last_reload_successful"

// A reload puts rules in force for new calls; running ones keep theirs.
func TestReload(t *testing.T) {
	s := open(t)
	left, right := s.call()
	for _, name := range []string{"sidetrack_config_last_reload_success_timestamp_seconds", reloaded} {
		if s.metric(name) == "" || s.metric(name) == "0" {
			t.Errorf("%s is %q after the start", name, s.metric(name))
		}
	}
	changed := parse(t, text(append([]string{
		"{name: pbx,", `{name: pbx, match: {from: nobody},`, "drain: 30s", "drain: 1s", "{name: all,", "{name: other,",
	}, s.names...)...))
	if err := s.app.Reload(changed); err != nil {
		t.Fatal(err)
	}
	s.dial(peer.NewMedia(t, home(4), "late", "alice")).Expect(404)
	if log := s.log.String(); !strings.Contains(log, "only after a restart") || !strings.Contains(log, "key=sip.drain") ||
		strings.Contains(log, "key=sip.listen") {
		t.Errorf("log:\n%s", log)
	}
	s.app.ReloadFailed()
	if v := s.metric(reloaded); v != "0" {
		t.Errorf("after a bad file the gauge is %s", v)
	}
	if err := s.app.Reload(parse(t, text(s.names...))); err != nil {
		t.Fatal(err)
	}
	if v := s.metric(reloaded); v != "1" {
		t.Errorf("after a good file the gauge is %s", v)
	}
	again, there := s.call()
	for _, d := range [][2]*peer.Dialog{{left, right}, {again, there}} {
		bye := d[0].Send("BYE")
		d[1].AnswerBye()
		bye.Expect(200)
	}
	s.eventually("both recordings end", func() bool { return s.sessions.Ended() == 2 })
}
