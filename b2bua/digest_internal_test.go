package b2bua

import "testing"

// What a server writes into a challenge ends in no panic, and in an answer when it can be answered.
func FuzzChallenge(f *testing.F) {
	for _, s := range []string{`Digest realm="a, b", nonce="n", qop="auth"`, `Digest realm="a\"b",nonce=n`, `digest nonce="`, `Digest =,=,"`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := parseChallenge(s)
		if !ok || algorithms[c.algorithm].rank == 0 {
			return
		}
		a := authentication{challenge: c}
		if a.answer("u", "p", "INVITE", "sip:x@y") == "" {
			t.Error("no answer")
		}
	})
}
