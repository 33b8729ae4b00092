package config_test

import (
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/config"
	"sidetrack/policy"
)

// parse loads a text that must be valid.
func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, problems := config.Parse("test.yaml", []byte(text), options(t))
	if cfg == nil {
		t.Fatalf("%s\n%s", problems, text)
	}
	return cfg
}

const (
	oneRoute = "routes: [{to: sip:192.0.2.20}]\n"
	recorder = "recorders: {main: {srs: sip:198.51.100.7}}\nrecording: [{recorder: main}]\n"
)

func TestDefaults(t *testing.T) {
	got := parse(t, "sip: {listen: [udp://192.0.2.1:5060]}\n"+oneRoute+recorder)
	got.Warnings = nil
	addr := netip.MustParseAddr
	want := config.Config{
		File: "test.yaml",
		SIP: config.SIP{
			Listen: []string{"udp://192.0.2.1:5060"},
			Listeners: []config.Listener{{URL: "udp://192.0.2.1:5060", Proto: "udp",
				Addr: netip.MustParseAddrPort("192.0.2.1:5060"), Advertise: "192.0.2.1"}},
			Identity: config.IdentityPreserve, Asserted: config.AssertedTrusted, Register: config.RegisterContact, Trace: 64 << 20, Drain: 30 * time.Second,
			MaxConns: 20000, MaxConnsPerSource: 1024,
		},
		Media: config.Media{Listen: addr("0.0.0.0"), Advertise: addr("192.0.2.1"), PortMin: 20000, PortMax: 29999, MaxRate: 5000, MaxStreams: 4, Timeout: time.Minute},
		Policy: policy.Config{
			Routes: []policy.Route{{Name: "route-1", Targets: policy.Targets("sip:192.0.2.20")}},
			Rules: []policy.Rule{{Name: "rule-1", Recorder: "main", Tracks: policy.TracksBoth,
				Start: policy.StartAnswer, OnHold: policy.OnHoldPause}},
		},
		Recorders: []config.Recorder{{Name: "main", SRS: []string{"sip:198.51.100.7"}, Timeout: 4 * time.Second, Buffer: 10 * time.Second, Retry: true, MidCall: config.MidCallMove, Strategy: config.StrategyOrdered, Check: 10 * time.Second, DTMF: config.DTMFPass, Pause: config.PauseStop, Mask: config.PauseSilence, Transcode: config.TranscodeOff, SSRC: config.SSRCOwn, SRTP: config.SRTPOff, Session: config.SessionTimer{Min: 90 * time.Second}, Parameters: config.ParametersMetadata, FromURI: "sip:192.0.2.1"}},
		Journal:   config.Journal{MaxAge: 90 * 24 * time.Hour, MaxSize: 1 << 30},
		HTTP:      config.HTTP{Listen: "127.0.0.1:8080", Local: config.RoleAdmin, Rate: 100},
		Log:       config.Log{Format: "text", Rate: config.DefaultLogRate},
	}
	for _, part := range []struct {
		name      string
		got, want any
	}{
		{"File", got.File, want.File}, {"SIP", got.SIP, want.SIP}, {"Media", got.Media, want.Media}, {"Policy", got.Policy, want.Policy},
		{"Recorders", got.Recorders, want.Recorders}, {"Journal", got.Journal, want.Journal}, {"HTTP", got.HTTP, want.HTTP}, {"Log", got.Log, want.Log},
	} {
		if !reflect.DeepEqual(part.got, part.want) {
			t.Errorf("%s\n got %+v\nwant %+v", part.name, part.got, part.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	tests := []struct {
		name      string
		sip       string
		media     string
		host      string
		advertise string // of the listeners
		rtp       string // bound, advertised
		warning   string
	}{
		{"its own address", "listen: [udp://192.0.2.1]", "", "10.0.0.1", "192.0.2.1", "0.0.0.0 192.0.2.1", ""},
		{"wildcard", "listen: [udp://0.0.0.0]", "", "10.0.0.1", "10.0.0.1", "0.0.0.0 10.0.0.1", ""},
		{"wildcard, several", "listen: [udp://0.0.0.0]", "", "10.0.0.1 172.17.0.1", "10.0.0.1", "0.0.0.0 10.0.0.1", "peers are told 10.0.0.1, not 172.17.0.1"},
		{"wildcard, several, told", "listen: [udp://0.0.0.0], advertise: 203.0.113.10", "", "10.0.0.1 172.17.0.1", "203.0.113.10", "0.0.0.0 203.0.113.10", ""},
		{"wildcard, none", "listen: [udp://0.0.0.0]", "", "2001:db8::1", "127.0.0.1", "0.0.0.0 127.0.0.1", "no address for udp://0.0.0.0:5060 but loopback"},
		{"wildcard IPv6", `listen: ["udp://[::]"]`, "", "10.0.0.1 2001:db8::1", "2001:db8::1", ":: 2001:db8::1", ""},
		{"both families", `listen: [udp://0.0.0.0, "udp://[::]"], advertise: 203.0.113.10`, "", "10.0.0.1 2001:db8::1", "203.0.113.10 2001:db8::1", "0.0.0.0 203.0.113.10", "udp://[::]:5060 is for IPv6, but media has no such address"},
		{"a name", "listen: [udp://0.0.0.0], advertise: proxy.example", "", "10.0.0.1", "proxy.example", "0.0.0.0 10.0.0.1", ""},
		{"IPv6 in brackets", `listen: ["udp://[2001:db8::5]"], advertise: "[2001:db8::9]"`, "", "", "2001:db8::9", ":: 2001:db8::9", ""},
		{"media elsewhere", "listen: [udp://192.0.2.1]", "listen: 192.0.2.3", "", "192.0.2.1", "192.0.2.3 192.0.2.3", ""},
		{"media behind NAT", "listen: [udp://192.0.2.1]", "listen: 192.0.2.3, advertise: 203.0.113.9", "", "192.0.2.1", "192.0.2.3 203.0.113.9", ""},
		{"media of the other family", "listen: [udp://192.0.2.1]", `listen: "2001:db8::3"`, "", "192.0.2.1", "2001:db8::3 2001:db8::3", "udp://192.0.2.1:5060 is for IPv4, but media has no such address"},
		{"media of both families", `listen: [udp://192.0.2.1, "udp://[2001:db8::5]"]`, `networks: {six: {listen: "2001:db8::5", ports: 30000-30999}}`, "", "192.0.2.1 2001:db8::5", "0.0.0.0 192.0.2.1", ""},
		{"zone", `listen: ["udp://[fe80::1%eth0]"]`, "", "", "fe80::1", ":: fe80::1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opt := options(t)
			opt.Addresses = func() (out []netip.Addr) {
				for _, s := range strings.Fields(tt.host) {
					out = append(out, netip.MustParseAddr(s))
				}
				return out
			}
			text := "sip: {trusted: [\"::/0\"], " + tt.sip + "}\nmedia: {" + tt.media + "}\nroutes: [{to: request-uri}]\n" + "recording: [{recorder: none}]\n"
			cfg, problems := config.Parse("test.yaml", []byte(text), opt)
			if cfg == nil {
				t.Fatal(problems)
			}
			var advertise []string
			for _, l := range cfg.SIP.Listeners {
				advertise = append(advertise, l.Advertise)
			}
			if got := strings.Join(advertise, " "); got != tt.advertise {
				t.Errorf("listeners advertise %s, want %s", got, tt.advertise)
			}
			if got := cfg.Media.Listen.String() + " " + cfg.Media.Advertise.String(); got != tt.rtp {
				t.Errorf("media %s, want %s", got, tt.rtp)
			}
			if got := cfg.Warnings.String(); tt.warning == "" && got != "" || !strings.Contains(got, tt.warning) {
				t.Errorf("warns %q, want %q", got, tt.warning)
			}
		})
	}
}

func TestHostAddresses(t *testing.T) {
	for _, a := range config.HostAddresses() {
		if !a.IsGlobalUnicast() || a.Is4In6() {
			t.Errorf("%s is no address for others", a)
		}
	}
}

func TestListsAreWrittenEitherWay(t *testing.T) {
	for _, srs := range []string{`"sip:198.51.100.7,sip:198.51.100.8;transport=tcp"`, `" sip:198.51.100.7 , sip:198.51.100.8;transport=tcp "`,
		"[sip:198.51.100.7, sip:198.51.100.8;transport=tcp]", "\n  - sip:198.51.100.7\n  - sip:198.51.100.8;transport=tcp"} {
		cfg := parse(t, "sip: {listen: [udp://192.0.2.1]}\nroutes:\n- to: "+srs+"\nrecorders:\n main:\n  srs: "+srs+"\n")
		want := []string{"sip:198.51.100.7", "sip:198.51.100.8;transport=tcp"}
		if got := cfg.Recorders[0].SRS; !reflect.DeepEqual(got, want) {
			t.Errorf("srs %s: %q", srs, got)
		}
		if got := cfg.Policy.Routes[0].Targets; !reflect.DeepEqual(got, policy.Targets(want...)) {
			t.Errorf("to %s: %+v", srs, got)
		}
	}
}

func TestEnvironment(t *testing.T) {
	cfg := parse(t, "sip:\n  listen: ['${LISTEN}']\n  drain: 1${UNIT}s\nlog: {format: '${LOG_FORMAT}'}\n"+
		"routes:\n  - to: request-uri\n    match: {from: '^a$', to: '$${b}', header: {X: 'c${LOG_FORMAT}$'}}\n"+
		"recorders:\n  main:\n    srs: sip:198.51.100.7\n    headers: {X-A: 'Bearer ${SECRET}', X-B: '$${C}'}\n")
	if cfg.SIP.Listen[0] != "udp://192.0.2.1:5060" || cfg.Log.Format != "json" || cfg.SIP.Drain != time.Millisecond {
		t.Errorf("%+v %+v", cfg.SIP, cfg.Log)
	}
	m := cfg.Policy.Routes[0].Match
	if m.From.String() != "^a$" || m.To.String() != "${b}" || m.Header["X"].String() != "cjson$" {
		t.Errorf("%v %v %v", m.From, m.To, m.Header)
	}
	h := cfg.Recorders[0].Headers
	if h[0].Value.String() != "Bearer hush" || !h[0].Secret || h[1].Value.String() != "${C}" || h[1].Secret {
		t.Errorf("%+v", h)
	}
}

func TestAnchors(t *testing.T) {
	cfg := parse(t, "sip: {listen: [udp://192.0.2.1]}\n"+oneRoute+`
recorders:
  main: &main
    srs: &srs [sip:198.51.100.7, sip:198.51.100.8]
    timeout: 1s
    headers: {X-A: a}
  second:
    <<: *main
    timeout: 2s
  third:
    srs: *srs
  fourth:
    <<: [*main, {to_uri: sip:rec@srs.example}]
`)
	want := []struct {
		timeout time.Duration
		headers int
		to      string
	}{{time.Second, 1, ""}, {2 * time.Second, 1, ""}, {4 * time.Second, 0, ""}, {time.Second, 1, "sip:rec@srs.example"}}
	for i, r := range cfg.Recorders {
		if len(r.SRS) != 2 || r.Timeout != want[i].timeout || len(r.Headers) != want[i].headers || r.ToURI != want[i].to {
			t.Errorf("%s: %+v", r.Name, r)
		}
	}
}

func TestSectionsMayBeEmpty(t *testing.T) {
	parse(t, "sip: {listen: [udp://192.0.2.1], tls: }\n"+oneRoute+"media:\nrecorders:\nrecording:\nhttp:\nlog:\n")
}

func TestSkipFailoverCodes(t *testing.T) {
	for pattern, want := range map[string]string{
		"408|487": "408 487", "[34][0-9][0-9]": "300 302 404 408 480 486 487 488", "^5": "500 503",
		"48[0678]": "480 486 487 488", "8": "408 480 486 487 488", "3..|600": "300 302 600", "": "",
	} {
		cfg := parse(t, "sip: {listen: [udp://192.0.2.1]}\n"+oneRoute+"recorders: {main: {srs: sip:198.51.100.7, skip_failover_codes: '"+pattern+"'}}\n")
		var got []string
		for _, code := range strings.Fields("300 302 404 408 480 486 487 488 500 503 600") {
			if re := cfg.Recorders[0].SkipFailoverCodes; re != nil && re.MatchString(code) {
				got = append(got, code)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q stops at %v, want %s", pattern, got, want)
		}
	}
}

func TestMissingFile(t *testing.T) {
	cfg, problems := config.Load(filepath.Join(t.TempDir(), "none.yaml"), nil)
	if cfg != nil || len(problems) != 1 || !strings.HasSuffix(problems.String(), "none.yaml: cannot be read: no such file or directory") {
		t.Errorf("%v, %s", cfg, problems)
	}
	if problems.Err() == nil || config.Problems(nil).Err() != nil {
		t.Error("Err is nil exactly without problems")
	}
}

// Anchors multiply; nothing a file says may take long.
func TestHugeFilesEnd(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 10; i++ {
		prev := string(rune('0' + i - 1))
		item := "*a" + prev
		bomb += "a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat(item+",", 9) + item + "]\n"
	}
	for name, text := range map[string]string{"anchors": bomb, "large": strings.Repeat("# comment\n", 200_000)} {
		cfg, problems := config.Parse("test.yaml", []byte(text), options(t)) // were they followed, it would not come back
		if cfg != nil || len(problems) == 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// A target may have settings of its own; others in the list stay texts.
func TestTargetsWithSettings(t *testing.T) {
	got := parse(t, `sip: {listen: [udp://192.0.2.1:5060, tcp://192.0.2.1:5060]}
routes:
  - to:
      - "sip:192.0.2.20, sip:192.0.2.21?X-A=1&User-to-User=56a390%3Bencoding%3Dhex"
      - uri: sip:192.0.2.22?X-B=2
        transport: tcp
        auth: {user: u, password: p}
        headers: {X-C: "{{.Route}}"}
`+recorder).Policy.Routes[0].Targets
	if len(got) != 3 || got[1].URI != "sip:192.0.2.21?X-A=1&User-to-User=56a390%3Bencoding%3Dhex" || got[2].URI != "sip:192.0.2.22;transport=tcp?X-B=2" {
		t.Fatalf("%+v", got)
	}
	if own := got[2]; *own.Auth != (policy.Credentials{User: "u", Password: "p"}) || len(own.Headers) != 1 || own.Headers[0].Name != "X-C" || got[0].Auth != nil {
		t.Errorf("%+v", own)
	}
	if got := parse(t, "sip: {listen: [udp://192.0.2.1:5060]}\nroutes:\n- to: {uri: sip:192.0.2.20}\n"+recorder).Policy.Routes[0].Targets; len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// A rule with several recorders has a recording of the call made with each.
func TestRuleWithSeveralRecorders(t *testing.T) {
	got := parse(t, `sip: {listen: [udp://192.0.2.1:5060]}
routes: [{to: "sip:192.0.2.20"}]
recorders: {a: {srs: "sip:198.51.100.7"}, b: {srs: "sip:198.51.100.8"}}
recording: [{recorder: [a, b]}]
`)
	if r := got.Policy.Rules; len(r) != 1 || r[0].Recorder != "a" || strings.Join(r[0].Also, " ") != "b" {
		t.Errorf("%+v", r)
	}
}
