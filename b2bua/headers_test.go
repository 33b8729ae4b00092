package b2bua

import (
	"reflect"
	"strings"
	"testing"

	"sidetrack/internal/sip"
)

func TestMirrorKeepsOrderAndSpelling(t *testing.T) {
	from, err := sip.Parse([]byte(strings.ReplaceAll(`INVITE sip:bob@192.0.2.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa
Via: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKb
x-first: 1
f: Alice <sip:alice@192.0.2.9>;tag=1
Max-Forwards: 20
P-Asserted-Identity: "A, B" <sip:a@x>
To: <sip:bob@192.0.2.1>
Record-Route: <sip:192.0.2.8;lr>
Call-ID: c1
Supported: timer
supported: replaces
CSeq: 7 INVITE
Contact: <sip:alice@192.0.2.9>
X-Last:   spaced
Content-Length: 0

`, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	to := sip.NewRequest("INVITE", "sip:bob@192.0.2.20")
	to.Set("Max-Forwards", "19")
	to.Set("From", from.Get("From"))
	to.Set("To", from.Get("To"))
	to.Set("Call-ID", "c1")
	to.Set("CSeq", "7 INVITE")
	to.Set("Contact", "<sip:token@192.0.2.1>")
	mirror(to, from)
	want := []string{
		"x-first: 1",
		"f: Alice <sip:alice@192.0.2.9>;tag=1",
		"Max-Forwards: 19",
		`P-Asserted-Identity: "A, B" <sip:a@x>`,
		"To: <sip:bob@192.0.2.1>",
		"Call-ID: c1",
		"Supported: timer",
		"supported: replaces",
		"CSeq: 7 INVITE",
		"Contact: <sip:token@192.0.2.1>",
		"X-Last: spaced",
		"Content-Length: ", // its place
	}
	var got []string
	for _, h := range to.Headers {
		got = append(got, h.Name+": "+h.Value)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestUnknownExtensions(t *testing.T) {
	for require, want := range map[string]string{
		"":                                       "",
		"100rel":                                 "",
		"Replaces, TIMER":                        "",
		"100rel, nothingSupports":                "nothingSupports",
		"siprec":                                 "siprec",
		"geolocation-sip, Recipient-List-Invite": "",
		"trickle-ice":                            "trickle-ice", // ICE is taken out
		"early-session":                          "early-session",
	} {
		m := sip.NewRequest("INVITE", "sip:x@y")
		if require != "" {
			m.Set("Require", require)
		}
		if got := unknownExtensions(m, "Require"); got != want {
			t.Errorf("Require: %s: unknown %q, want %q", require, got, want)
		}
	}
	m := sip.NewRequest("INVITE", "sip:x@y")
	m.Set("Require", "siprec, magic")
	for contact, want := range map[string]string{
		"<sip:pbx@192.0.2.1>;+sip.src": "magic", "<sip:pbx@192.0.2.1>;+sip.srs": "siprec, magic", "<sip:pbx@192.0.2.1;+sip.src>": "siprec, magic",
	} {
		m.Set("Contact", contact)
		if got := unknownExtensions(m, "Require"); got != want {
			t.Errorf("Contact: %s: unknown %q, want %q", contact, got, want)
		}
	}
}

func TestMaxForwards(t *testing.T) {
	for value, want := range map[string]int{"": 70, "0": 0, "1": 1, "255": 255, "256": 70, "-1": 70, "x": 70} {
		m := sip.NewRequest("INVITE", "sip:x@y")
		if value != "" {
			m.Set("Max-Forwards", value)
		}
		if got := maxForwards(m); got != want {
			t.Errorf("Max-Forwards %q: %d, want %d", value, got, want)
		}
	}
}

func TestTokenNamesCallAndSide(t *testing.T) {
	id := newToken()
	for _, s := range []side{sideA, sideB} {
		key := contactKey{1, 2, 3, 4, 5}
		user := contactUser(id, s, key)
		got, side, k, ok := splitToken(strings.ToUpper(user))
		if !ok || got != id || side != s || k != key {
			t.Errorf("%q: %q %v %v %v", user, got, side, k, ok)
		}
	}
	for _, user := range []string{"", "alice", id, id + "a", id + "abcdefgh", id + "cabcdefgh", id + "aabcdefg1"} {
		if _, _, _, ok := splitToken(user); ok {
			t.Errorf("%q is taken for a token", user)
		}
	}
}

func TestSessionIDNeedsTheCallersHalf(t *testing.T) {
	local, remote := strings.Repeat("a", 32), strings.Repeat("b", 32)
	for _, c := range []struct{ a, b, want string }{
		{"", remote, ""},
		{local, "", local + ";remote=" + nilSession},
		{local, remote, local + ";remote=" + remote},
	} {
		if got := (&who{session: [2]string{c.a, c.b}}).sessionID(); got != c.want {
			t.Errorf("%q and %q: %q", c.a, c.b, got)
		}
	}
}
