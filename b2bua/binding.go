package b2bua

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// binding is a phone that registered through us: where it really is, under the
// token by which the PBX reaches it.
type binding struct {
	token   string
	mode    RegisterMode
	contact string         // its own Contact URI
	flow    transport.Flow // where its last registration came from (RFC 5626 §5.3)
	at      time.Time      // and when
	expires time.Time
}

const (
	// maxBindings bounds the table; above it new registrations get 503.
	maxBindings = 200_000
	// bindingGrace is how much longer than the registrar we remember, so that
	// a call that it sends in the last moment still arrives.
	bindingGrace = 32 * time.Second
	// sweepEvery is how often expired bindings are looked for.
	sweepEvery = time.Minute
	// bindingMark tells the user part of a registration from that of a call.
	bindingMark = 'r'
)

// bindings are the phones of all lanes: a registration and the calls to it have
// different Call-IDs. Its lock is a leaf: nothing is called while it is held.
type bindings struct {
	secret []byte

	mu      sync.RWMutex
	byToken map[string]binding
	byPlace map[transport.Place]string // the last one registered from there
	swept   time.Time
}

func newBindings(secret []byte) *bindings {
	if len(secret) == 0 {
		secret = make([]byte, 32)
		rand.Read(secret) // never fails (crypto/rand)
	}
	return &bindings{secret: secret, byToken: map[string]binding{}, byPlace: map[transport.Place]string{}}
}

// token is the user part that stands for a contact of an address of record. It
// is the same at each registration, so that the registrar sees a refresh and
// not another phone, and cannot be guessed: who knows it was told by the
// registrar.
func (t *bindings) token(parts ...string) string {
	mac := hmac.New(sha256.New, t.secret)
	for _, p := range parts {
		mac.Write([]byte(p))
		mac.Write([]byte{0})
	}
	return tokenEncoding.EncodeToString(mac.Sum(nil)[:10]) + string(bindingMark)
}

// isBindingToken tells whether a user part could be one of ours.
func isBindingToken(user string) bool {
	return len(user) == tokenLength+1 && user[tokenLength] == bindingMark &&
		!strings.ContainsFunc(user, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '2' && r <= '7') })
}

func (t *bindings) find(token string, now time.Time) (binding, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b, ok := t.byToken[token]
	return b, ok && now.Before(b.expires)
}

// of returns the token of a phone that sends by that flow, "" if none does.
func (t *bindings) of(flow transport.Flow) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byPlace[flow.Place()]
}

// room tells whether a binding of that token may be put.
func (t *bindings) room(token string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	_, known := t.byToken[token]
	return known || len(t.byToken) < maxBindings
}

func (t *bindings) put(b binding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(b.token)
	t.byToken[b.token], t.byPlace[b.flow.Place()] = b, b.token
}

func (t *bindings) drop(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(token)
}

func (t *bindings) remove(token string) {
	b, ok := t.byToken[token]
	if !ok {
		return
	}
	delete(t.byToken, token)
	if t.byPlace[b.flow.Place()] == token {
		delete(t.byPlace, b.flow.Place())
	}
}

func (t *bindings) sweep(now time.Time) {
	if now.Sub(t.swept) < sweepEvery {
		return
	}
	t.swept = now
	for token, b := range t.byToken {
		if !now.Before(b.expires) {
			t.remove(token)
		}
	}
}

func (t *bindings) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.byToken)
}

// canonicalAOR is an address of record as far as it is compared here.
func canonicalAOR(n sip.NameAddr) string {
	u, err := sip.ParseURI(n.URI)
	if err != nil {
		return n.URI
	}
	return u.User + "@" + strings.ToLower(u.Host)
}
