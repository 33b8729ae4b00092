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

// contactKey is what the Contacts of a call's two sides do not share: who was given
// one cannot make the other, and speak for the other party.
type contactKey [5]byte

const keyLength = 8 // characters of a contactKey

// contactUser is the user part of our Contact towards side s.
func contactUser(id string, s side, k contactKey) string {
	letter := "b"
	if s == sideA {
		letter = "a"
	}
	return id + letter + tokenEncoding.EncodeToString(k[:])
}

// splitToken takes the user part of a Request-URI apart: the call's id, the
// side that was given this Contact, and its key, which is to be compared.
func splitToken(user string) (id string, s side, k contactKey, ok bool) {
	if len(user) != tokenLength+1+keyLength {
		return "", 0, k, false
	}
	user = strings.ToLower(user)
	switch user[tokenLength] {
	case 'a':
		s = sideA
	case 'b':
		s = sideB
	default:
		return "", 0, k, false
	}
	_, err := tokenEncoding.Decode(k[:], []byte(user[tokenLength+1:]))
	return user[:tokenLength], s, k, err == nil
}
