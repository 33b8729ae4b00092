package policy_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"sidetrack/policy"
)

// Each key that does not hold is named, with what it wants and what is there.
func TestExplainNamesTheKeys(t *testing.T) {
	list, err := policy.ParseNumbers([]byte("4930*"))
	if err != nil {
		t.Fatal(err)
	}
	in := policy.Sample()
	in.Headers = []policy.Header{{Name: "X-Queue", Value: "support"}}
	in.Codecs = []string{"opus", "PCMA"}
	in.Received = time.Date(2026, 3, 7, 10, 0, 0, 0, time.UTC) // a Saturday
	re := regexp.MustCompile
	for _, tt := range []struct {
		match policy.Match
		want  string
	}{
		{policy.Match{}, ""},
		{policy.Match{To: re("alice")}, ""},
		{policy.Match{To: re("^sip:bob")}, "to: ^sip:bob, not sip:alice@example.com"},
		{policy.Match{From: re("zz"), RequestURI: re("y"), Route: "out", Listener: "udp://192.0.2.9:5060", Method: []string{"MESSAGE", "SUBSCRIBE"}},
			"route: out, not in; listener: udp://192.0.2.9:5060, not udp://192.0.2.1:5060; method: MESSAGE or SUBSCRIBE, not INVITE; " +
				"from: zz, not sip:alice@example.com; request_uri: y, not sip:bob@example.com"},
		{policy.Match{Source: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "source: 10.0.0.0/8, not 192.0.2.1"},
		{policy.Match{Header: map[string]*regexp.Regexp{"x-queue": re("^sales")}}, "header.x-queue: ^sales, not support"},
		{policy.Match{Asserted: re("a"), Diversion: re("b")}, "asserted_identity: a, not ; diversion: b, not "},
		{policy.Match{Codec: []string{"G722"}}, "codec: G722, not opus, PCMA"},
		{policy.Match{Numbers: policy.NewNumbers("vip.txt", list)}, "numbers: an entry of vip.txt, not sip:alice@example.com and sip:alice@example.com"},
		{policy.Match{Sample: 1}, "sample: 0.001%, not Call-ID 1@example.com"},
		{policy.Match{Any: []policy.Match{{To: re("zz")}, {From: re("y")}}}, "any.to: zz, not sip:alice@example.com; any.from: y, not sip:alice@example.com"},
		{policy.Match{Any: []policy.Match{{To: re("zz")}, {From: re("alice")}}}, ""},
		{policy.Match{All: []policy.Match{{To: re("zz")}}}, "to: zz, not sip:alice@example.com"},
		{policy.Match{Not: &policy.Match{To: re("alice")}}, "not.to: other than alice, not sip:alice@example.com"},
		{policy.Match{Not: &policy.Match{To: re("bob")}}, ""},
		{policy.Match{Not: &policy.Match{Any: []policy.Match{{To: re("alice")}}}}, "not.any: does not hold, not it does"},
	} {
		e := policy.New(policy.Config{Rules: []policy.Rule{{Name: "one", Match: tt.match, Recorder: "main"}}})
		trial := e.ExplainRules(in)[0]
		var told []string
		for _, m := range trial.Missed {
			told = append(told, m.Key+": "+m.Wants+", not "+m.Sees)
		}
		if got := strings.Join(told, "; "); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if d := e.Decide(in); trial.Matched() != (len(d.Wanted) == 1) {
			t.Errorf("%s: explained as %t, decided %v", tt.want, trial.Matched(), d)
		}
	}
	window, err := time.LoadLocation("UTC")
	if err != nil {
		t.Fatal(err)
	}
	e := policy.New(policy.Config{Rules: []policy.Rule{{Match: policy.Match{Windows: []policy.Window{{
		Days: policy.Days(0).With(time.Monday), From: 9 * time.Hour, Until: 17 * time.Hour, Zone: window}}}}}})
	if m := e.ExplainRules(in)[0].Missed; len(m) != 1 || m[0].Key != "time" || m[0].Sees != "Sat 2026-03-07T10:00:00Z" || m[0].Wants == "" {
		t.Errorf("time: %+v", m)
	}
}

// Routes and rules behind the one that decides are not asked, except where it
// lets the others add to it.
func TestExplainStopsWhereDecideDoes(t *testing.T) {
	bob := regexp.MustCompile("bob")
	e := policy.New(policy.Config{
		Routes: []policy.Route{{Name: "no", Match: policy.Match{To: bob}}, {Name: "in"}, {Name: "late"}},
		Rules: []policy.Rule{
			{Name: "no", Recorder: "a", Match: policy.Match{To: bob}}, {Name: "first", Recorder: "a", Continue: true},
			{Name: "second", Recorder: "b"}, {Name: "late", Recorder: "c"},
		},
	})
	in := policy.Sample()
	show := func(trials []policy.Trial) string {
		var words []string
		for _, t := range trials {
			word := "missed"
			if !t.Asked {
				word = "not asked"
			} else if t.Matched() {
				word = "matched"
			}
			words = append(words, t.Name+" "+word)
		}
		return strings.Join(words, ", ")
	}
	if got := show(e.ExplainRoute(in)); got != "no missed, in matched, late not asked" {
		t.Errorf("routes: %s", got)
	}
	if got := show(e.ExplainRules(in)); got != "no missed, first matched, second matched, late not asked" {
		t.Errorf("rules: %s", got)
	}
	if r, _ := e.Route(in); r.Name != "in" {
		t.Errorf("route %s", r.Name)
	}
	if d := e.Decide(in); len(d.Wanted) != 2 || d.Rule != "first" {
		t.Errorf("decided %+v", d)
	}
}
