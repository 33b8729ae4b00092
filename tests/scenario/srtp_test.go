package scenario_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pion/srtp/v3"

	"sidetrack/tests/peer"
)

// sdes is what one party of an encrypted call protects its packets with.
type sdes struct {
	t       *testing.T
	tag     int
	suite   string
	profile srtp.ProtectionProfile
	key     []byte
	salt    []byte
	mki     []byte                                        // nil: none
	by      func(k *sdes, way string) func([]byte) []byte // who seals and opens with it; nil: pion
}

func newSDES(t *testing.T, tag int, suite string) *sdes {
	t.Helper()
	k := &sdes{t: t, tag: tag, suite: suite, profile: map[string]srtp.ProtectionProfile{
		"AES_CM_128_HMAC_SHA1_80": srtp.ProtectionProfileAes128CmHmacSha1_80,
		"AEAD_AES_256_GCM":        srtp.ProtectionProfileAeadAes256Gcm,
	}[suite]}
	key, _ := k.profile.KeyLen()
	salt, _ := k.profile.SaltLen()
	for range key {
		k.key = append(k.key, byte(rand.Uint32()))
	}
	for range salt {
		k.salt = append(k.salt, byte(rand.Uint32()))
	}
	return k
}

func (k *sdes) secret() string {
	return base64.StdEncoding.EncodeToString(append(append([]byte{}, k.key...), k.salt...))
}

func (k *sdes) attribute() string {
	return fmt.Sprintf("crypto:%d %s inline:%s|2^31", k.tag, k.suite, k.secret())
}

func (k *sdes) context() *srtp.Context {
	k.t.Helper()
	var options []srtp.ContextOption
	if k.mki != nil {
		options = append(options, srtp.MasterKeyIndicator(k.mki))
	}
	c, err := srtp.CreateContext(k.key, k.salt, k.profile, options...)
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

func (k *sdes) seal() func([]byte) []byte {
	if k.by != nil {
		return k.by(k, "seal")
	}
	c := k.context()
	return func(b []byte) []byte {
		out, err := c.EncryptRTP(nil, b, nil)
		if err != nil {
			panic(err)
		}
		return out
	}
}

func (k *sdes) open() func([]byte) []byte {
	if k.by != nil {
		return k.by(k, "open")
	}
	c := k.context()
	return func(b []byte) []byte {
		out, err := c.DecryptRTP(nil, b, nil)
		if err != nil {
			return nil
		}
		return out
	}
}

// secureCall makes an answered call whose parties encrypt, each with its own key.
func secureCall(st *stage, suite string) (c *call, a, b *sdes) {
	st.t.Helper()
	a, b = newSDES(st.t, 2, suite), newSDES(st.t, 2, suite)
	c = st.newCall(dialing{})
	c.a.Protect(a.seal(), b.open())
	c.b.Protect(b.seal(), a.open())
	other := newSDES(st.t, 1, "AES_CM_128_HMAC_SHA1_80")
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{
		URI: bobAOR, From: "<" + aliceAOR + ">",
		SDP: peer.BuildSDP(1, peer.Line{Media: c.a, Proto: "RTP/SAVP", Extra: []string{other.attribute(), a.attribute()}}),
	})
	c.in = st.callee.Expect("INVITE")
	answer := peer.BuildSDP(1, peer.Line{Media: c.b, Proto: "RTP/SAVP", Extra: []string{b.attribute()}})
	c.in.Reply(200, peer.WithSDP(answer))
	c.accepted(dialing{})
	return c, a, b
}

// An encrypted call passes as it is; with plain_copy the SRS hears each party in clear, also after a new key.
func TestSRTPIsRecordedInClear(t *testing.T) {
	for _, suite := range []string{"AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"} {
		t.Run(suite, func(t *testing.T) {
			st := newStage(t, setup{recorder: "    plain_copy: true"})
			c, a, b := secureCall(st, suite)
			rs := st.srs().Accept()
			for _, line := range rs.Offer().Media {
				if line.Proto != "RTP/AVP" || line.Attr("crypto") != "" {
					t.Errorf("offered %s, crypto %q", line.Proto, line.Attr("crypto"))
				}
			}
			c.recorded(rs, 20)
			c.heard(20)
			c.quiet()
			next := newSDES(t, 1, suite)
			c.a.Protect(next.seal(), b.open())
			c.b.Protect(b.seal(), next.open())
			out := c.left.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, peer.Line{
				Media: c.a, Proto: "RTP/SAVP", Extra: []string{next.attribute()},
			})))
			in := c.right.Expect("INVITE")
			b.tag = 1
			in.Reply(200, peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: c.b, Proto: "RTP/SAVP", Extra: []string{b.attribute()}})))
			c.left.Ack(out.Expect(200))
			c.right.Expect("ACK")
			c.a.Talk(c.aTo.rtp)
			c.b.Talk(c.bTo.rtp)
			c.recorded(rs, 20)
			c.quiet()
			for label, from := range map[string]*peer.Media{"1": c.a, "2": c.b} {
				gapless(t, rs.Streams[label], rs.Streams[label].Packets()[0].Number, from.Sent())
			}
			c.hangUp()
			rs.End()
			c.judge(rs)
			st.hides(a, b, next)
		})
	}
}

// hides fails when a key shows where it has nothing to look for.
func (st *stage) hides(keys ...*sdes) {
	st.t.Helper()
	texts := map[string]string{"the log": st.sys.logged.tail(1 << 20), "the API": fmt.Sprint(st.sys.recordings())}
	for where, text := range texts {
		for _, k := range keys {
			if strings.Contains(text, k.secret()[:20]) {
				st.t.Errorf("a key shows in %s", where)
			}
		}
	}
}

// Without plain_copy nothing of an encrypted call leaves in clear, and the recording says why.
func TestSRTPIsRefusedByDefault(t *testing.T) {
	st := newStage(t, setup{})
	c, _, _ := secureCall(st, "AES_CM_128_HMAC_SHA1_80")
	c.heard(10)
	c.quiet()
	if r := st.result("refused"); !strings.Contains(r.str("reason"), "plain_copy") {
		t.Errorf("recording %v", r)
	}
	c.hangUp()
}

// takesSRTP has the SRS take SRTP with that suite: its sockets open what the keys of the offer seal.
func takesSRTP(t *testing.T, rec *peer.Recorder, suite string) {
	rec.Dress = func(s *peer.Session, m peer.SDPMedia, line *peer.Line) {
		line.Proto = m.Proto
		for _, a := range m.Attrs {
			f := strings.Fields(strings.TrimPrefix(a, "crypto:"))
			if !strings.HasPrefix(a, "crypto:") || f[1] != suite {
				continue
			}
			theirs, mine := newSDES(t, 0, suite), newSDES(t, 0, suite)
			secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(f[2], "inline:"))
			if err != nil {
				t.Error(err)
				return
			}
			theirs.key, theirs.salt = secret[:len(theirs.key)], secret[len(theirs.key):]
			if len(s.Offers) == 1 {
				s.Streams[m.Label].Protect(nil, theirs.open())
			}
			line.Extra = []string{fmt.Sprintf("crypto:%s %s inline:%s", f[0], suite, mine.secret())}
		}
	}
}

// With srtp the copies leave under keys of their own, whatever the call does; nothing of them is in clear.
func TestSRTPTowardsTheSRS(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("call encrypted %v", secure), func(t *testing.T) {
			st := newStage(t, setup{recorder: "    srtp: required\n    srtp_over_plain: true"})
			takesSRTP(t, st.srs(), "AES_CM_128_HMAC_SHA1_80")
			var c *call
			var keys []*sdes
			if secure {
				var a, b *sdes
				c, a, b = secureCall(st, "AES_CM_128_HMAC_SHA1_80")
				keys = append(keys, a, b)
			} else {
				c = st.establish(dialing{})
			}
			rs := st.srs().Accept()
			for _, line := range rs.Offer().Media {
				if line.Proto != "RTP/SAVP" || line.Attr("crypto") == "" {
					t.Errorf("offered %s, crypto %v", line.Proto, line.Attr("crypto") != "")
				}
				for _, k := range keys {
					if strings.Contains(line.Attr("crypto"), k.secret()) {
						t.Error("the call's key goes to the SRS")
					}
				}
			}
			c.recorded(rs, 20)
			c.quiet()
			for label, from := range map[string]*peer.Media{"1": c.a, "2": c.b} {
				gapless(t, rs.Streams[label], rs.Streams[label].Packets()[0].Number, from.Sent())
				for _, p := range rs.Streams[label].Packets() {
					if p.Party == "" {
						t.Fatalf("label %s: a packet that its key does not open", label)
					}
				}
			}
			c.hangUp()
			rs.End()
			st.hides(keys...)
		})
	}
}
