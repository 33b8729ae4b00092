package src_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	pion "github.com/pion/srtp/v3"

	"sidetrack/internal/srtp"
	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// vault is an SRS that takes SRTP: its sockets open what they get with the key that the offer gave them.
type vault struct {
	*peer.Recorder
	choose  string                                // suite to be taken
	attr    func(tag, suite, key string) []string // crypto lines of the answer; nil: the right one
	proto   string                                // "": RTP/SAVP
	offered [][]string                            // crypto values, by m-line of the newest answer
}

var profiles = map[string]pion.ProtectionProfile{
	"AES_CM_128_HMAC_SHA1_80": pion.ProtectionProfileAes128CmHmacSha1_80,
	"AEAD_AES_128_GCM":        pion.ProtectionProfileAeadAes128Gcm,
	"AEAD_AES_256_GCM":        pion.ProtectionProfileAeadAes256Gcm,
}

func newVault(t *testing.T, suite string, networks ...string) *vault {
	v := &vault{Recorder: newSRS(t, "srs", networks...), choose: suite}
	v.Dress = func(s *peer.Session, m peer.SDPMedia, line *peer.Line) {
		if m.Port == 0 || m.Proto != "RTP/SAVP" {
			return
		}
		line.Proto = "RTP/SAVP"
		if v.proto != "" {
			line.Proto = v.proto
		}
		v.dress(t, s, m, line)
	}
	return v
}

func (v *vault) dress(t *testing.T, s *peer.Session, m peer.SDPMedia, line *peer.Line) {
	var all []string
	for _, a := range m.Attrs {
		if value, ok := strings.CutPrefix(a, "crypto:"); ok {
			all = append(all, value)
		}
	}
	v.offered = append(v.offered, all)
	for _, value := range all {
		f := strings.Fields(value)
		if f[1] != v.choose {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(f[2], "inline:"))
		if err != nil {
			t.Fatal(err)
		}
		n, _ := profiles[f[1]].KeyLen()
		ctx, err := pion.CreateContext(secret[:n], secret[n:], profiles[f[1]])
		if err != nil {
			t.Fatal(err)
		}
		stream := s.Streams[m.Label]
		if len(all) > 1 { // the first offer
			stream.Protect(nil, func(b []byte) []byte { out, _ := ctx.DecryptRTP(nil, b, nil); return out })
		}
		mine := make([]byte, len(secret))
		for i := range mine {
			mine[i] = byte(rand.Uint32())
		}
		line.Extra = []string{fmt.Sprintf("crypto:%s %s inline:%s", f[0], f[1], base64.StdEncoding.EncodeToString(mine))}
		if v.attr != nil {
			line.Extra = v.attr(f[0], f[1], base64.StdEncoding.EncodeToString(mine))
		}
	}
}

func sealed(mode src.SRTP, suites ...srtp.Suite) func(*setup) {
	return func(s *setup) {
		s.recorder.SRTP, s.recorder.Suites, s.recorder.SRTPOverPlain = mode, suites, true
	}
}

// Each m-line has keys of its own, the SRS chooses one, and hears each party; a re-INVITE keeps the key.
func TestSRTPToTheSRS(t *testing.T) {
	for suite := range profiles {
		t.Run(suite, func(t *testing.T) {
			v := newVault(t, suite)
			r := newRig(t, []string{v.URI("")}, sealed(src.SRTPRequired))
			c := r.newCall()
			c.talk()
			c.begin()
			s := v.Accept()
			hears(t, c, s)
			keys := map[string]bool{}
			for _, line := range v.offered {
				tags := map[string]bool{}
				for _, value := range line {
					f := strings.Fields(value)
					tags[f[0]], keys[f[2]] = true, true
				}
				if len(tags) != 3 {
					t.Errorf("tags of %d lines: %d", len(line), len(tags))
				}
			}
			if len(keys) != 6 {
				t.Errorf("%d keys on two m-lines with three suites", len(keys))
			}
			v.offered = nil
			c.change(func(cs *metadata.Snapshot) { cs.Streams[0].Caller.Sends, cs.Streams[0].Callee.Sends = false, true })
			s.Update()
			for _, line := range v.offered {
				if len(line) != 1 || !keys[strings.Fields(line[0])[2]] {
					t.Errorf("re-INVITE with other keys")
				}
			}
			c.change(func(cs *metadata.Snapshot) { cs.Streams[0].Caller.Sends, cs.Streams[0].Callee.Sends = true, true })
			s.Update()
			hears(t, c, s)
			for label, stream := range s.Streams {
				for _, p := range stream.Packets() {
					if p.Party == "" {
						t.Fatalf("label %s: a packet that its key does not open", label)
					}
				}
			}
			finish(t, c, s)
			for key := range keys {
				if strings.Contains(r.log.String(), strings.TrimPrefix(key, "inline:")) {
					t.Fatal("a key in the log")
				}
			}
		})
	}
}

// Answers that take no key, another one, or more than one are no answers; nothing is sent.
func TestSRTPAnswersThatAreRefused(t *testing.T) {
	const cm = "AES_CM_128_HMAC_SHA1_80"
	for name, v := range map[string]struct {
		attr  func(tag, suite, key string) []string
		proto string
	}{
		"no key":          {func(string, string, string) []string { return nil }, ""},
		"tag not offered": {func(_, suite, key string) []string { return []string{"crypto:77 " + suite + " inline:" + key} }, ""},
		"another suite": {func(tag, _, key string) []string {
			return []string{"crypto:" + tag + " AES_CM_128_HMAC_SHA1_32 inline:" + key}
		}, ""},
		"two": {func(tag, suite, key string) []string {
			return []string{"crypto:" + tag + " " + suite + " inline:" + key, "crypto:1 AEAD_AES_128_GCM inline:" + key}
		}, ""},
		"in clear":          {nil, "RTP/AVP"},
		"in clear, no key":  {func(string, string, string) []string { return nil }, "RTP/AVP"},
		"key of wrong size": {func(tag, suite, _ string) []string { return []string{"crypto:" + tag + " " + suite + " inline:AAAA"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newVault(t, cm)
			rec.attr, rec.proto = v.attr, v.proto
			r := newRig(t, []string{rec.URI("")}, sealed(src.SRTPRequired))
			c := r.newCall()
			c.talk()
			c.begin()
			s := rec.Accept()
			s.End()
			c.ended(src.Failed)
			c.end()
			for label, stream := range s.Streams {
				if n := len(stream.Packets()); n > 0 {
					t.Errorf("label %s: %d packets", label, n)
				}
			}
		})
	}
}

// optional: an SRS that refuses SRTP with 488 is asked again in clear, unless the call itself is encrypted.
func TestSRTPOptional(t *testing.T) {
	for _, test := range []struct {
		name          string
		secure, plain bool
		again         bool
	}{
		{"plain call", false, false, true},
		{"encrypted call", true, false, false},
		{"encrypted call, plain_copy", true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			rec := newSRS(t, "srs")
			r := newRig(t, []string{rec.URI("")}, sealed(src.SRTPOptional), func(s *setup) { s.recorder.PlainCopy = test.plain })
			c := r.newCall()
			c.cs.Streams[0].Secure, c.cs.Streams[0].Keyed = test.secure, test.secure
			c.talk()
			c.begin()
			in := rec.Expect("INVITE")
			for _, m := range peer.ParseSDP(in.Part("application/sdp")).Media {
				if m.Proto != "RTP/SAVP" || m.Attr("crypto") == "" {
					t.Errorf("first offer: %s, crypto %q", m.Proto, m.Attr("crypto"))
				}
			}
			in.Reply(488)
			in.ExpectOther("ACK")
			if !test.again {
				c.ended(src.Failed)
				c.end()
				return
			}
			s := rec.Accept()
			for _, m := range s.Offer().Media {
				if m.Proto != "RTP/AVP" || m.Attr("crypto") != "" {
					t.Errorf("second offer: %s, crypto %q", m.Proto, m.Attr("crypto"))
				}
			}
			hears(t, c, s)
			finish(t, c, s)
		})
	}
}

// Keys go over TLS only.
func TestSRTPKeysDoNotTravelInClear(t *testing.T) {
	for _, mode := range []src.SRTP{src.SRTPRequired, src.SRTPOptional} {
		t.Run(string(mode), func(t *testing.T) {
			rec := newSRS(t, "srs")
			r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.recorder.SRTP = mode })
			c := r.newCall()
			c.talk()
			c.begin()
			if mode == src.SRTPRequired {
				c.ended(src.Failed)
				c.end()
				return
			}
			s := rec.Accept()
			if slices.ContainsFunc(s.Offer().Media, func(m peer.SDPMedia) bool { return m.Attr("crypto") != "" }) {
				t.Error("a key was sent in clear")
			}
			hears(t, c, s)
			finish(t, c, s)
		})
	}
}

// A move gives the next SRS keys of its own, and loses nothing.
func TestSRTPMoves(t *testing.T) {
	one, two := newVault(t, "AEAD_AES_128_GCM"), newVault(t, "AES_CM_128_HMAC_SHA1_80")
	r := newRig(t, []string{one.URI(""), two.URI("")}, sealed(src.SRTPRequired))
	c := r.newCall()
	c.talk()
	c.begin()
	a := one.Accept()
	hears(t, c, a)
	a.Dialog.Send("BYE").Expect(200)
	b := two.Accept()
	hears(t, c, b)
	for i := range one.offered {
		if one.offered[i][0] == two.offered[i][0] {
			t.Error("the same key for two SRSs")
		}
	}
	finish(t, c, b)
}

// An SRS that offers anew within the session, with a key of its own, is answered under its tag with our key.
func TestSRTPOfferOfTheSRS(t *testing.T) {
	const suite = "AES_CM_128_HMAC_SHA1_80"
	v := newVault(t, suite)
	r := newRig(t, []string{v.URI("")}, sealed(src.SRTPRequired))
	c := r.newCall()
	c.talk()
	c.begin()
	s := v.Accept()
	hears(t, c, s)
	key := base64.StdEncoding.EncodeToString(make([]byte, 30))
	var lines []peer.Line
	for _, label := range []string{"1", "2"} {
		l := line(s, label)
		l.Proto = "RTP/SAVP"
		l.Extra = []string{"crypto:8 AES_CM_128_HMAC_SHA1_32 inline:" + key, "crypto:9 " + suite + " inline:" + key}
		lines = append(lines, l)
	}
	out := s.Dialog.Send("INVITE", peer.WithSDP(peer.BuildSDP(9, lines...)))
	ok := out.Expect(200)
	s.Dialog.Ack(ok)
	for i, m := range peer.ParseSDP(ok.Part("application/sdp")).Media {
		f := strings.Fields(m.Attr("crypto"))
		ours := slices.ContainsFunc(v.offered[i], func(value string) bool { return strings.HasSuffix(value, f[2]) })
		if m.Proto != "RTP/SAVP" || f[0] != "9" || f[1] != suite || !ours {
			t.Errorf("answered %s tag %s %s, our key %v", m.Proto, f[0], f[1], ours)
		}
	}
	hears(t, c, s)
	finish(t, c, s)
}
