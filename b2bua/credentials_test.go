package b2bua_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"testing"

	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// shown checks the digest of a request by the book (RFC 3261 §22.4, RFC 7616 §3.4.1) and returns its nonce count.
func shown(t *testing.T, m *peer.Message, field, realm, nonce, password string, sum func() hash.Hash) string {
	t.Helper()
	p := map[string]string{}
	value, ok := strings.CutPrefix(m.Get(field), "Digest ")
	for pair := range strings.SplitSeq(value, ", ") {
		name, v, _ := strings.Cut(pair, "=")
		p[name] = strings.Trim(v, `"`)
	}
	h := func(parts ...string) string {
		s := sum()
		s.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(s.Sum(nil))
	}
	want := h(h(p["username"], realm, password), nonce, h(m.Method(), m.URI()))
	if p["qop"] != "" {
		want = h(h(p["username"], realm, password), nonce, p["nc"], p["cnonce"], p["qop"], h(m.Method(), m.URI()))
	}
	if !ok || p["response"] != want || p["realm"] != realm || p["nonce"] != nonce || p["uri"] != m.URI() || p["username"] != "acme" {
		t.Errorf("%s: %s: %q, want response %s", m.Start, field, m.Get(field), want)
	}
	return p["nc"]
}

const trunk = `Digest realm="a,b", nonce="n1", qop="auth,auth-int", opaque="o", algorithm=MD5`

func authStage(t *testing.T) *stage {
	return oneRoute(t, func(s *stage, r *policy.Route) {
		r.Auth = &policy.Credentials{User: "acme", Password: "s3cret"}
	})
}

// The trunk asks who we are: we tell it, the caller hears nothing of it, and later requests of the call bear it too.
func TestTrunkIsShownCredentials(t *testing.T) {
	for _, tc := range []struct {
		status        int
		asks, answers string
		challenges    []string
		sum           func() hash.Hash
	}{
		{407, "Proxy-Authenticate", "Proxy-Authorization", []string{trunk}, md5.New},
		{401, "WWW-Authenticate", "Authorization", []string{`Digest realm="a,b",nonce="n1"`}, md5.New},
		{407, "Proxy-Authenticate", "Proxy-Authorization", []string{`Basic realm="x"`, `Digest realm="a,b", nonce="n1", qop="auth", algorithm=SHA-256`, trunk}, sha256.New},
	} {
		s := authStage(t)
		c := s.invite()
		opts := []peer.Opt{}
		for _, ch := range tc.challenges {
			opts = append(opts, peer.Adding(tc.asks, ch))
		}
		first, _ := c.in.CSeq()
		c.in.Reply(tc.status, opts...)
		c.in.ExpectOther("ACK")
		c.in = s.pbx.ExpectWhere("the INVITE with credentials", func(m *peer.Message) bool { return m.Method() == "INVITE" && m.Get(tc.answers) != "" })
		shown(t, c.in.Message, tc.answers, "a,b", "n1", "s3cret", tc.sum)
		if again, _ := c.in.CSeq(); again != first+1 {
			t.Errorf("CSeq %d after %d", again, first)
		}
		c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
		ok := c.out.Expect(200)
		c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
		c.left.Ack(ok)
		if got := c.right.Expect("ACK").Get(tc.answers); got != c.in.Get(tc.answers) {
			t.Errorf("ACK with %q", got)
		}
		out := c.left.Send("INFO")
		in := c.right.Expect("INFO")
		if nc := shown(t, in.Message, tc.answers, "a,b", "n1", "s3cret", tc.sum); nc != "" && nc != "00000002" {
			t.Errorf("nonce count %s", nc)
		}
		// The nonce has become too old.
		in.Reply(tc.status, peer.With(tc.asks, strings.Replace(trunk, "n1", "n2", 1)+", stale=TRUE"))
		in = c.right.Expect("INFO")
		shown(t, in.Message, tc.answers, "a,b", "n2", "s3cret", md5.New)
		in.Reply(200)
		out.Expect(200)
		bye := c.left.Send("BYE")
		bye.Expect(200)
		gone := c.right.Expect("BYE")
		gone.Reply(tc.status, peer.With(tc.asks, strings.Replace(trunk, "n1", "n3", 1)))
		gone = c.right.Expect("BYE")
		shown(t, gone.Message, tc.answers, "a,b", "n3", "s3cret", md5.New)
		gone.Reply(200)
		s.quiet()
	}
}

// A wrong password is not tried again and again: the next target is asked, and the caller is not asked for it.
func TestTrunkRefusesCredentials(t *testing.T) {
	s := authStage(t)
	for _, challenge := range []string{trunk, `Digest realm="a", nonce="n", algorithm=AKAv1-MD5, qop="auth"`} {
		c := s.invite()
		c.in.Reply(407, peer.With("Proxy-Authenticate", challenge))
		c.in.ExpectOther("ACK")
		if challenge == trunk {
			in := s.pbx.ExpectWhere("the INVITE with credentials", func(m *peer.Message) bool { return m.Method() == "INVITE" && m.Get("Proxy-Authorization") != "" })
			in.Reply(407, peer.With("Proxy-Authenticate", trunk))
			in.ExpectOther("ACK")
		}
		in := s.second.Expect("INVITE")
		in.Reply(407, peer.With("Proxy-Authenticate", `Basic realm="x"`))
		in.ExpectOther("ACK")
		c.out.Expect(403)
	}
	s.quiet()
}

// The same among targets that are rung together.
func TestParallelCredentials(t *testing.T) {
	s, c, in := ringing(t, "", func(r *policy.Route) { r.Auth = &policy.Credentials{User: "acme", Password: "s3cret"} })
	in[0].Reply(486)
	in[0].ExpectOther("ACK")
	in[1].Reply(401, peer.With("WWW-Authenticate", `Digest realm="r", nonce="n"`))
	in[1].ExpectOther("ACK")
	c.in = s.second.ExpectWhere("the INVITE with credentials", func(m *peer.Message) bool { return m.Method() == "INVITE" && m.Get("Authorization") != "" })
	shown(t, c.in.Message, "Authorization", "r", "n", "s3cret", md5.New)
	c.answer().hangUp()
	s.quiet()
}

// Each target is shown its own credentials, and nothing of what another one asked for: in turn, and rung together.
func TestTargetsHaveCredentialsOfTheirOwn(t *testing.T) {
	for _, parallel := range []bool{false, true} {
		value, err := policy.ParseTemplate("X-Trunk", "{{.From.User}}")
		if err != nil {
			t.Fatal(err)
		}
		s := oneRoute(t, func(_ *stage, r *policy.Route) {
			r.Parallel, r.Auth = parallel, &policy.Credentials{User: "acme", Password: "of the route"}
			r.Targets[1].Auth = &policy.Credentials{User: "acme", Password: "of the second"}
			r.Targets[1].Headers = []policy.RouteHeader{{Name: "X-Trunk", Value: value}}
		})
		asked := func(p *peer.Peer, in *peer.Incoming, nonce, password string) *peer.Incoming {
			t.Helper()
			in.Reply(407, peer.With("Proxy-Authenticate", `Digest realm="a,b", nonce="`+nonce+`", qop="auth"`))
			in.ExpectOther("ACK")
			in = p.ExpectWhere("the INVITE with credentials", func(m *peer.Message) bool { return m.Method() == "INVITE" && m.Get("Proxy-Authorization") != "" })
			shown(t, in.Message, "Proxy-Authorization", "a,b", nonce, password, md5.New)
			return in
		}
		c := s.invite()
		first := asked(s.pbx, c.in, "n1", "of the route")
		if !parallel {
			first.Reply(503)
			first.ExpectOther("ACK")
		}
		in := s.second.Expect("INVITE")
		if in.Get("Proxy-Authorization") != "" || in.Get("X-Trunk") != "caller" || first.Get("X-Trunk") != "" {
			t.Errorf("parallel %t: the second target got\n%s", parallel, in.Raw)
		}
		if parallel {
			first.Reply(486)
			first.ExpectOther("ACK")
		}
		c.in = asked(s.second, in, "n2", "of the second")
		c.answer()
		bye := c.left.Send("BYE")
		gone := c.right.Expect("BYE")
		shown(t, gone.Message, "Proxy-Authorization", "a,b", "n2", "of the second", md5.New)
		gone.Reply(200)
		bye.Expect(200)
		s.quiet()
	}
}

// Requests outside of calls are signed like calls, and neither end sees that there was a challenge, whose answer has
// another number: what follows goes on from there. A registrar's question is the phone's to answer, and so is that of
// who has been shown something already.
func TestOtherRequestsAreSigned(t *testing.T) {
	s := authStage(t)
	for _, method := range []string{"OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER", "NOTIFY", "FROBNICATE"} {
		out := s.caller.Start(method, s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{peer.WithBody("text/plain", []byte("hello"))}})
		in := s.pbx.Expect(method)
		number, _ := in.CSeq()
		in.Reply(407, peer.With("Proxy-Authenticate", trunk))
		for i, nonce := range []string{"n1", "n2"} {
			in = s.pbx.Expect(method)
			shown(t, in.Message, "Proxy-Authorization", "a,b", nonce, "s3cret", md5.New)
			if n, _ := in.CSeq(); n != number+uint32(i)+1 || string(in.Body) != "hello" {
				t.Errorf("again as\n%s", in.Raw)
			}
			if i == 0 {
				in.Reply(407, peer.With("Proxy-Authenticate", strings.Replace(trunk, "n1", "n2", 1)+", stale=true"))
			}
		}
		in.Reply(202)
		ok := out.Expect(202)
		if n, _ := ok.CSeq(); n != number || ok.Get("Proxy-Authenticate") != "" {
			t.Errorf("answered with\n%s", ok.Raw)
		}
		// The next one of that dialog has a number that the target has seen.
		next := request(s.caller, method, bob, out.Sent.Get("From"), ok.Get("To"), out.Sent.CallID())
		sent := s.caller.Send("udp", s.proxy, next, peer.With("CSeq", fmt.Sprintf("%d %s", number+1, method)))
		in = s.pbx.Expect(method)
		if n, _ := in.CSeq(); n != number+3 {
			t.Errorf("%s: number %d after %d", method, n, number+2)
		}
		in.Reply(200)
		sent.Expect(200)
		sent = s.caller.Send("udp", s.proxy, next, peer.With("CSeq", fmt.Sprintf("%d %s", number+9, method)))
		in = s.pbx.Expect(method)
		if n, _ := in.CSeq(); n != number+9 {
			t.Errorf("%s: number %d in the place of %d", method, n, number+9)
		}
		in.Reply(200)
		sent.Expect(200)
	}
	for _, tc := range []struct {
		method string
		opt    peer.Opt
	}{
		{"REGISTER", peer.With("Expires", "60")},
		{"MESSAGE", peer.With("Proxy-Authorization", `Digest username="caller", realm="a,b", nonce="n0", uri="x", response="0"`)},
	} {
		out := s.caller.Start(tc.method, s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{tc.opt}})
		s.pbx.Expect(tc.method).Reply(407, peer.With("Proxy-Authenticate", trunk))
		if got := out.Expect(407); got.Get("Proxy-Authenticate") != trunk {
			t.Errorf("%s: asked by\n%s", tc.method, got.Raw)
		}
	}
	s.quiet()
}

// A wrong password is shown once; then the next target is asked, and the sender is not asked for it.
func TestOtherRequestsWithAWrongPassword(t *testing.T) {
	s := authStage(t)
	out := s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: bob})
	s.pbx.Expect("MESSAGE").Reply(401, peer.With("WWW-Authenticate", trunk))
	s.pbx.Expect("MESSAGE").Reply(401, peer.With("WWW-Authenticate", trunk))
	in := s.second.Expect("MESSAGE")
	if in.Get("Authorization") != "" {
		t.Errorf("another target was shown\n%s", in.Raw)
	}
	in.Reply(401, peer.With("WWW-Authenticate", `Basic realm="x"`))
	if got := out.ExpectFinal(); got.Status() != 403 || got.Get("WWW-Authenticate") != "" {
		t.Errorf("the sender got\n%s", got.Raw)
	}
	s.quiet()
}

// The trunk may ask at any request of a call, whatever was shown to it before: at a re-INVITE, whose ACK bears the
// answer too, and at all the others.
func TestRequestsWithinACallAreSigned(t *testing.T) {
	s := authStage(t)
	c := s.establish()
	for i, method := range []string{"INVITE", "UPDATE", "REFER", "OPTIONS", "MESSAGE", "SUBSCRIBE", "FROBNICATE"} {
		nonce := fmt.Sprintf("m%d", i)
		opt := peer.With("Subject", "x")
		if method == "INVITE" {
			opt = peer.WithSDP(c.sdpA(2))
		}
		out := c.left.Send(method, opt)
		in := c.right.Expect(method)
		in.Reply(407, peer.With("Proxy-Authenticate", strings.Replace(trunk, "n1", nonce, 1)+", stale=true"))
		if method == "INVITE" {
			in.ExpectOther("ACK")
		}
		first, _ := in.CSeq()
		in = c.right.Expect(method)
		shown(t, in.Message, "Proxy-Authorization", "a,b", nonce, "s3cret", md5.New)
		if n, _ := in.CSeq(); n <= first {
			t.Errorf("%s: number %d after %d", method, n, first)
		}
		if method != "INVITE" {
			in.Reply(202, peer.With("Refer-Sub", "false"))
			out.Expect(202)
			continue
		}
		in.Reply(200, peer.WithSDP(c.sdpB(2)))
		c.left.Ack(out.Expect(200))
		if ack := c.right.Expect("ACK"); ack.Get("Proxy-Authorization") != in.Get("Proxy-Authorization") {
			t.Errorf("ACK:\n%s", ack.Raw)
		}
	}
	c.hangUp()
	s.quiet()
}
