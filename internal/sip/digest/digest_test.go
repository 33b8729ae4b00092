package digest_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
)

func challenged(status int, values ...string) *sip.Message {
	req := sip.NewRequest("INVITE", "sip:bob@example.test")
	resp := sip.NewResponse(req, status, "")
	name := "WWW-Authenticate"
	if status == 407 {
		name = "Proxy-Authenticate"
	}
	for _, v := range values {
		resp.Add(name, v)
	}
	return resp
}

func param(value, name string) string {
	_, rest, _ := strings.Cut(value, name+"=")
	rest, _, _ = strings.Cut(rest, ",")
	return strings.Trim(rest, `"`)
}

func md5hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// The arithmetic of RFC 2617 §3.2.2, done again by hand, over two uses of one nonce.
func TestAnswerIsTheRFCs(t *testing.T) {
	for _, tt := range []struct {
		name, qop, body string
		ha2             func(body string) string
	}{
		{"without qop", "", "", func(string) string { return md5hex("INVITE:sip:bob@example.test;user=phone") }},
		{"auth", "auth", "", func(string) string { return md5hex("INVITE:sip:bob@example.test;user=phone") }},
		{"auth-int", "auth-int", "v=0", func(b string) string {
			return md5hex("INVITE:sip:bob@example.test;user=phone:" + md5hex(b))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := `Digest realm="pbx", nonce="n1", opaque="o", algorithm=MD5`
			if tt.qop != "" {
				asked += fmt.Sprintf(`, qop="%s"`, tt.qop)
			}
			c, ok := digest.Of(challenged(407, asked))
			if !ok || c.Field() != "Proxy-Authorization" || c.Realm() != "pbx" || c.Stale() {
				t.Fatalf("%v %+v", ok, c)
			}
			for use := 1; use <= 2; use++ {
				req := sip.NewRequest("INVITE", "sip:bob@example.test;user=phone") // the URI as it is on the wire
				req.SetBody("application/sdp", []byte(tt.body))
				c.Sign(req, digest.Credentials{User: "u", Password: "p"})
				got := req.Get("Proxy-Authorization")
				want := md5hex(md5hex("u:pbx:p") + ":n1:" + tt.ha2(tt.body))
				if tt.qop != "" {
					nc := fmt.Sprintf("%08x", use)
					if param(got, "nc") != nc {
						t.Errorf("nonce count: %s", got)
					}
					want = md5hex(md5hex("u:pbx:p") + ":n1:" + nc + ":" + param(got, "cnonce") + ":" + tt.qop + ":" + tt.ha2(tt.body))
				}
				if param(got, "response") != want || param(got, "opaque") != "o" || param(got, "uri") != req.RequestURI {
					t.Errorf("use %d: %s, want response %s", use, got, want)
				}
			}
		})
	}
}

func TestFirstChallengeThatWeKnow(t *testing.T) {
	c, ok := digest.Of(challenged(401, `Basic realm="x"`, `Digest realm="a", nonce="1", algorithm=AKAv1-MD5`,
		`Digest realm="b", nonce="2", algorithm=SHA-256, stale=true`, `Digest realm="c", nonce="3"`))
	if !ok || c.Realm() != "b" || !c.Stale() || c.Field() != "Authorization" {
		t.Fatalf("%v %+v", ok, c)
	}
	for _, resp := range []*sip.Message{challenged(401), challenged(403, `Digest realm="a", nonce="1"`),
		challenged(401, `Digest realm="a"`), challenged(401, `Digest realm="a", nonce="1", qop="token"`)} {
		if _, ok := digest.Of(resp); ok {
			t.Errorf("answered: %d %q", resp.Status, resp.All("WWW-Authenticate"))
		}
	}
}

// What a server writes into a challenge ends in no panic, and in an answer when there is a challenge.
func FuzzChallenge(f *testing.F) {
	for _, s := range []string{`Digest realm="a, b", nonce="n", qop="auth"`, `Digest realm="a\"b",nonce=n`, `digest nonce="`, `Digest =,=,"`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := digest.Of(challenged(401, s))
		if !ok {
			return
		}
		req := sip.NewRequest("BYE", "sip:a@b")
		c.Sign(req, digest.Credentials{User: "u", Password: "p"})
		if req.Get("Authorization") == "" {
			t.Error("no answer")
		}
	})
}
