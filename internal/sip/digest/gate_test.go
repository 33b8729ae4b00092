package digest_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
)

var (
	home      = netip.MustParseAddr("192.0.2.7")
	elsewhere = netip.MustParseAddr("192.0.2.8")
)

func gate(algorithms ...digest.Algorithm) *digest.Gate {
	users := map[string]digest.Keys{}
	for _, name := range []string{"alice", "bob"} {
		users[name] = digest.Keys{}
		for _, a := range []digest.Algorithm{digest.SHA256, digest.MD5} {
			users[name][a] = digest.HA1(a, name, "example.com", "of "+name)
		}
	}
	return digest.NewGate("example.com", algorithms, users)
}

func register() *sip.Message { return sip.NewRequest("REGISTER", "sip:example.com") }

// answered is a REGISTER with the answer of a user to a challenge, made by our own client.
// Its nonce count is 1, or as said.
func answered(t *testing.T, challenge, user, password string, count ...int) *sip.Message {
	t.Helper()
	resp := &sip.Message{Status: 401}
	resp.Add("WWW-Authenticate", challenge)
	c, ok := digest.Of(resp)
	if !ok {
		t.Fatalf("%s cannot be answered", challenge)
	}
	req := register()
	for range append(count, 1)[0] {
		c.Sign(req, digest.Credentials{User: user, Password: password})
	}
	return req
}

func TestGate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, algorithms := range [][]digest.Algorithm{{digest.SHA256, digest.MD5}, {digest.MD5}} {
		d := gate(algorithms...)
		if _, v := d.Check(register(), "Authorization", home, now); v != digest.Absent {
			t.Errorf("without credentials: %v", v)
		}
		asked := d.Challenges(home, false, now)
		if len(asked) != len(algorithms) || strings.Contains(asked[0], "stale") || !strings.Contains(d.Challenges(home, true, now)[0], "stale=true") {
			t.Fatalf("%q", asked)
		}
		for i, challenge := range asked {
			if !strings.Contains(challenge, "algorithm="+string(algorithms[i])) {
				t.Errorf("%d: %s", i, challenge)
			}
			challenge = d.Challenges(home, false, now)[i] // nobody answers one by both
			good := answered(t, challenge, "alice", "of alice")
			for _, tt := range []struct {
				what string
				req  *sip.Message
				from netip.Addr
				at   time.Time
				want digest.Verdict
			}{
				{"right", good, home, now, digest.Right},
				{"once more", good, home, now, digest.Stale},
				{"as long as the nonce lives", answered(t, challenge, "alice", "of alice", 2), home, now.Add(4 * time.Minute), digest.Right},
				{"too old", answered(t, challenge, "alice", "of alice", 3), home, now.Add(6 * time.Minute), digest.Stale},
				{"from the future", good, home, now.Add(-6 * time.Minute), digest.Stale},
				{"from elsewhere", good, elsewhere, now, digest.Stale},
				{"another's password", answered(t, challenge, "bob", "of alice"), home, now, digest.Wrong},
				{"nobody", answered(t, challenge, "eve", "of eve"), home, now, digest.Wrong},
				{"a wrong password and too old", answered(t, challenge, "bob", "x"), home, now.Add(time.Hour), digest.Wrong},
			} {
				if user, v := d.Check(tt.req, "Authorization", tt.from, tt.at); v != tt.want || v == digest.Right && user != "alice" {
					t.Errorf("%s, %s: %v for %q", algorithms[i], tt.what, v, user)
				}
			}
			other := good.Clone()
			other.RequestURI = "sip:example.net"
			if _, v := d.Check(other, "Authorization", home, now); v != digest.Wrong {
				t.Errorf("for another target: %v", v)
			}
			if _, v := d.Check(other, "Authorization", elsewhere, now); v != digest.Stale { // what is forged is nobody's fault
				t.Errorf("for another target, from elsewhere: %v", v)
			}
			other = good.Clone()
			other.Method = "INVITE"
			if _, v := d.Check(other, "Authorization", home, now); v != digest.Wrong {
				t.Errorf("for another method: %v", v)
			}
			if s := d.Strip(good); s.Has("Authorization") || !good.Has("Authorization") || d.Strip(s) != s {
				t.Error("the credentials are not taken out")
			}
		}
		if strip := answered(t, strings.Replace(asked[0], "example.com", "pbx.example", 1), "alice", "x"); d.Strip(strip) != strip {
			t.Error("credentials for somebody else are taken out")
		}
	}
}

// Numbers may come out of order, each once, and not too late. Each nonce has numbers of its own, even those given to one
// address at one time; a peer that counts not (RFC 2069) has one use of each.
func TestGateTakesNoAnswerTwice(t *testing.T) {
	now := time.Now()
	d := gate(digest.SHA256, digest.MD5)
	first, second := d.Challenges(home, false, now)[0], d.Challenges(home, false, now)[0]
	for _, tt := range []struct {
		challenge string
		count     int
		want      digest.Verdict
	}{
		{first, 1, digest.Right}, {first, 1, digest.Stale}, {second, 1, digest.Right}, {first, 3, digest.Right}, {first, 2, digest.Right},
		{first, 2, digest.Stale}, {first, 3, digest.Stale}, {first, 100, digest.Right}, {first, 4, digest.Stale}, {first, 37, digest.Right},
		{first, 36, digest.Stale}, {first, 37, digest.Stale}, {second, 2, digest.Right},
	} {
		if _, v := d.Check(answered(t, tt.challenge, "alice", "of alice", tt.count), "Authorization", home, now); v != tt.want {
			t.Errorf("%.60s, number %d: %v, want %v", tt.challenge, tt.count, v, tt.want)
		}
	}
	if _, v := d.Check(answered(t, first, "alice", "of alice", 2), "Authorization", home, now.Add(4*time.Minute)); v != digest.Stale {
		t.Errorf("forgotten while the nonce lives: %v", v)
	}
	plain := strings.Replace(d.Challenges(home, false, now)[1], `, qop="auth"`, "", 1)
	for i, want := range []digest.Verdict{digest.Right, digest.Stale} {
		if _, v := d.Check(answered(t, plain, "alice", "of alice"), "Authorization", home, now); v != want {
			t.Errorf("without a count, use %d: %v, want %v", i+1, v, want)
		}
	}
}

// An algorithm that not every user has a key for is not offered.
func TestGateOffersWhatAllHave(t *testing.T) {
	d := digest.NewGate("r", []digest.Algorithm{digest.SHA256, digest.MD5}, map[string]digest.Keys{
		"a": {digest.MD5: "1", digest.SHA256: "2"}, "b": {digest.MD5: "3"},
	})
	if c := d.Challenges(home, false, time.Now()); len(c) != 1 || !strings.Contains(c[0], "MD5") {
		t.Errorf("%q", c)
	}
}

func FuzzGate(f *testing.F) {
	d, now := gate(digest.SHA256, digest.MD5), time.Now()
	f.Add(`Digest username="alice", realm="example.com", nonce="x", uri="sip:example.com", response="y"`)
	f.Add(d.Challenges(home, false, now)[0] + `, username="alice", uri="sip:example.com", response="0", nc=00000001, cnonce="c"`)
	f.Fuzz(func(t *testing.T, value string) {
		req := register()
		req.Add("Authorization", value)
		if _, v := d.Check(req, "Authorization", home, now); v == digest.Right {
			t.Errorf("%q is right", value)
		}
		d.Strip(req)
	})
}
