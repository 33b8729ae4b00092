package policy_test

import (
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/policy"
)

func invite() *policy.Invite {
	return &policy.Invite{
		Method:     "INVITE",
		RequestURI: "sip:+15550100@sidetrack.example",
		CallID:     "abc@192.0.2.9",
		From:       policy.Address{URI: "sip:alice@10.1.2.3", User: "alice", Host: "10.1.2.3", Display: `Alice "A" <&>`},
		To:         policy.Address{URI: "sip:+15550100@10.9.9.9", User: "+15550100", Host: "10.9.9.9"},
		Source:     netip.MustParseAddr("192.0.2.9"),
		Listener:   "udp://0.0.0.0:5060",
		Route:      "in",
		Headers: []policy.Header{
			{Name: "Via", Value: "SIP/2.0/UDP 192.0.2.9"},
			{Name: "X-Queue", Value: "support"},
			{Name: "x-queue", Value: "sales"},
			{Name: "s", Value: "hello"},
		},
	}
}

func nets(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func header(name, pattern string) map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{name: regexp.MustCompile(pattern)}
}

func TestMatch(t *testing.T) {
	re := regexp.MustCompile
	tests := []struct {
		name string
		m    policy.Match
		edit func(*policy.Invite)
		want bool
	}{
		{"nothing asked", policy.Match{}, nil, true},
		{"source inside", policy.Match{Source: nets("198.51.100.0/24", "192.0.2.0/24")}, nil, true},
		{"source outside", policy.Match{Source: nets("192.0.2.8/32")}, nil, false},
		{"source mapped into IPv6", policy.Match{Source: nets("192.0.2.9/32")},
			func(in *policy.Invite) { in.Source = netip.MustParseAddr("::ffff:192.0.2.9") }, true},
		{"source with zone", policy.Match{Source: nets("fe80::/10")},
			func(in *policy.Invite) { in.Source = netip.MustParseAddr("fe80::1%eth0") }, true},
		{"source unknown", policy.Match{Source: nets("0.0.0.0/0", "::/0")},
			func(in *policy.Invite) { in.Source = netip.Addr{} }, false},
		{"listener", policy.Match{Listener: "udp://0.0.0.0:5060"}, nil, true},
		{"other listener", policy.Match{Listener: "tcp://0.0.0.0:5060"}, nil, false},
		{"method", policy.Match{Method: []string{"REGISTER", "INVITE"}}, nil, true},
		{"other method", policy.Match{Method: []string{"REGISTER"}}, nil, false},
		{"method is case-sensitive", policy.Match{Method: []string{"invite"}}, nil, false},
		{"from", policy.Match{From: re(`@10\.`)}, nil, true},
		{"from does not see the display name", policy.Match{From: re(`Alice`)}, nil, false},
		{"to anchored", policy.Match{To: re(`^sip:\+1555`)}, nil, true},
		{"to other", policy.Match{To: re(`^sip:\+44`)}, nil, false},
		{"request_uri", policy.Match{RequestURI: re(`sidetrack\.example$`)}, nil, true},
		{"route", policy.Match{Route: "in"}, nil, true},
		{"other route", policy.Match{Route: "out"}, nil, false},
		{"header", policy.Match{Header: header("X-Queue", "^support$")}, nil, true},
		{"header, second line", policy.Match{Header: header("X-QUEUE", "^sales$")}, nil, true},
		{"header, compact form sent", policy.Match{Header: header("Subject", "hello")}, nil, true},
		{"header, compact form asked", policy.Match{Header: header("s", "hello")}, nil, true},
		{"header missing", policy.Match{Header: header("X-None", "")}, nil, false},
		{"all hold", policy.Match{From: re(`alice`), To: re(`1555`), Header: header("X-Queue", "sales")}, nil, true},
		{"asserted identity", policy.Match{Asserted: re(`\+4930`)}, func(in *policy.Invite) {
			in.Headers = append(in.Headers, policy.Header{Name: "p-asserted-identity", Value: "<sip:+49301@example.com>"})
		}, true},
		{"no asserted identity", policy.Match{Asserted: re(`.`)}, nil, false},
		{"diverted", policy.Match{Diversion: re(`reason=no-answer`)}, func(in *policy.Invite) {
			in.Headers = append(in.Headers, policy.Header{Name: "Diversion", Value: "<sip:bob@example.com>;reason=no-answer"})
		}, true},
		{"diverted, as History-Info says", policy.Match{Diversion: re(`bob@`)}, func(in *policy.Invite) {
			in.Headers = append(in.Headers, policy.Header{Name: "History-Info", Value: "<sip:bob@example.com>;index=1"})
		}, true},
		{"codec offered", policy.Match{Codec: []string{"opus", "pcma"}},
			func(in *policy.Invite) { in.Codecs = []string{"PCMU", "PCMA"} }, true},
		{"codec not offered", policy.Match{Codec: []string{"opus"}},
			func(in *policy.Invite) { in.Codecs = []string{"PCMU"} }, false},
		{"nothing offered", policy.Match{Codec: []string{"opus"}}, nil, false},
		{"callee on a list", policy.Match{Numbers: numbers(t, "+15550100")}, nil, true},
		{"callee on a list for callers", policy.Match{Numbers: numbers(t, "+15550100"), NumbersOf: []policy.Party{policy.PartyCaller}}, nil, false},
		{"requested number on a list", policy.Match{Numbers: numbers(t, "1555*"), NumbersOf: []policy.Party{policy.PartyRequested}}, nil, true},
		{"asserted number on a list", policy.Match{Numbers: numbers(t, "+49301"), NumbersOf: []policy.Party{policy.PartyAsserted}},
			func(in *policy.Invite) {
				in.Headers = append(in.Headers, policy.Header{Name: "P-Asserted-Identity", Value: `"Board, <sip:x@y>" <sip:a@b>, <tel:+49-30-1>`})
			}, true},
		{"a name is no number", policy.Match{Numbers: numbers(t, "x"), NumbersOf: []policy.Party{policy.PartyAsserted}},
			func(in *policy.Invite) {
				in.Headers = append(in.Headers, policy.Header{Name: "P-Asserted-Identity", Value: `"<sip:x@y>" <sip:a@b>`})
			}, false},
		{"diverting number on a list", policy.Match{Numbers: numbers(t, "bob"), NumbersOf: []policy.Party{policy.PartyDiverting}},
			func(in *policy.Invite) {
				in.Headers = append(in.Headers, policy.Header{Name: "Diversion", Value: "sip:bob@example.com"})
			}, true},
		{"within a window", policy.Match{Windows: []policy.Window{{From: time.Hour, Until: 2 * time.Hour}, {From: 12 * time.Hour, Until: 13 * time.Hour}}},
			func(in *policy.Invite) { in.Received = time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC) }, true},
		{"outside all windows", policy.Match{Windows: []policy.Window{{From: time.Hour, Until: 2 * time.Hour}}},
			func(in *policy.Invite) { in.Received = time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC) }, false},
		{"in the share", policy.Match{Sample: policy.Everything}, nil, true},
		{"any of two", policy.Match{Any: []policy.Match{{Route: "out"}, {Route: "in"}}}, nil, true},
		{"any of none that holds", policy.Match{Any: []policy.Match{{Route: "out"}, {Route: "up"}}}, nil, false},
		{"all of two", policy.Match{All: []policy.Match{{Route: "in"}, {From: re(`alice`)}}}, nil, true},
		{"all but one", policy.Match{All: []policy.Match{{Route: "in"}, {From: re(`bob`)}}}, nil, false},
		{"not", policy.Match{Not: &policy.Match{Route: "out"}}, nil, true},
		{"not what holds", policy.Match{Not: &policy.Match{Any: []policy.Match{{Route: "out"}, {Route: "in"}}}}, nil, false},
		{"nested beside plain", policy.Match{Route: "in", Not: &policy.Match{From: re(`alice`)}}, nil, false},
		{"one does not", policy.Match{From: re(`alice`), To: re(`1666`), Header: header("X-Queue", "sales")}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := invite()
			if tt.edit != nil {
				tt.edit(in)
			}
			e := policy.New(policy.Config{
				Routes: []policy.Route{{Name: "r", Match: tt.m}},
				Rules:  []policy.Rule{{Name: "r", Match: tt.m, Recorder: "main"}},
			})
			if _, got := e.Route(in); got != tt.want {
				t.Errorf("Route matches: %v, want %v", got, tt.want)
			}
			if got := len(e.Decide(in).Wanted) > 0; got != tt.want {
				t.Errorf("Decide matches: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestFirstMatchWins(t *testing.T) {
	e := policy.New(policy.Config{
		Routes: []policy.Route{
			{Name: "out", Match: policy.Match{Source: nets("10.0.0.0/8")}, RequestURI: true},
			{Name: "in", Targets: policy.Targets("sip:a", "sip:b")},
			{Name: "never"},
		},
		Rules: []policy.Rule{
			{Name: "internal", Match: policy.Match{From: regexp.MustCompile(`bob`)}, Recorder: policy.NoRecorder},
			{Name: "sales", Recorder: "main", Tracks: policy.TracksCaller, Start: policy.StartEarly, Required: true, OnHold: policy.OnHoldIgnore},
			{Name: "rest", Recorder: "other"},
		},
	})
	r, ok := e.Route(invite())
	if !ok || r.Name != "in" || len(r.Targets) != 2 || r.Targets[1].URI != "sip:b" {
		t.Errorf("Route = %+v, %v", r, ok)
	}
	want := policy.Decision{Rule: "sales", Wanted: []policy.Wanted{{Rule: "sales", Recorder: "main", Tracks: policy.TracksCaller,
		Start: policy.StartEarly, Required: true, OnHold: policy.OnHoldIgnore}}}
	if got := e.Decide(invite()); !reflect.DeepEqual(got, want) {
		t.Errorf("Decide = %+v, want %+v", got, want)
	}
	in := invite()
	in.From.URI = "sip:bob@x"
	if got := e.Decide(in); !reflect.DeepEqual(got, policy.Decision{Rule: "internal"}) {
		t.Errorf("recorder none: %+v", got)
	}
}

func TestDefaults(t *testing.T) {
	empty := policy.New(policy.Config{})
	if r, ok := empty.Route(invite()); ok || r != nil {
		t.Errorf("no routes: %v, %v", r, ok)
	}
	if d := empty.Decide(invite()); !reflect.DeepEqual(d, policy.Decision{}) {
		t.Errorf("no rules: %+v", d)
	}
	d := policy.New(policy.Config{Rules: []policy.Rule{{Recorder: "main"}}}).Decide(invite())
	want := policy.Decision{Wanted: []policy.Wanted{{Recorder: "main", Tracks: policy.TracksBoth, Start: policy.StartAnswer, OnHold: policy.OnHoldPause}}}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("bare rule: %+v, want %+v", d, want)
	}
}

// Which of several recorders a call may not be without.
func TestDemands(t *testing.T) {
	for _, tt := range []struct {
		name     string
		rule     policy.Rule
		required []string
	}{
		{"none", policy.Rule{Recorder: "a", Also: []string{"b"}}, nil},
		{"all", policy.Rule{Recorder: "a", Also: []string{"b"}, Required: true}, []string{"a", "b"}},
		{"one of two", policy.Rule{Recorder: "a", Also: []string{"b"}, Required: true, Demanded: []string{"b"}}, []string{"b"}},
	} {
		d := policy.New(policy.Config{Rules: []policy.Rule{tt.rule}}).Decide(invite())
		var got, all []string
		for _, w := range d.Wanted {
			all = append(all, w.Recorder)
			if w.Required {
				got = append(got, w.Recorder)
			}
		}
		if !slices.Equal(all, []string{"a", "b"}) || !slices.Equal(got, tt.required) || d.Required() != (tt.required != nil) {
			t.Errorf("%s: %v, of them required %v (%v)", tt.name, all, got, d.Required())
		}
	}
}

// What several rules say together, as RULE:RECORDER.
func TestContinue(t *testing.T) {
	on := func(name, recorder string) policy.Rule {
		return policy.Rule{Name: name, Recorder: recorder, Continue: true}
	}
	end := func(name, recorder string) policy.Rule { return policy.Rule{Name: name, Recorder: recorder} }
	never := policy.Match{Route: "no such"}
	for _, tt := range []struct {
		name  string
		rules []policy.Rule
		rule  string
		want  []string
	}{
		{"both", []policy.Rule{on("1", "a"), end("2", "b"), end("3", "c")}, "1", []string{"1:a", "2:b"}},
		{"to the end", []policy.Rule{on("1", "a"), on("2", "b")}, "1", []string{"1:a", "2:b"}},
		{"one that does not match between", []policy.Rule{on("1", "a"), {Name: "2", Recorder: "b", Match: never}, end("3", "c")}, "1", []string{"1:a", "3:c"}},
		{"none ends it and takes nothing back", []policy.Rule{on("1", "a"), end("2", policy.NoRecorder), end("3", "c")}, "1", []string{"1:a"}},
		{"a recorder twice records once", []policy.Rule{on("1", "a"), end("2", "a")}, "1", []string{"1:a"}},
		{"none that goes on", []policy.Rule{on("1", policy.NoRecorder), end("2", "b")}, "1", []string{"2:b"}},
	} {
		e := policy.New(policy.Config{Rules: tt.rules})
		for range 2 { // the second call must not see what the first has joined
			d := e.Decide(invite())
			var got []string
			for _, w := range d.Wanted {
				got = append(got, w.Rule+":"+w.Recorder)
			}
			if !slices.Equal(got, tt.want) || d.Rule != tt.rule {
				t.Errorf("%s: %v by %q, want %v by %q", tt.name, got, d.Rule, tt.want, tt.rule)
			}
		}
	}
}

func TestTracks(t *testing.T) {
	for tr, want := range map[policy.Tracks][2]bool{
		policy.TracksBoth: {true, true}, policy.TracksCaller: {true, false}, policy.TracksCallee: {false, true}, "": {true, true},
	} {
		if got := [2]bool{tr.Caller(), tr.Callee()}; got != want {
			t.Errorf("%q: caller, callee = %v, want %v", tr, got, want)
		}
	}
}

func TestMatchEmpty(t *testing.T) {
	if !(policy.Match{}).Empty() || !(policy.Match{Header: header("a", "b")}).Empty() == false {
		t.Error("only a match without conditions is empty")
	}
	for _, m := range []policy.Match{{Route: "x"}, {Listener: "x"}, {Method: []string{"x"}}, {Source: nets("::/0")},
		{To: regexp.MustCompile("")}, {From: regexp.MustCompile("")}, {RequestURI: regexp.MustCompile("")}} {
		if m.Empty() {
			t.Errorf("%+v is not empty", m)
		}
	}
}

func TestCompactForms(t *testing.T) {
	for short, long := range map[string]string{
		"a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition", "e": "Content-Encoding",
		"f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length", "m": "Contact",
		"n": "Identity-Info", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via",
		"x": "Session-Expires", "y": "Identity", "Q": "q",
	} {
		in := &policy.Invite{Headers: []policy.Header{{Name: short, Value: "v"}}}
		if in.Header(strings.ToLower(long)) != "v" || in.Header(strings.ToUpper(short)) != "v" {
			t.Errorf("%s does not equal %s", short, long)
		}
	}
}

func BenchmarkDecide10Rules(b *testing.B) {
	var cfg policy.Config
	for _, p := range []string{`^sip:\+1666`, `@10\.8\.`, `carol`, `^sips:`, `\d{7}@10\.7`, `@example\.(com|net)$`, `^tel:`, `bob|dave`, `^sip:\+44`} {
		cfg.Rules = append(cfg.Rules, policy.Rule{Recorder: "main", Match: policy.Match{To: regexp.MustCompile(p), Source: nets("192.0.2.0/24")}})
	}
	cfg.Rules = append(cfg.Rules, policy.Rule{Name: "last", Recorder: "main", Match: policy.Match{Header: header("X-Queue", "^sales$")}})
	e, in := policy.New(cfg), invite()
	b.ReportAllocs()
	for b.Loop() {
		if e.Decide(in).Rule != "last" {
			b.Fatal("the last rule decides")
		}
	}
}

func BenchmarkRoute10Routes(b *testing.B) {
	var cfg policy.Config
	for range 9 {
		cfg.Routes = append(cfg.Routes, policy.Route{Match: policy.Match{Source: nets("10.0.0.0/8", "172.16.0.0/12")}})
	}
	cfg.Routes = append(cfg.Routes, policy.Route{Name: "last"})
	e, in := policy.New(cfg), invite()
	b.ReportAllocs()
	for b.Loop() {
		if r, ok := e.Route(in); !ok || r.Name != "last" {
			b.Fatal("the last route is taken")
		}
	}
}
