package scenario_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// knobs are habits of recorders, each set by itself.
var knobs = []string{
	"dialect: {labels: [10, 20]}", "dialect: {labels: [2, 1]}", "dialect: {labels: [a_leg, b_leg]}",
	"dialect: {first: callee}", "dialect: {metadata_type: application/rs-metadata}",
	"dialect: {contact_tag: src}", "dialect: {contact_tag: inside}", "dialect: {require_siprec: false}", "dialect: {from: srs}",
	"dialect: {sip_session_id: call-id}", "dialect: {elements: draft}", "dialect: {elements: siprec}", "dialect: {datamode: dataMode}",
	"dialect: {times: seconds}", "dialect: {times: offset}", "dialect: {times: local}",
	"dialect: {ids: urn}", "dialect: {ids: uuid}", "dialect: {ids: hex}", "dialect: {streams: two-sessions}",
	"dialect: {updates_by: info}", "dialect: {last_document: none}", "dialect: {hold: zero}",
	"session_timer: {expires: 30m, refresher: srs}",
	`callee_extension: '<x:agent xmlns:x="urn:example:x">{{.To.User}}</x:agent>'`,
}

// Each knob changes in the INVITE what it is for, and nothing else: the file has the lines that it takes away and the
// ones that it brings.
func TestKnobs(t *testing.T) {
	plain := inviteWith(t, "")
	var got strings.Builder
	for _, knob := range knobs {
		fmt.Fprintf(&got, "%s\n%s\n", knob, changes(plain, inviteWith(t, knob)))
	}
	goldenText(t, "knobs.txt", got.String())

	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `recorders\\.\\*\\.dialect\\.([a-z_]+)`").FindAllStringSubmatch(string(doc), -1) {
		if !slices.ContainsFunc(knobs, func(k string) bool { return strings.Contains(k, m[1]+":") }) {
			t.Errorf("no example of dialect.%s", m[1])
		}
	}
}

// inviteWith is the INVITE to a recorder with that key.
func inviteWith(t *testing.T, key string) (text string) {
	t.Helper()
	if !t.Run(strings.Trim(key, "{} "), func(t *testing.T) {
		st := newStage(t, setup{recorder: "    " + key})
		c := st.establish(dialing{quiet: true, opts: []peer.Opt{peer.With("Call-ID", "call-1"), session(aliceSession, noSession)},
			answer: []peer.Opt{session(bobSession, aliceSession)}})
		in := st.srs().Expect("INVITE")
		text = st.sameInEachRun(sameShape(string(in.Raw)))
		all := []*peer.Incoming{in}
		if strings.Contains(key, "two-sessions") {
			all = append(all, st.srs().Expect("INVITE"))
		}
		for _, in := range all {
			in.Reply(486)
			in.ExpectOther("ACK")
		}
		c.hangUp()
	}) {
		t.FailNow()
	}
	return text
}

var (
	secondsPattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d\d\d)?(Z|\+00:00)`)
	hexPattern     = regexp.MustCompile(`([">])[0-9a-f]{32}(["<])`)
)

// sameShape makes identifiers and times the same in each run, but keeps their form, which knobs change.
func sameShape(text string) string {
	text = secondsPattern.ReplaceAllStringFunc(text, func(at string) string {
		m := secondsPattern.FindStringSubmatch(at)
		if m[1] != "" {
			return "2026-01-01T12:00:10.000" + m[2]
		}
		return "2026-01-01T12:00:10" + m[2]
	})
	known := map[string]string{}
	number := func(kind, id string) string {
		if known[id] == "" {
			known[id] = kind + string(rune('A'+len(known)))
		}
		return known[id]
	}
	text = uuidPattern.ReplaceAllStringFunc(text, func(id string) string { return number("UUID-", id) })
	return hexPattern.ReplaceAllStringFunc(text, func(id string) string {
		return id[:1] + number("HEX-", id[1:len(id)-1]) + id[len(id)-1:]
	})
}

// changes are the lines that a does not have in common with b, as far as their order allows.
func changes(a, b string) string {
	was, is := strings.Split(a, "\n"), strings.Split(b, "\n")
	common := make([][]int, len(was)+1)
	for i := range common {
		common[i] = make([]int, len(is)+1)
	}
	for i := len(was) - 1; i >= 0; i-- {
		for j := len(is) - 1; j >= 0; j-- {
			if was[i] == is[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out strings.Builder
	i, j := 0, 0
	for i < len(was) || j < len(is) {
		switch {
		case i < len(was) && j < len(is) && was[i] == is[j]:
			i, j = i+1, j+1
		case i < len(was) && (j == len(is) || common[i+1][j] >= common[i][j+1]):
			fmt.Fprintf(&out, "  - %s\n", strings.TrimSpace(was[i]))
			i++
		default:
			fmt.Fprintf(&out, "  + %s\n", strings.TrimSpace(is[j]))
			j++
		}
	}
	return out.String()
}
