package scenario_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sidetrack/internal/config"
	"sidetrack/tests/peer"
)

// The INVITE of each profile, whole, with what differs from run to run made the same.
func TestProfiles(t *testing.T) {
	for _, profile := range config.Profiles {
		t.Run(string(profile), func(t *testing.T) {
			st := newStage(t, setup{recorder: "    profile: " + string(profile)})
			c := st.establish(dialing{quiet: true, from: `"Alice & Co" <sip:alice@caller.test>`,
				opts:   []peer.Opt{peer.With("Call-ID", "call-1"), session(aliceSession, noSession)},
				answer: []peer.Opt{session(bobSession, aliceSession)}})
			in := st.srs().Expect("INVITE")
			goldenText(t, filepath.Join("profiles", string(profile)+".txt"), st.sameInEachRun(string(in.Raw)))
			all := []*peer.Incoming{in}
			if profile == config.ProfileGenesys {
				all = append(all, st.srs().Expect("INVITE")) // the other party's session
			}
			for _, in := range all {
				in.Reply(486)
				in.ExpectOther("ACK")
			}
			c.hangUp()
		})
	}
}

var (
	uuidPattern  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	localPattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d<`)
	varying      = []struct {
		pattern *regexp.Regexp
		by      string
	}{
		{regexp.MustCompile(`branch=[^;\r]+`), "branch=z9hG4bK-1"},
		{regexp.MustCompile(`(From: .*;tag=)[^\r]+`), "${1}tag-1"},
		{regexp.MustCompile(`Call-ID: [^\r]+`), "Call-ID: rs-1"},
		{regexp.MustCompile(`CSeq: \d+`), "CSeq: 1"},
		{regexp.MustCompile(`Date: [^\r]+`), "Date: Thu, 01 Jan 2026 12:00:10 GMT"},
		{regexp.MustCompile(`o=- \d+ \d+`), "o=- 1 1"},
		{regexp.MustCompile(`m=audio \d+`), "m=audio 20000"},
		{regexp.MustCompile(`Content-Length: \d+`), "Content-Length: N"},
		{regexp.MustCompile(`User-Agent: [^\r]+`), "User-Agent: sidetrack"},
		{instantPattern, "2026-01-01T12:00:10.000Z"},
		{localPattern, "2026-01-01T12:00:10<"},
	}
)

// sameInEachRun takes out of a message what another run would have otherwise.
func (st *stage) sameInEachRun(text string) string {
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.by)
	}
	known := map[string]string{}
	number := func(id string) string {
		if known[id] == "" {
			known[id] = "ID-" + string(rune('A'+len(known)))
		}
		return known[id]
	}
	text = identifierPattern.ReplaceAllStringFunc(text, number)
	text = uuidPattern.ReplaceAllStringFunc(text, number)
	if m := regexp.MustCompile(`boundary="?([^"\r]+)"?`).FindStringSubmatch(text); m != nil {
		text = strings.ReplaceAll(text, m[1], "boundary-1")
	}
	return strings.NewReplacer("\r\n", "\n", st.srs().Addr().String(), "srs.test", st.sys.SIP.String(), "src.test",
		systemIP, "192.0.2.1", st.caller.Addr().String(), "caller.test", st.callee.Addr().String(), "pbx.test").Replace(text)
}

func goldenText(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", file, got, want)
	}
}

// Templates see the INVITE of the call and its answer; ident makes a name of anything.
func TestTemplatesSeeTheAnswer(t *testing.T) {
	st := newStage(t, setup{recorder: `    headers: {X-Out: '{{.Header "X-UCID"}}', X-In: '{{.Answer "X-UCID"}}', Call-Info: '<urn:x:{{ident .CallID}}>'}
    session_extension: '<ucid xmlns="urn:example">{{.Answer "x-ucid"}}</ucid>'`})
	c := st.establish(dialing{quiet: true, opts: []peer.Opt{peer.With("X-UCID", "0001"), peer.With("Call-ID", "42/7@home")},
		answer: []peer.Opt{peer.With("X-UCID", "000<2>")}})
	rs := st.srs().Accept()
	for name, want := range map[string]string{"X-Out": "0001", "X-In": "000<2>", "Call-Info": "<urn:x:id-42-7-home>"} {
		if got := rs.Invite.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(string(rs.Doc().Raw), `<ucid xmlns="urn:example">000&lt;2&gt;</ucid>`) {
		t.Errorf("no ucid in\n%s", rs.Doc().Raw)
	}
	c.hangUp()
	rs.End()
}
