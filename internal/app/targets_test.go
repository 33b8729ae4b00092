package app_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// A target that does not answer its probes is shown as down by the API, by a metric and by an event; a reload of the
// configuration asks those that it names.
func TestTargetsAreProbed(t *testing.T) {
	s := open(t, "{name: pbx,", "{name: pbx, probe: {interval: 1s},")
	up := `sidetrack_target_up{route="pbx",target="` + s.pbx.URI("") + `"}`
	is := func(state string) func() bool {
		return func() bool {
			v := s.items("/api/v1/targets")
			return len(v) == 1 && v[0]["state"] == state && v[0]["route"] == "pbx" && v[0]["target"] == s.pbx.URI("")
		}
	}
	events := &lines{}
	resp, err := http.Get(s.url("/api/v1/events"))
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(events, resp.Body) }) // ends with the body
	defer reading.Wait()
	defer resp.Body.Close()
	s.pbx.AutoReply("OPTIONS", 503)
	s.eventually("the target is down", is("down"))
	s.eventually("the metric says so", func() bool { return s.metric(up) == "0" })
	s.pbx.AutoReply("OPTIONS", 200)
	s.eventually("the target is up", is("up"))
	s.eventually("the metric says so", func() bool { return s.metric(up) == "1" })
	for kind, code := range map[string]string{"target.down": "503", "target.up": "200"} {
		s.eventually("event "+kind, func() bool {
			for line := range strings.SplitSeq(events.String(), "\n") {
				if strings.Contains(line, `"type":"`+kind+`"`) && strings.Contains(line, `"code":`+code) {
					return true
				}
			}
			return false
		})
	}
	if err := s.app.Reload(parse(t, text(s.names[2:]...))); err != nil {
		t.Fatal(err)
	}
	s.eventually("nobody is asked", is("unprobed"))
	if v := s.metric(up); v != "" {
		t.Errorf("%s is %s after it was asked last", up, v)
	}
}
