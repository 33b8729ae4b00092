package config

import (
	"net/netip"
	"slices"
	"strings"
)

// SRTP says whether copies leave encrypted.
type SRTP string

// The values of Recorder.SRTP.
const (
	SRTPOff      SRTP = "off"
	SRTPOptional SRTP = "optional"
	SRTPRequired SRTP = "required"
)

// suites are the SRTP suites that can be offered (RFC 4568, RFC 6188, RFC 7714).
var suites = []string{
	"AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32",
	"AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32",
}

// flag reads true or false.
func flag(into *bool) func(cursor) {
	return func(c cursor) {
		if v, ok := c.boolean(); ok {
			*into = v
		}
	}
}

// suites reads a list of SRTP suites.
func (c cursor) suites() (list []string) {
	for _, item := range c.words("SRTP suites such as [AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80], in the order of preference") {
		name := strings.ToUpper(item.n.text)
		switch {
		case !slices.Contains(suites, name):
			item.failf("%s is no SRTP suite; write %s", item.show(), strings.Join(suites, ", "))
		case slices.Contains(list, name):
			item.failf("%s is listed twice", item.show())
		default:
			list = append(list, name)
		}
	}
	return list
}

// checkKeys holds SRTP against the way to the SRSs: its keys are as secret as
// the signalling that carries them (RFC 4568 §8.3).
func (d *decoder) checkKeys(c cursor, r *Recorder, srs []target) {
	open := slices.ContainsFunc(srs, func(t target) bool { return t.transport != "tls" && (t.transport != "" || t.addr != netip.Addr{}) })
	switch {
	case r.SRTP == SRTPOff || !open:
	case r.SRTPOverPlain:
		c.warnf("keys of SRTP go to an SRS without TLS: whoever can read the signalling can hear the recording")
	case r.SRTP == SRTPRequired:
		c.failf("is required, but keys may only go over TLS; add ;transport=tls to each srs, or srtp_over_plain: true")
	default:
		c.warnf("has no effect for an SRS without TLS; add ;transport=tls to it, or srtp_over_plain: true")
	}
}
