package scenario_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sidetrack/internal/app"
	"sidetrack/tests/peer"
)

// TestShapes is the proof that sidetrack is to be seen through: what UAC and UAS of a dialog see of each other with it in
// between is, message by message, line by line and in the same order, what they see without it, but for the differences
// that allowed lists. The dialogs are testdata/shapes/*.txt, raw messages as phones, PBXs and trunks send them.
func TestShapes(t *testing.T) {
	files, _ := filepath.Glob("testdata/shapes/*.txt")
	if len(files) < 40 {
		t.Fatalf("%d shapes", len(files))
	}
	ladder := peer.NewLadder(t)
	uac, uas := peer.NewRaw(t, ladder, "uac", "127.0.0.1"), peer.NewRaw(t, ladder, "uas", "127.0.0.1")
	sys := startWith(t, ladder, fmt.Sprintf(`
sip: {listen: ["udp://127.0.0.1:0"], trusted: [127.0.0.1]}
routes: [{to: "sip:%s"}]
media: {listen: 127.0.0.1, ports: 29000-29999}
recorders: {main: {srs: "sip:127.0.0.1:9"}}
recording: [{recorder: none}]
http: {listen: "127.0.0.1:0", rate: 0}
`, uas.Addr()), app.Options{T1: shortT1})
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			uac.T, uas.T = t, t
			steps := parseShape(t, string(text))
			direct := play(t, steps, uac, uas, uas.Addr(), uac.Addr())
			through := play(t, steps, uac, uas, sys.SIP, sys.SIP)
			for i, side := range []string{"UAC", "UAS"} {
				compare(t, side, direct[i], through[i])
			}
			sameProgress(t, uac, direct[0], through[0])
		})
	}
	sys.Empty()
}

// shapeStep is one message of a shape.
type shapeStep struct {
	fromUAC bool
	hop     bool // it ends at the next hop: the ACK of a failure, the answer to CANCEL and BYE
	text    string
}

// parseShape reads a shape: messages behind a line >>> (the UAC sends) or <<< (the UAS), "hop" for those that end at the
// next hop, # for a remark.
func parseShape(t *testing.T, text string) []shapeStep {
	t.Helper()
	var steps []shapeStep
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		mark, rest, _ := strings.Cut(line, " ")
		switch {
		case mark == ">>>" || mark == "<<<":
			steps = append(steps, shapeStep{fromUAC: mark == ">>>", hop: rest == "hop"})
		case len(steps) > 0:
			steps[len(steps)-1].text += line + "\r\n"
		case line != "" && line[0] != '#':
			t.Fatalf("%q stands before the first message", line)
		}
	}
	for i := range steps { // one empty line in the file ends a message
		steps[i].text = strings.TrimSuffix(steps[i].text, "\r\n")
	}
	return steps
}

// play plays a shape; the UAC sends to next, the UAS to back unless an address was learned. It returns what each saw.
//
// Nobody sends before the other has seen what was sent last. So nothing can be held back until something else happens: a
// 180 that waited for the 200 would be waited for in vain.
func play(t *testing.T, steps []shapeStep, uac, uas *peer.Raw, next, back netip.AddrPort) (seen [2][]string) {
	t.Helper()
	ends := [2]*shapeEnd{
		{raw: uac, to: next, names: map[string]string{"{uac}": uac.Addr().String(), "{uas}": uas.Addr().String()}},
		{raw: uas, to: back, names: map[string]string{"{uac}": uac.Addr().String(), "{uas}": uas.Addr().String()}},
	}
	for _, e := range ends {
		e.vias, e.names["{ip}"] = map[string]string{}, e.raw.Addr().Addr().String()
	}
	for _, s := range steps {
		here, there := ends[0], ends[1]
		if !s.fromUAC {
			here, there = there, here
		}
		message := here.fill(s.text)
		here.raw.Send(here.to, message)
		if s.hop {
			continue
		}
		start, method := startOf(message)
		callID := callIDLine.FindString(message)
		got := there.raw.Expect(start+" "+method, func(m string) bool {
			other, _ := startOf(m)
			there.learn(m)
			return strings.Contains(m, callID) && !hopByHop(m) && (other != "ACK" || start == "ACK")
		})
		if s, m := startOf(got); s != start || m != method {
			t.Fatalf("%s %s came before %s %s:\n%s", s, m, start, method, got)
		}
		seen[1-index(s.fromUAC)] = append(seen[1-index(s.fromUAC)], got)
	}
	return seen
}

func index(fromUAC bool) int {
	if fromUAC {
		return 0
	}
	return 1
}

// hopByHop: what the next hop says for itself: 100, 487 to a CANCEL, the ACK of a failure is told by its branch and ignored by the caller.
func hopByHop(m string) bool {
	start, method := startOf(m)
	return start == "100" || start == "487" || start == "200" && (method == "BYE" || method == "CANCEL")
}

// shapeEnd is one side while a shape is played.
type shapeEnd struct {
	raw   *peer.Raw
	to    netip.AddrPort
	names map[string]string
	vias  map[string]string // by method: the Via lines of the last request
}

var (
	contactURI = regexp.MustCompile(`(?im)^(?:contact|m)\s*:[^<\r\n]*<([^>\r\n]+)>`)
	viaLines   = regexp.MustCompile(`(?im)^(?:via|v)\s*:[^\r\n]*\r\n`)
	callIDLine = regexp.MustCompile(`(?im)^(?:call-id|i)\s*:[^\r\n]*`)
	toLine     = regexp.MustCompile(`(?im)^(?:to|t)\s*:[^\r\n]*`)
	cseqLine   = regexp.MustCompile(`(?im)^cseq\s*:\s*(\d+)\s+(\w+)`)
)

// learn takes the Vias to be answered and the target of later requests from a message.
func (e *shapeEnd) learn(m string) {
	start, method := startOf(m)
	if c := contactURI.FindStringSubmatch(m); c != nil && start != "302" {
		e.names["{target}"] = c[1]
	}
	if start == method {
		e.vias[method] = strings.Join(viaLines.FindAllString(m, -1), "")
		e.names["{cseq}"] = cseqLine.FindStringSubmatch(m)[1]
		e.names["{cseq "+method+"}"] = e.names["{cseq}"]
	}
}

// fill puts in what a message can only know when it is sent.
func (e *shapeEnd) fill(text string) string {
	for name, value := range e.names {
		text = strings.ReplaceAll(text, name, value)
	}
	_, method := startOf(text)
	text = strings.Replace(text, "{via}\r\n", e.vias[method], 1)
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	return strings.Replace(head, "{len}", fmt.Sprint(len(body)), 1) + "\r\n\r\n" + body
}

// startOf gives the method, or the status, and the method of CSeq.
func startOf(m string) (start, method string) {
	first, rest, _ := strings.Cut(m, " ")
	if first == "SIP/2.0" {
		first, _, _ = strings.Cut(rest, " ")
	}
	if c := cseqLine.FindStringSubmatch(m); c != nil {
		method = c[2]
	}
	return first, method
}

// allowed are the differences that there may be, each with its reason; all else must be the same to the byte. They are
// applied to a message as seen without sidetrack and with it.
var allowed = []struct {
	why  string
	what *regexp.Regexp
	as   string
}{
	{"a hop puts its own Via", regexp.MustCompile(`(?im)^(?:Via|v)\s*:[^\r\n]*\r\n`), ""},
	{"requests within the dialog come by us: our Contact, display name and parameters stay", regexp.MustCompile(`(?im)^((?:Contact|m)\s*:[^<\r\n]*<)[^>\r\n]+`), "${1}*"},
	{"… and so are their Request-URIs the Contact of who gets them", regexp.MustCompile(`^([A-Z]+) sip:\S+ SIP/2\.0\r\n((?s:.*?)\r\nTo: [^\r\n]*;tag=)`), "$1 * SIP/2.0\r\n$2"},
	{"a hop counts down, and gives a count to who has none", regexp.MustCompile(`(?im)^Max-Forwards\s*:[^\r\n]*\r\n`), ""},
	{"proxies before and behind us are on their own leg", regexp.MustCompile(`(?m)^(?:Record-Route|Route)[ \t]*:[^\r\n]*\r\n`), ""},
	{"media come by us: where they go", regexp.MustCompile(`(?m)^c=IN IP[46] \S+`), "c=*"},
	{"media come by us: to which port", regexp.MustCompile(`(?m)^m=(\w+) [1-9]\d*(?:/\d+)? (\S+)`), "m=$1 * $2"},
	{"media come by us: and RTCP too", regexp.MustCompile(`(?m)^a=rtcp:[^\r\n]*`), "a=rtcp:*"},
	{"nobody may go round us (ICE)", regexp.MustCompile(`(?m)^a=(?:candidate|ice-[a-z-]+|end-of-candidates|remote-candidates)\b[^\r\n]*\r\n`), ""},
	{"and so the length of the body", regexp.MustCompile(`(?m)^(Content-Length|l)(\s*:)[^\r\n]*`), "$1$2 *"},
	{"a field is written on one line", regexp.MustCompile(`\r\n[ \t]+`), " "},
	{"with one blank behind its colon", regexp.MustCompile(`(?m)^([A-Za-z-]+)[ \t]*:[ \t]*`), "$1: "},
	{"and none at its end", regexp.MustCompile(`[ \t]+\r\n`), "\r\n"},
}

func plain(m string) string {
	for _, a := range slices.Backward(allowed) {
		m = a.what.ReplaceAllString(m, a.as)
	}
	return m
}

// compare holds what one side saw with sidetrack against what it saw without.
func compare(t *testing.T, side string, direct, through []string) {
	t.Helper()
	for i := range direct {
		want, got := plain(direct[i]), plain(through[i])
		if want != got {
			t.Errorf("the %s sees\n%s\nwithout sidetrack\n%s\n--- line by line: %s", side, through[i], direct[i], firstDifference(want, got))
		}
		if n := len(viaLines.FindAllString(through[i], -1)); n != 1 {
			t.Errorf("the %s sees %d Vias:\n%s", side, n, through[i])
		}
	}
}

// sameProgress holds every provisional response that has come to the UAC, the unexpected and the repeated with it, against
// those that were sent: none is added but one 100 for each INVITE, which says nothing of the callee, and none is lost.
func sameProgress(t *testing.T, uac *peer.Raw, direct, through []string) {
	t.Helper()
	if len(through) == 0 {
		return
	}
	provisional := func(m string) bool { return strings.HasPrefix(m, "SIP/2.0 1") && !strings.HasPrefix(m, "SIP/2.0 100 ") }
	calls, trying := map[string]bool{}, map[string]int{}
	for _, m := range through {
		calls[callIDLine.FindString(m)] = true
	}
	var sent, came []string
	for _, m := range direct {
		if provisional(m) {
			sent = append(sent, plain(m))
		}
	}
	for _, m := range uac.Arrived() {
		switch {
		case !calls[callIDLine.FindString(m)] || !strings.Contains(m, "\r\n"):
		case strings.HasPrefix(m, "SIP/2.0 100 "):
			if trying[viaLines.FindString(m)]++; trying[viaLines.FindString(m)] > 1 || strings.Contains(toLine.FindString(m), ";tag=") {
				t.Errorf("a 100 too many, or one of a dialog:\n%s", m)
			}
		case provisional(m):
			came = append(came, plain(m))
		}
	}
	// The UAC of both plays is the same one: it has had those of the first, too.
	if want := append(slices.Clone(sent), sent...); !slices.Equal(came, want) {
		t.Errorf("the UAC has had %d provisional responses without sidetrack and with it, %d were sent:\n%s", len(came), len(want), strings.Join(came, "\n"))
	}
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\r\n"), strings.Split(got, "\r\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%q became %q", a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines became %d", len(a), len(b))
}
