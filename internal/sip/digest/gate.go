package digest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/icholy/digest"

	"sidetrack/internal/sip"
)

// Algorithm names a digest as RFC 7616 and RFC 8760 do.
type Algorithm string

// The algorithms that a Gate knows.
const (
	SHA256 Algorithm = "SHA-256"
	MD5    Algorithm = "MD5"
)

func (a Algorithm) sum(text string) string {
	if a == SHA256 {
		h := sha256.Sum256([]byte(text))
		return hex.EncodeToString(h[:])
	}
	h := md5.Sum([]byte(text))
	return hex.EncodeToString(h[:])
}

// HA1 is what is kept of a password: H(user:realm:password) in hexadecimal.
func HA1(a Algorithm, user, realm, password string) string {
	return a.sum(user + ":" + realm + ":" + password)
}

// Keys are the HA1 of one user, by algorithm.
type Keys map[Algorithm]string

// Gate asks strangers who they are, and knows who they are by their answers (RFC
// 3261 §22, RFC 7616). It keeps nothing of those it has asked: its nonces bear
// their time and whom they were given to, under a key of its own. Of those who
// have answered rightly it keeps with which nonce and nonce count: no answer is
// taken twice. It is safe for concurrent use.
type Gate struct {
	realm      string
	algorithms []Algorithm // offered, the best first
	users      map[string]Keys
	nobody     Keys // of those we do not know: they are told apart by nothing
	key        [32]byte
	replays    replays
}

// gateLife is how long a nonce is good for; its user is then asked again, and the
// phone answers by itself (stale).
const gateLife = 5 * time.Minute

// NewGate returns one that knows these users. Of the algorithms those are offered
// that every user has a key for.
func NewGate(realm string, algorithms []Algorithm, users map[string]Keys) *Gate {
	d := &Gate{realm: realm, users: users, nobody: Keys{}}
	rand.Read(d.key[:]) // never fails (crypto/rand)
	for _, a := range algorithms {
		all := len(users) > 0
		for _, k := range users {
			all = all && k[a] != ""
		}
		if all {
			d.algorithms = append(d.algorithms, a)
			d.nobody[a] = a.sum(rand.Text())
		}
	}
	return d
}

// Verdict is what a Gate says of a request.
type Verdict int

// The verdicts.
const (
	Absent Verdict = iota // no credentials for this gate
	Stale                 // good ones for a nonce that is too old, or that have been used
	Wrong
	Right
)

// Challenges are the values of WWW-Authenticate or Proxy-Authenticate for somebody
// at that address, one for each algorithm.
func (d *Gate) Challenges(to netip.Addr, stale bool, now time.Time) []string {
	nonce := d.nonce(to, now.Unix())
	out := make([]string, len(d.algorithms))
	for i, a := range d.algorithms {
		out[i] = fmt.Sprintf(`Digest realm="%s", nonce="%s", algorithm=%s, qop="auth"`, d.realm, nonce, a)
		if stale {
			out[i] += ", stale=true"
		}
	}
	return out
}

// Check judges the credentials in a field, Authorization or Proxy-Authorization,
// of a request that came from that address, and names the user.
func (d *Gate) Check(req *sip.Message, field string, from netip.Addr, now time.Time) (user string, v Verdict) {
	for _, value := range req.All(field) {
		c, err := digest.ParseCredentials(value)
		if err == nil && c.Realm == d.realm {
			return c.Username, d.check(req, c, from, now)
		}
	}
	return "", Absent
}

func (d *Gate) check(req *sip.Message, c *digest.Credentials, from netip.Addr, now time.Time) Verdict {
	a := Algorithm(strings.ToUpper(c.Algorithm))
	if a == "" {
		a = MD5
	}
	made, sealed, genuine := d.made(c.Nonce, from)
	if !genuine {
		return Stale // of before a restart or another address: not to be held against anybody
	}
	if !slices.Contains(d.algorithms, a) || !sameTarget(c.URI, req.RequestURI) {
		return Wrong
	}
	keys, known := d.users[c.Username]
	if !known {
		keys = d.nobody
	}
	ha2 := a.sum(req.Method + ":" + c.URI)
	want, count := a.sum(keys[a]+":"+c.Nonce+":"+ha2), uint32(1) // RFC 2069: no count, so that each nonce is good once
	switch {
	case c.QOP == "auth" && c.Cnonce != "":
		count = uint32(c.Nc)
		want = a.sum(fmt.Sprintf("%s:%s:%08x:%s:auth:%s", keys[a], c.Nonce, c.Nc, c.Cnonce, ha2))
	case c.QOP != "" || a != MD5:
		return Wrong
	}
	right := subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(c.Response))) == 1 && known
	switch age := now.Sub(time.Unix(made, 0)); {
	case !right:
		return Wrong
	case age > gateLife || age < -time.Minute || !d.replays.fresh(sealed, made, count, now):
		return Stale
	}
	return Right
}

// Strip returns a request without the credentials that are for this gate: who is
// behind it has no use for them. It is the same request where there are none.
func (d *Gate) Strip(req *sip.Message) *sip.Message {
	ours := func(h sip.Header) bool {
		if !h.Is("Authorization") && !h.Is("Proxy-Authorization") {
			return false
		}
		c, err := digest.ParseCredentials(h.Value)
		return err == nil && c.Realm == d.realm
	}
	if !slices.ContainsFunc(req.Headers, ours) {
		return req
	}
	out := req.Clone()
	out.Headers = slices.DeleteFunc(out.Headers, ours)
	return out
}

// nonce is the time, something that no other nonce has, and a seal over both and
// the address.
func (d *Gate) nonce(to netip.Addr, at int64) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 32), uint64(at))
	b = b[:16]
	rand.Read(b[8:]) // never fails
	mark := d.seal(b, to)
	return base64.RawURLEncoding.EncodeToString(append(b, mark[:]...))
}

func (d *Gate) seal(b []byte, to netip.Addr) seal {
	h := hmac.New(sha256.New, d.key[:])
	h.Write(b)
	h.Write(to.Unmap().AsSlice())
	return seal(h.Sum(nil)[:16])
}

// made is when a nonce was given to somebody at that address, and its seal.
func (d *Gate) made(nonce string, to netip.Addr) (at int64, sealed seal, genuine bool) {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != 32 {
		return 0, sealed, false
	}
	sealed = d.seal(b[:16], to)
	return int64(binary.BigEndian.Uint64(b)), sealed, hmac.Equal(b[16:], sealed[:])
}

// sameTarget tells whether the URI of the credentials is that of the request:
// proxies and phones may write its parameters otherwise.
func sameTarget(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := sip.ParseURI(a)
	y, errY := sip.ParseURI(b)
	return errX == nil && errY == nil && x.User == y.User && strings.EqualFold(x.Host, y.Host)
}
