package src

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// Auth is what a recorder knows us by (RFC 3261 §22, RFC 8760).
type Auth struct{ User, Password string }

// challenge is one that we can answer, and how often its nonce has been used.
type challenge struct {
	realm, nonce, opaque string
	algorithm            string // as it was written; "" means MD5
	hash                 func() hash.Hash
	session              bool   // the "-sess" form
	qop                  string // auth, auth-int, or "" as RFC 2069 had it
	uses                 uint32
	cnonce               string
}

var hashes = map[string]func() hash.Hash{
	"": md5.New, "md5": md5.New, "sha-256": sha256.New, "sha-512-256": sha512.New512_256,
}

// parseChallenge reads one WWW-Authenticate or Proxy-Authenticate value; nil
// when it is none that we can answer.
func parseChallenge(value string) *challenge {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil
	}
	p := authParams(rest)
	name, session := strings.CutSuffix(strings.ToLower(p["algorithm"]), "-sess")
	c := &challenge{
		realm: p["realm"], nonce: p["nonce"], opaque: p["opaque"], algorithm: p["algorithm"],
		hash: hashes[name], session: session, cnonce: rand.Text(),
	}
	if c.hash == nil || c.nonce == "" {
		return nil
	}
	if asked, ok := p["qop"]; ok {
		offered := strings.FieldsFunc(strings.ToLower(asked), func(r rune) bool { return r == ',' || r == ' ' })
		switch {
		case slices.Contains(offered, "auth"):
			c.qop = "auth"
		case slices.Contains(offered, "auth-int"):
			c.qop = "auth-int"
		default:
			return nil
		}
	}
	return c
}

// authParams reads name=value and name="value", separated by commas.
func authParams(s string) map[string]string {
	out := map[string]string{}
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		var value string
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, `"`) {
			value, rest = quoted(rest[1:])
			_, rest, _ = strings.Cut(rest, ",")
		} else {
			value, rest, _ = strings.Cut(rest, ",")
		}
		out[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		s = rest
	}
	return out
}

// quoted reads up to the closing quote.
func quoted(s string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// answer is the value of the Authorization header for one request (RFC 7616
// §3.4). Each use of a nonce has a count of its own.
func (c *challenge) answer(who Auth, method, uri string, body []byte) string {
	c.uses++
	nc := fmt.Sprintf("%08x", c.uses)
	response := c.response(who, method, uri, body, nc)
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username=%s, realm=%s, nonce=%s, uri="%s", response="%s"`,
		quote(who.User), quote(c.realm), quote(c.nonce), uri, response)
	if c.algorithm != "" {
		b.WriteString(", algorithm=" + c.algorithm)
	}
	if c.qop != "" {
		fmt.Fprintf(&b, `, qop=%s, nc=%s, cnonce="%s"`, c.qop, nc, c.cnonce)
	}
	if c.opaque != "" {
		b.WriteString(", opaque=" + quote(c.opaque))
	}
	return b.String()
}

func (c *challenge) response(who Auth, method, uri string, body []byte, nc string) string {
	a1 := c.digest(who.User + ":" + c.realm + ":" + who.Password)
	if c.session {
		a1 = c.digest(a1 + ":" + c.nonce + ":" + c.cnonce)
	}
	a2 := method + ":" + uri
	if c.qop == "auth-int" {
		a2 += ":" + c.digest(string(body))
	}
	if c.qop == "" {
		return c.digest(a1 + ":" + c.nonce + ":" + c.digest(a2))
	}
	return c.digest(a1 + ":" + c.nonce + ":" + nc + ":" + c.cnonce + ":" + c.qop + ":" + c.digest(a2))
}

func (c *challenge) digest(s string) string {
	h := c.hash()
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
