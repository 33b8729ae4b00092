package scenario_test

import (
	"fmt"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// What cannot be had is refused before anybody rings, with a word on why.
func TestEndedSRTPRefusesOffers(t *testing.T) {
	k := newSDES(t, 1, cm80)
	for _, c := range []struct {
		name, route, proto string
		lines              []string
		why                string
	}{
		{"RTP where SRTP is required", route("required", "off"), "RTP/AVP", nil, "required"},
		{"SRTP where it is off", route("off", "optional"), "RTP/SAVP", []string{k.attribute()}, "off towards the caller"},
		{"no key", route("optional", "off"), "RTP/SAVP", nil, "no a=crypto"},
		{"unknown suite", route("optional", "off"), "RTP/SAVP", []string{"crypto:1 F8_128_HMAC_SHA1_80 inline:" + k.secret()}, "unknown suite"},
		{"suite not wanted", "srtp: {suites: [AEAD_AES_256_GCM]}", "RTP/SAVP", []string{k.attribute()}, "suite"},
		{"no encryption", route("required", "off"), "RTP/SAVP", []string{k.attribute() + " UNENCRYPTED_SRTP"}, "session parameter"},
		{"RTCP in clear", route("required", "off"), "RTP/SAVP", []string{k.attribute() + " UNENCRYPTED_SRTCP"}, "taken"},
		{"key derivation rate", route("required", "off"), "RTP/SAVP", []string{k.attribute() + " KDR=3"}, "session parameter"},
		{"lifetime", route("required", "off"), "RTP/SAVP", []string{"crypto:1 " + cm80 + " inline:" + k.secret() + "|2^60"}, "lifetime"},
		{"DTLS", route("required", "off"), "UDP/TLS/RTP/SAVP", []string{"fingerprint:sha-256 AB:CD", "setup:actpass"}, "DTLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStage(t, setup{route: c.route, srs: -1, noPolicy: true})
			media := peer.NewMedia(t, callerIP, "call", "alice")
			out := st.caller.Invite(st.sys.SIP, peer.Call{
				URI: bobAOR, From: "<" + aliceAOR + ">",
				SDP: peer.BuildSDP(1, peer.Line{Media: media, Proto: c.proto, Extra: c.lines}),
			})
			resp := out.Expect(488)
			if warning := resp.Get("Warning"); !strings.Contains(warning, c.why) || strings.Contains(warning, k.secret()[:8]) {
				t.Errorf("Warning: %s", warning)
			}
			st.hides(k)
		})
	}
}

// Of several lines and of several keys the right one is chosen.
func TestEndedSRTPChoosesAmongKeys(t *testing.T) {
	st := newStage(t, setup{route: "srtp: {callee: off, suites: [AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80]}", srs: -1, noPolicy: true})
	c := st.newCall(dialing{})
	cm, gcm, second := newSDES(t, 1, cm80), newSDES(t, 2, gcm256), newSDES(t, 2, gcm256)
	offer := peer.BuildSDP(1, peer.Line{Media: c.a, Proto: "RTP/SAVP", Extra: []string{
		cm.attribute(), fmt.Sprintf("crypto:2 %s inline:%s|2^31|1:2;inline:%s|2^31|2:2", gcm256, gcm.secret(), second.secret()),
	}})
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: offer})
	c.in = st.callee.Expect("INVITE")
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	c.accepted(dialing{quiet: true})
	theirs := keyOf(t, peer.ParseSDP(c.ok.Body).Media[0], gcm256)
	if theirs.tag != 2 {
		t.Errorf("tag %d", theirs.tag)
	}
	second.mki = []byte{0, 2}
	st.secured(c.a, second, theirs)
	c.talk()
	c.heard(10)
	c.quiet()
	c.hangUp()
}

// A callee that answers SRTP in clear, or with a key that was not offered, loses the call; nothing went to it.
func TestEndedSRTPIsNeverAnsweredInClear(t *testing.T) {
	for _, c := range []struct {
		name, proto string
		line        func(asked peer.SDPMedia) []string
	}{
		{"in clear", "RTP/AVP", func(peer.SDPMedia) []string { return nil }},
		{"without a key", "RTP/SAVP", func(peer.SDPMedia) []string { return nil }},
		{"with another tag", "RTP/SAVP", func(peer.SDPMedia) []string { return []string{newSDES(t, 9, cm80).attribute()} }},
		{"with another suite", "RTP/SAVP", func(m peer.SDPMedia) []string {
			return []string{newSDES(t, keyOf(t, m, gcm256).tag, cm80).attribute()}
		}},
		{"with two keys", "RTP/SAVP", func(m peer.SDPMedia) []string {
			return []string{newSDES(t, keyOf(t, m, gcm256).tag, gcm256).attribute(), newSDES(t, keyOf(t, m, cm80).tag, cm80).attribute()}
		}},
	} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s early %v", c.name, early), func(t *testing.T) {
				st := newStage(t, setup{route: route("off", "required"), srs: -1, noPolicy: true})
				call := st.invite(dialing{})
				asked := peer.ParseSDP(call.in.Body).Media[0]
				bad := peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: call.b, Proto: c.proto, Extra: c.line(asked)}))
				to := firstMedia(st.t, call.in.Message) // as ours towards A has the same address, its port is found by trying
				if early {
					call.in.Reply(183, bad)
					if progress := call.out.Expect(183); len(progress.Body) > 0 {
						t.Errorf("the caller is shown %s", progress.Body)
					}
				}
				for port := uint16(22000); port < 22040; port += 2 {
					call.a.Send(addrPort(fmt.Sprintf("%s:%d", to.rtp.Addr(), port)))
				}
				call.in.Reply(200, bad)
				resp := call.out.Expect(488)
				if !strings.Contains(resp.Get("Reason"), "cause=488") {
					t.Errorf("Reason: %s", resp.Get("Reason"))
				}
				call.right = call.in.Dialog()
				call.right.Expect("ACK")
				call.right.AnswerBye()
				if got := call.b.Packets(); len(got) > 0 {
					t.Errorf("the callee got %d packets", len(got))
				}
			})
		}
	}
}
