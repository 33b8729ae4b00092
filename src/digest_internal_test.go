package src

import (
	"strings"
	"testing"
)

// The examples of RFC 7616 §3.9.1 and RFC 2617 §3.5.
func TestDigestOfTheRFCs(t *testing.T) {
	who := Auth{User: "Mufasa", Password: "Circle of Life"}
	for _, tt := range []struct{ challenge, cnonce, want string }{
		{`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{`digest realm="http-auth@example.org",qop=auth,algorithm=MD5,nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"`,
			"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "8ca523f5e9506fed4657c9700eebdbec"},
	} {
		c := parseChallenge(tt.challenge)
		if c == nil {
			t.Fatalf("not understood: %s", tt.challenge)
		}
		c.cnonce = tt.cnonce
		if got := c.answer(who, "GET", "/dir/index.html", nil); !strings.Contains(got, `response="`+tt.want+`"`) || !strings.Contains(got, "nc=00000001") {
			t.Errorf("%s", got)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Digest realm="a\"b", nonce="n", qop="auth", algorithm=SHA-512-256-sess`)
	f.Add(`Digest nonce=,=",",`)
	f.Fuzz(func(t *testing.T, value string) {
		if c := parseChallenge(value); c != nil && c.answer(Auth{User: "u"}, "BYE", "sip:a", nil) == "" {
			t.Error("no answer")
		}
	})
}
