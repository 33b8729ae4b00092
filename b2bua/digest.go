package b2bua

import (
	"crypto/md5" // RFC 3261 §22.4; most trunks know nothing else
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"sidetrack/internal/sip"
)

// challenge is what a server wants to be shown (RFC 3261 §22, RFC 8760).
type challenge struct {
	realm, nonce, opaque, algorithm string
	qop                             bool // auth is offered
	stale                           bool // the nonce is too old, not the password wrong
}

// algorithms we can answer with, the stronger with the greater number.
var algorithms = map[string]struct {
	rank int
	make func() hash.Hash
}{
	"":        {1, md5.New},
	"MD5":     {1, md5.New},
	"SHA-256": {2, sha256.New},
}

// challengeOf finds the strongest challenge of a 401 or 407 that we can answer,
// and the field that its answer goes into.
func challengeOf(resp *sip.Message) (best challenge, field string, ok bool) {
	name := "WWW-Authenticate"
	field = "Authorization"
	if resp.Status == 407 {
		name, field = "Proxy-Authenticate", "Proxy-Authorization"
	}
	rank := 0
	for _, value := range resp.All(name) {
		c, known := parseChallenge(value)
		if r := algorithms[c.algorithm].rank; known && r > rank {
			best, rank = c, r
		}
	}
	return best, field, rank > 0
}

func parseChallenge(value string) (challenge, bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return challenge{}, false
	}
	p := authParams(rest)
	c := challenge{
		realm: p["realm"], nonce: p["nonce"], opaque: p["opaque"],
		algorithm: strings.ToUpper(p["algorithm"]), stale: strings.EqualFold(p["stale"], "true"),
	}
	offered, some := p["qop"]
	for q := range strings.SplitSeq(offered, ",") {
		c.qop = c.qop || strings.EqualFold(strings.TrimSpace(q), "auth")
	}
	return c, c.nonce != "" && (c.qop || !some) // auth-int alone: not ours
}

// authParams reads name=value pairs, quoted or not, by lower-case name.
func authParams(s string) map[string]string {
	out := map[string]string{}
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		value := ""
		if rest = strings.TrimLeft(rest, " \t"); strings.HasPrefix(rest, `"`) {
			value, rest = unquote(rest[1:])
			_, rest, _ = strings.Cut(rest, ",")
		} else {
			value, rest, _ = strings.Cut(rest, ",")
		}
		out[strings.ToLower(strings.Trim(name, " \t,"))] = strings.TrimSpace(value)
		s = rest
	}
	return out
}

// unquote reads up to the closing quote.
func unquote(s string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

// authentication is our standing with the target of one call: its last
// challenge and how often the nonce was used.
type authentication struct {
	challenge
	field string // "" until there was a challenge
	count int
}

// answer is the value for the next request of that method and URI.
func (a *authentication) answer(user, password, method, uri string) string {
	h := func(parts ...string) string {
		sum := algorithms[a.algorithm].make()
		sum.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(sum.Sum(nil))
	}
	a.count++
	ha1, ha2 := h(user, a.realm, password), h(method, uri)
	out := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s"`, quoted(user), quoted(a.realm), quoted(a.nonce), uri)
	if a.qop {
		var random [8]byte
		rand.Read(random[:]) // never fails (crypto/rand)
		nc, cnonce := fmt.Sprintf("%08x", a.count), hex.EncodeToString(random[:])
		out += fmt.Sprintf(`, response="%s", qop=auth, nc=%s, cnonce="%s"`, h(ha1, a.nonce, nc, cnonce, "auth", ha2), nc, cnonce)
	} else {
		out += fmt.Sprintf(`, response="%s"`, h(ha1, a.nonce, ha2))
	}
	if a.algorithm != "" {
		out += ", algorithm=" + a.algorithm
	}
	if a.opaque != "" {
		out += fmt.Sprintf(`, opaque="%s"`, quoted(a.opaque))
	}
	return out
}

func quoted(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
