package metadata

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// UUID is a 128-bit identifier (RFC 9562). RFC 7865 §6.10 wants it in Base64
// and made without personal data, so only versions 4 and 5 are made here.
type UUID [16]byte

// ErrUUID is returned for text that is no UUID in any form we know.
var ErrUUID = errors.New("not a UUID of 16 octets")

// NewV4 makes a random UUID. It does not fail: crypto/rand does not.
func NewV4() UUID {
	var u UUID
	rand.Read(u[:])
	return u.stamp(4)
}

// NewV5 makes the UUID of a name within a namespace: the same name gives the
// same UUID on each machine, so that two clients name a group alike.
func NewV5(namespace UUID, name string) UUID {
	h := sha1.New()
	h.Write(namespace[:])
	h.Write([]byte(name))
	var u UUID
	copy(u[:], h.Sum(nil))
	return u.stamp(5)
}

// stamp sets version and variant.
func (u UUID) stamp(version byte) UUID {
	u[6] = u[6]&0x0f | version<<4
	u[8] = u[8]&0x3f | 0x80
	return u
}

// Base64 is the form of RFC 7865: 24 characters, standard alphabet, padded.
func (u UUID) Base64() string { return base64.StdEncoding.EncodeToString(u[:]) }

// ID is Base64 as an element's identifier.
func (u UUID) ID() ID { return ID(u.Base64()) }

// URLSafe is the form for paths and file names: 22 characters, no padding.
func (u UUID) URLSafe() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// String is the usual hexadecimal form with hyphens.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// IsZero reports whether u is the nil UUID.
func (u UUID) IsZero() bool { return u == UUID{} }

// ParseUUID reads a UUID in Base64 (standard or URL-safe, with or without
// padding, white space ignored) or in hexadecimal (with or without hyphens and
// "urn:uuid:"). It returns ErrUUID for anything else.
func ParseUUID(s string) (UUID, error) {
	s = strings.Join(strings.Fields(s), "")
	if b, ok := decodeBase64(s); ok && len(b) == 16 {
		return UUID(b), nil
	}
	if len(s) > 9 && strings.EqualFold(s[:9], "urn:uuid:") {
		s = s[9:]
	}
	if b, err := hex.DecodeString(strings.ReplaceAll(s, "-", "")); err == nil && len(b) == 16 {
		return UUID(b), nil
	}
	return UUID{}, ErrUUID
}

// decodeBase64 accepts both alphabets, with and without padding.
func decodeBase64(s string) ([]byte, bool) {
	s = strings.TrimRight(s, "=")
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil
}

// MarshalText writes the Base64 form, so that JSON holds it too.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.Base64()), nil }

// UnmarshalText reads any form that ParseUUID does.
func (u *UUID) UnmarshalText(b []byte) (err error) {
	*u, err = ParseUUID(string(b))
	return err
}
