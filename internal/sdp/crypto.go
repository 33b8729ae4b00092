package sdp

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"sidetrack/internal/srtp"
)

// Crypto is an a=crypto attribute (RFC 4568 §9.1) that we can work with: the key
// with which the description's author protects what it sends.
type Crypto struct {
	Tag  int // 1 to 9 digits; pairs the answer with the offer
	Key  *srtp.Key
	More []*srtp.Key // further keys of the same line, told apart by their MKI (RFC 4568 §6.1)

	ClearRTCP bool // RTCP is authenticated but not encrypted (UNENCRYPTED_SRTCP, §6.3.2)
}

// Keys are Key and More.
func (c Crypto) Keys() []*srtp.Key { return append([]*srtp.Key{c.Key}, c.More...) }

// maxMKI is the longest MKI in octets (RFC 4568 §6.1).
const maxMKI = 128

// Cryptos are the section's a=crypto attributes in order. Left out is what
// cannot be used: unknown suites, keys of the wrong length, several without an
// MKI, session parameters that change the protection of RTP, unknown ones
// (§6.3.7), and both of two lines with one tag (§5.1.1).
func (m *Media) Cryptos() []Crypto {
	all, _ := m.cryptos()
	return all
}

// CryptoProblem says why the first of the lines that Cryptos leaves out cannot be
// used; "" when there is none. It never holds a key.
func (m *Media) CryptoProblem() string {
	_, err := m.cryptos()
	if err == nil {
		return ""
	}
	return err.Error()
}

func (m *Media) cryptos() ([]Crypto, error) {
	var out []Crypto
	var problem error
	uses := map[int]int{}
	for _, v := range m.Attrs("crypto") {
		c, err := parseCrypto(v)
		if c.Tag > 0 {
			uses[c.Tag]++
		}
		if err == nil {
			out = append(out, c)
		} else if problem == nil {
			problem = err
		}
	}
	usable := out[:0]
	for _, c := range out {
		if uses[c.Tag] == 1 {
			usable = append(usable, c)
		} else if problem == nil {
			problem = errCrypto("two lines with one tag")
		}
	}
	return usable, problem
}

// SDES tells with which keys either side sends after an exchange of these two
// sections, whichever of them was the answer. An answer takes exactly one of the
// offered tags, with its suite (RFC 4568 §5.1.2); ok is false when neither
// section is one to the other, so that there is no key. It may be true for RTP/AVP,
// too: there are phones that offer SRTP so to whom may not know of it. With
// DTLS-SRTP the keys are not in the description, whatever else it says.
func SDES(a, b *Media) (keysA, keysB []*srtp.Key, ok bool) {
	if a == nil || b == nil || a.DTLS() || b.DTLS() {
		return nil, nil, false
	}
	if keysB, keysA, ok = answeredKeys(a, b); ok {
		return keysA, keysB, true
	}
	return answeredKeys(b, a)
}

// answeredKeys gives the keys of answer and offer.
func answeredKeys(offer, answer *Media) (theirs, ours []*srtp.Key, ok bool) {
	if len(answer.Attrs("crypto")) != 1 {
		return nil, nil, false
	}
	taken := answer.Cryptos()
	if len(taken) != 1 {
		return nil, nil, false
	}
	for _, c := range offer.Cryptos() {
		if c.Tag == taken[0].Tag && c.Key.Suite == taken[0].Key.Suite {
			return taken[0].Keys(), c.Keys(), true
		}
	}
	return nil, nil, false
}

// keys are what an exchange has agreed on for one section.
type keys struct {
	tag         int // of the peer's line
	own, theirs *srtp.Key
}

// answeredKey reads an answer: exactly one line, with a tag that was offered and
// its suite, and a key, be it for RTCP alone (RFC 4568 §5.1.2, §5.1.3).
func answeredKey(o OfferMedia, m *Media) (keys, bool) {
	taken := m.Cryptos()
	if len(taken) != 1 || len(m.Attrs("crypto")) != 1 {
		return keys{}, false
	}
	for _, c := range o.Cryptos {
		if c.Tag == taken[0].Tag && c.Key.Suite == taken[0].Key.Suite {
			return keys{c.Tag, c.Key, taken[0].Key}, true
		}
	}
	return keys{}, false
}

// offeredKey chooses from an offer.
func offeredKey(o OfferMedia, m *Media) (keys, bool) {
	for _, theirs := range m.Cryptos() {
		for _, c := range o.Cryptos {
			if c.Key.Suite == theirs.Key.Suite {
				return keys{theirs.Tag, c.Key, theirs.Key}, true
			}
		}
	}
	return keys{}, false
}

// Attribute is the attribute without "a=", key and all: for descriptions only.
func (c Crypto) Attribute() string {
	secret := append(append([]byte{}, c.Key.Master...), c.Key.Salt...)
	return fmt.Sprintf("crypto:%d %s inline:%s", c.Tag, string(c.Key.Suite), base64.StdEncoding.EncodeToString(secret))
}

// errCrypto says why an attribute cannot be used. It never holds the key.
type errCrypto string

func (e errCrypto) Error() string { return "a=crypto: " + string(e) }

// parseCrypto reads "tag suite key-params [session-params]". The tag is given
// also with an error behind it.
func parseCrypto(v string) (Crypto, error) {
	f := fields(v)
	if len(f) < 3 {
		return Crypto{}, errCrypto("incomplete")
	}
	tag, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil || tag == 0 || len(f[0]) > 9 {
		return Crypto{}, errCrypto("no tag")
	}
	c := Crypto{Tag: int(tag)}
	suite, ok := srtp.ParseSuite(f[1])
	if !ok {
		return c, errCrypto("unknown suite")
	}
	for _, p := range f[3:] {
		if !harmless(p) {
			return c, errCrypto("session parameter that we do not follow")
		}
		c.ClearRTCP = c.ClearRTCP || strings.EqualFold(p, "UNENCRYPTED_SRTCP")
	}
	keys, err := parseKeys(suite, f[2])
	if err != nil {
		return c, err
	}
	c.Key, c.More = keys[0], keys[1:]
	return c, nil
}

// maxKeys is how many keys a line may have.
const maxKeys = 8

// parseKeys reads "inline:…;inline:…": of several each must have an MKI of its
// own, and all of one length (RFC 4568 §6.1).
func parseKeys(suite srtp.Suite, s string) ([]*srtp.Key, error) {
	var keys []*srtp.Key
	known := map[string]bool{}
	for param := range strings.SplitSeq(s, ";") {
		k, err := parseInline(suite, param)
		if err != nil {
			return nil, err
		}
		if len(keys) > 0 && (len(k.MKI) == 0 || len(k.MKI) != len(keys[0].MKI)) || known[string(k.MKI)] {
			return nil, errCrypto("several keys that no MKI tells apart")
		}
		known[string(k.MKI)] = true
		if keys = append(keys, k); len(keys) > maxKeys {
			return nil, errCrypto("too many keys")
		}
	}
	return keys, nil
}

// harmless tells whether a session parameter (RFC 4568 §6.3) leaves the
// protection of RTP as it is without it.
func harmless(p string) bool {
	name, value, _ := strings.Cut(p, "=")
	switch strings.ToUpper(name) {
	case "WSH", "UNENCRYPTED_SRTCP":
		return true
	case "KDR":
		return value == "0"
	}
	return strings.HasPrefix(p, "-") // may be ignored by who does not know it
}

// parseInline reads "inline:key||salt[|lifetime][|MKI:length]".
func parseInline(suite srtp.Suite, s string) (*srtp.Key, error) {
	method, info, ok := strings.Cut(s, ":")
	if !ok || !strings.EqualFold(method, "inline") {
		return nil, errCrypto("no inline key")
	}
	parts := strings.Split(info, "|")
	secret, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(parts[0], "="))
	master, salt := suite.Sizes()
	if err != nil || len(secret) != master+salt {
		return nil, errCrypto("key of the wrong length")
	}
	k := &srtp.Key{Suite: suite, Master: secret[:master:master], Salt: secret[master:]}
	rest := parts[1:]
	if len(rest) > 0 && !strings.Contains(rest[0], ":") {
		if !lifetime(rest[0]) {
			return nil, errCrypto("no lifetime")
		}
		rest = rest[1:]
	}
	if len(rest) == 1 {
		k.MKI = parseMKI(rest[0])
	}
	if len(rest) > 1 || len(rest) == 1 && k.MKI == nil {
		return nil, errCrypto("no MKI")
	}
	return k, nil
}

// lifetime tells whether s is a number of packets, "2^31" or in full (§6.1).
func lifetime(s string) bool {
	power, short := strings.CutPrefix(s, "2^")
	n, err := strconv.ParseUint(power, 10, 64)
	return err == nil && n > 0 && (!short || n <= 48)
}

// parseMKI reads "value:length", the value as a decimal number; nil when it is
// none.
func parseMKI(s string) []byte {
	value, size, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(size, 10, 16)
	if err != nil || n == 0 || n > maxMKI || value == "" || len(value) > 310 {
		return nil
	}
	for _, r := range value {
		if r < '0' || r > '9' {
			return nil
		}
	}
	v, ok := new(big.Int).SetString(value, 10)
	if !ok || v.BitLen() > 8*int(n) {
		return nil
	}
	return v.FillBytes(make([]byte, n))
}
