package src_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// guard is the judge of credentials: it computes by RFC 7616 what a request must say.
type guard struct {
	realm, nonce, algorithm, qop string
	hash                         func() hash.Hash
}

func (g *guard) challenge() string {
	c := fmt.Sprintf(`Digest realm="%s", nonce="%s", opaque="o,p"`, g.realm, g.nonce)
	if g.algorithm != "" {
		c += ", algorithm=" + g.algorithm
	}
	if g.qop != "" {
		c += `, qop="` + g.qop + `"`
	}
	return c
}

func (g *guard) sum(s string) string {
	h := g.hash()
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}

var param = regexp.MustCompile(`(\w+)=(?:"([^"]*)"|([^",\s]+))`)

// admits checks the credentials of user tester, and gives the nonce count.
func (g *guard) admits(t *testing.T, in *peer.Incoming, header string) string {
	t.Helper()
	p := map[string]string{}
	for _, m := range param.FindAllStringSubmatch(in.Get(header), -1) {
		p[m[1]] = m[2] + m[3]
	}
	a1, a2 := g.sum("tester:"+g.realm+":pass"), in.Method()+":"+p["uri"]
	if p["qop"] == "auth-int" {
		a2 += ":" + g.sum(string(in.Body))
	}
	want := g.sum(a1 + ":" + g.nonce + ":" + p["nc"] + ":" + p["cnonce"] + ":" + p["qop"] + ":" + g.sum(a2))
	if p["qop"] == "" {
		want = g.sum(a1 + ":" + g.nonce + ":" + g.sum(a2))
	}
	if p["username"] != "tester" || p["response"] != want || p["opaque"] != "o,p" || p["nonce"] != g.nonce {
		t.Errorf("%s with %s: %s", in.Method(), header, in.Get(header))
	}
	return p["nc"]
}

func known(s *setup) { s.recorder.Auth = &src.Auth{User: "tester", Password: "pass"} }

// SRC-25: a challenge is answered once, for the INVITE and for what follows in the dialog, where it is not waited for.
func TestDigest(t *testing.T) {
	for _, g := range []guard{
		{algorithm: "", qop: "", hash: md5.New},
		{algorithm: "MD5", qop: "auth", hash: md5.New},
		{algorithm: "MD5", qop: "auth-int", hash: md5.New},
		{algorithm: "SHA-256", qop: "auth,auth-int", hash: sha256.New},
		{algorithm: "SHA-256", qop: "auth-int", hash: sha256.New},
	} {
		g.realm, g.nonce = "srs.test", "n1"
		for code, headers := range map[int][2]string{
			401: {"WWW-Authenticate", "Authorization"}, 407: {"Proxy-Authenticate", "Proxy-Authorization"},
		} {
			t.Run(fmt.Sprintf("%d/%s/%s", code, g.algorithm, g.qop), func(t *testing.T) {
				rec := newSRS(t, "srs")
				r := newRig(t, []string{rec.URI("")}, known)
				c := r.newCall()
				c.begin()
				in := rec.Expect("INVITE")
				in.Reply(code, peer.With(headers[0], `Digest realm="x", nonce="y", algorithm=ROT-13`), peer.Adding(headers[0], g.challenge()))
				in.ExpectOther("ACK")
				again := rec.Expect("INVITE")
				if again.CallID() != in.CallID() || again.FromTag() != in.FromTag() || again.Branch() == in.Branch() || again.Get("CSeq") != "2 INVITE" {
					t.Errorf("the second INVITE is another one: %s", again.Get("CSeq"))
				}
				if nc := g.admits(t, again, headers[1]); g.qop != "" && nc != "00000001" {
					t.Errorf("nc %s", nc)
				}
				s := rec.AcceptInvite(again)
				c.await(metadata.StateRecording)

				c.hold(true)
				update := s.ExpectUpdate()
				if nc := g.admits(t, update, headers[1]); g.qop != "" && nc != "00000002" {
					t.Errorf("nc %s", nc)
				}
				g.nonce = "n2" // the old one has expired
				update.Reply(code, peer.With(headers[0], g.challenge()+", stale=true"))
				update.ExpectOther("ACK")
				update = s.Dialog.Expect("INVITE")
				if nc := g.admits(t, update, headers[1]); g.qop != "" && nc != "00000001" {
					t.Errorf("nc %s of a new nonce", nc)
				}
				update.Reply(200, peer.WithSDP(s.Answer()))
				update.ExpectOther("ACK")
				c.await(metadata.StatePaused)
				c.end()
				bye := s.Dialog.Expect("BYE")
				g.admits(t, bye, headers[1])
				bye.Reply(200)
				c.ended(src.Complete)
			})
		}
	}
}

// RFC 3261 §22.3: a proxy and the SRS behind it each want to know who asks, in the INVITE and in what follows.
func TestDigestOfProxyAndSRS(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, known)
	c := r.newCall()
	c.begin()
	proxy, srs := guard{realm: "proxy.test", nonce: "p1", hash: md5.New}, guard{realm: "srs.test", nonce: "s1", hash: md5.New}
	passes := func(expect func() *peer.Incoming) *peer.Incoming {
		in := expect()
		in.Reply(407, peer.With("Proxy-Authenticate", proxy.challenge()))
		in.ExpectOther("ACK")
		in = expect()
		proxy.admits(t, in, "Proxy-Authorization")
		in.Reply(401, peer.With("WWW-Authenticate", srs.challenge()))
		in.ExpectOther("ACK")
		in = expect()
		proxy.admits(t, in, "Proxy-Authorization")
		srs.admits(t, in, "Authorization")
		return in
	}
	s := rec.AcceptInvite(passes(func() *peer.Incoming { return rec.Expect("INVITE") }))
	c.await(metadata.StateRecording)
	proxy.nonce, srs.nonce = "p2", "s2" // both have expired
	c.hold(true)
	in := passes(func() *peer.Incoming { return s.ExpectUpdate() })
	in.Reply(200, peer.WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	c.await(metadata.StatePaused)
	c.end()
	s.End()
	c.ended(src.Complete)
}

// Credentials that are refused, or not there, or not of a kind that we know: the next SRS is asked.
func TestDigestRefused(t *testing.T) {
	challenge := peer.With("WWW-Authenticate", `Digest realm="a", nonce="b", qop="auth"`)
	t.Run("refused", func(t *testing.T) {
		first, second := newSRS(t, "first"), newSRS(t, "second")
		r := newRig(t, []string{first.URI(""), second.URI("")}, known)
		c := r.newCall()
		c.begin()
		for range 2 {
			in := first.Expect("INVITE")
			in.Reply(401, challenge)
			in.ExpectOther("ACK")
		}
		s := second.Accept()
		if s.Invite.Get("Authorization") != "" {
			t.Error("another SRS is told what the first asked")
		}
		finish(t, c, s)
		if v := c.view(); len(v.Attempts) != 2 || v.Attempts[0].Code != 401 {
			t.Errorf("%+v", v.Attempts)
		}
	})
	for name, opt := range map[string]peer.Opt{
		"basic": peer.With("WWW-Authenticate", `Basic realm="a"`), "no nonce": peer.With("WWW-Authenticate", `Digest realm="a"`),
		"unknown qop": peer.With("WWW-Authenticate", `Digest realm="a", nonce="b", qop="other"`),
	} {
		t.Run(name, func(t *testing.T) {
			first, second := newSRS(t, "first"), newSRS(t, "second")
			r := newRig(t, []string{first.URI(""), second.URI("")}, known)
			c := r.newCall()
			c.begin()
			in := first.Expect("INVITE")
			in.Reply(401, opt)
			in.ExpectOther("ACK")
			finish(t, c, second.Accept())
		})
	}
}
