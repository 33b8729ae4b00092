package digest

import (
	"bytes"
	"crypto/rand"
	"io"

	"github.com/icholy/digest"

	"sidetrack/internal/sip"
)

// Credentials are what a server knows us by. They are secret.
type Credentials struct{ User, Password string }

// Challenge is one that we can answer, and how often its nonce has been used.
// It belongs to one dialog and is not for concurrent use.
type Challenge struct {
	field  string
	asked  *digest.Challenge
	cnonce string
	uses   int
}

// Of returns the first challenge of a response that we can answer: of several
// the server likes the first best (RFC 8760 §2.4). ok is false when there is
// none, or the response is neither 401 nor 407.
func Of(resp *sip.Message) (c *Challenge, ok bool) {
	question, field := "WWW-Authenticate", "Authorization"
	switch resp.Status {
	case 401:
	case 407:
		question, field = "Proxy-Authenticate", "Proxy-Authorization"
	default:
		return nil, false
	}
	for _, value := range resp.All(question) {
		if asked, err := digest.ParseChallenge(value); err == nil && asked.Nonce != "" && digest.CanDigest(asked) {
			return &Challenge{field: field, asked: asked, cnonce: rand.Text()}, true
		}
	}
	return nil, false
}

// Field is the header field that answers go into.
func (c *Challenge) Field() string { return c.field }

// Realm is the realm that the challenge names.
func (c *Challenge) Realm() string { return c.asked.Realm }

// Stale tells that only the nonce was too old, not the password wrong.
func (c *Challenge) Stale() bool { return c.asked.Stale }

// Sign puts the answer into a request that is otherwise complete, its body
// included. Each use of a nonce has a count of its own.
func (c *Challenge) Sign(req *sip.Message, who Credentials) {
	c.uses++
	answer, err := digest.Digest(c.asked, digest.Options{
		Method: req.Method, URI: req.RequestURI, Username: who.User, Password: who.Password,
		Count: c.uses, Cnonce: c.cnonce,
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(req.Body)), nil },
	})
	if err != nil {
		return // CanDigest has been asked
	}
	req.Set(c.field, answer.String())
}
