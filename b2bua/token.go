package b2bua

import (
	"crypto/rand"
	"encoding/base32"
	"strings"

	"sidetrack/internal/sip/txn"
)

var tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const tokenLength = 16

// newToken makes the identifier of a call: short, URL-safe and, as the user
// part of our Contact, impossible to guess (80 random bits).
func newToken() string {
	var b [10]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return tokenEncoding.EncodeToString(b[:])
}

// newTokenOn makes one whose lane is the call's: its recording is handled there,
// after the message that it is about, and without waking another goroutine.
func newTokenOn(lane *txn.Lane, layer *txn.Layer) string {
	for {
		if id := newToken(); layer.LaneFor(id) == lane {
			return id
		}
	}
}

// contactUser is the user part of our Contact towards side s.
func contactUser(id string, s side) string {
	if s == sideA {
		return id + "a"
	}
	return id + "b"
}

// splitToken takes the user part of a Request-URI apart: the call's id, and the
// side that was given this Contact.
func splitToken(user string) (id string, s side, ok bool) {
	if len(user) != tokenLength+1 {
		return "", 0, false
	}
	user = strings.ToLower(user)
	switch user[tokenLength] {
	case 'a':
		return user[:tokenLength], sideA, true
	case 'b':
		return user[:tokenLength], sideB, true
	}
	return "", 0, false
}
