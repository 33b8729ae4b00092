package srtp

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/pion/srtp/v3"
)

// Suite is a crypto suite as a=crypto names it (RFC 4568 §6.2, RFC 6188, RFC 7714).
type Suite string

// The suites.
const (
	AESCM128SHA80 Suite = "AES_CM_128_HMAC_SHA1_80"
	AESCM128SHA32 Suite = "AES_CM_128_HMAC_SHA1_32"
	AESCM256SHA80 Suite = "AES_256_CM_HMAC_SHA1_80"
	AESCM256SHA32 Suite = "AES_256_CM_HMAC_SHA1_32"
	AEAD128GCM    Suite = "AEAD_AES_128_GCM"
	AEAD256GCM    Suite = "AEAD_AES_256_GCM"
)

// suites are those known, and their sizes in octets.
var suites = map[Suite]struct {
	profile      srtp.ProtectionProfile
	master, salt int
}{
	AESCM128SHA80: {srtp.ProtectionProfileAes128CmHmacSha1_80, 16, 14},
	AESCM128SHA32: {srtp.ProtectionProfileAes128CmHmacSha1_32, 16, 14},
	AESCM256SHA80: {srtp.ProtectionProfileAes256CmHmacSha1_80, 32, 14},
	AESCM256SHA32: {srtp.ProtectionProfileAes256CmHmacSha1_32, 32, 14},
	AEAD128GCM:    {srtp.ProtectionProfileAeadAes128Gcm, 16, 12},
	AEAD256GCM:    {srtp.ProtectionProfileAeadAes256Gcm, 32, 12},
}

// ParseSuite reads a suite's name, in any case, and the spelling of the 256 bit
// suites that is older than RFC 6188.
func ParseSuite(s string) (Suite, bool) {
	name := strings.ToUpper(s)
	if rest, ok := strings.CutPrefix(name, "AES_CM_256_"); ok {
		name = "AES_256_CM_" + rest
	}
	_, ok := suites[Suite(name)]
	return Suite(name), ok
}

// Sizes are the octets of master key and salt; 0 for a suite that is not known.
func (s Suite) Sizes() (master, salt int) {
	return suites[s].master, suites[s].salt
}

// Key is the master key of one direction. Its octets are secret: it prints as
// its suite alone.
type Key struct {
	Suite        Suite
	Master, Salt []byte
	MKI          []byte // precedes the tag of each packet (RFC 3711 §3.1); nil: there is none
}

// NewKey draws a key.
func NewKey(s Suite) (*Key, error) {
	master, salt := s.Sizes()
	if master == 0 {
		return nil, fmt.Errorf("suite %q is not known", string(s))
	}
	k := &Key{Suite: s, Master: make([]byte, master), Salt: make([]byte, salt)}
	_, _ = rand.Read(k.Master) // never fails
	_, _ = rand.Read(k.Salt)
	return k, nil
}

// Equal tells whether both say the same; nil equals nil only.
func (k *Key) Equal(o *Key) bool {
	if k == nil || o == nil {
		return k == o
	}
	return k.Suite == o.Suite && subtle.ConstantTimeCompare(k.Master, o.Master) == 1 &&
		subtle.ConstantTimeCompare(k.Salt, o.Salt) == 1 && slices.Equal(k.MKI, o.MKI)
}

// String hides the secret.
func (k Key) String() string { return string(k.Suite) + " (key hidden)" }

// GoString hides the secret from %#v.
func (k Key) GoString() string { return k.String() }

// LogValue hides the secret from logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText hides the secret from JSON and the like.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// context makes the transform's state.
func (k *Key) context(options ...srtp.ContextOption) (*srtp.Context, error) {
	s, ok := suites[k.Suite]
	if !ok {
		return nil, fmt.Errorf("suite %q is not known", string(k.Suite))
	}
	if len(k.MKI) > 0 {
		options = append(options, srtp.MasterKeyIndicator(k.MKI))
	}
	c, err := srtp.CreateContext(k.Master, k.Salt, s.profile, options...)
	if err != nil {
		return nil, fmt.Errorf("using a key of %s: %w", k.Suite, err)
	}
	return c, nil
}
