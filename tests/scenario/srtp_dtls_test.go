package scenario_test

import (
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

const someFingerprint = "fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F"

// How the sides are asked and answered where keys may come by DTLS: certificates of ours, who begins, one port.
func TestDTLSInSDP(t *testing.T) {
	own := newSDES(t, 1, cm80)
	for _, c := range []struct {
		name, route    string
		proto          string // of the caller's offer
		lines          []string
		asked          string   // protocol that the callee is offered
		askedLines     []string // its attributes, by their beginnings
		answeredLines  []string // what the caller is answered
		calleeProto    string
		calleeAnswers  []string
		refusedWarning string
	}{
		{
			name: "passive to who leaves it to us", route: "srtp: {caller: required, callee: off, keying: dtls}",
			proto: "UDP/TLS/RTP/SAVPF", lines: []string{someFingerprint, "setup:actpass", "rtcp-mux"},
			asked: "RTP/AVP", askedLines: []string{"rtcp-mux"}, calleeProto: "RTP/AVP", answeredLines: []string{"fingerprint:sha-256 ", "setup:passive", "rtcp-mux"},
		},
		{
			name: "active to the passive", route: "srtp: {caller: required, callee: off, keying: either}",
			proto: "RTP/SAVP", lines: []string{someFingerprint, "setup:passive", "rtcp-mux"},
			asked: "RTP/AVP", askedLines: []string{"rtcp-mux"}, calleeProto: "RTP/AVP", answeredLines: []string{"fingerprint:sha-256 ", "setup:active", "rtcp-mux"},
		},
		{
			name: "keys in SDP where both are offered", route: "srtp: {caller: required, callee: off, keying: either}",
			proto: "RTP/SAVP", lines: []string{someFingerprint, "setup:actpass", own.attribute()},
			asked: "RTP/AVP", calleeProto: "RTP/AVP", answeredLines: []string{"crypto:1 " + cm80},
		},
		{
			name: "both are offered", route: "srtp: {caller: off, callee: required, keying: either}",
			proto: "RTP/AVP", asked: "RTP/SAVP", askedLines: []string{"fingerprint:sha-256 ", "setup:actpass", "rtcp-mux", "crypto:1 ", "crypto:2 "},
			calleeProto: "RTP/SAVP", calleeAnswers: []string{someFingerprint, "setup:active", "rtcp-mux"},
		},
		{
			name: "DTLS alone is offered", route: "srtp: {caller: off, callee: required, keying: dtls}",
			proto: "RTP/AVP", asked: "UDP/TLS/RTP/SAVP", askedLines: []string{"fingerprint:sha-256 ", "setup:actpass", "rtcp-mux"},
			calleeProto: "UDP/TLS/RTP/SAVP", calleeAnswers: []string{someFingerprint, "setup:active", "rtcp-mux"},
		},
		{
			name: "a hash that nobody knows", route: "srtp: {caller: required, callee: off, keying: dtls}",
			proto: "UDP/TLS/RTP/SAVP", lines: []string{"fingerprint:md5 AB:CD", "setup:actpass"}, refusedWarning: "fingerprint",
		},
		{
			name: "keys in SDP where DTLS is asked for", route: "srtp: {caller: required, callee: off, keying: dtls}",
			proto: "RTP/SAVP", lines: []string{own.attribute()}, refusedWarning: "fingerprint",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStage(t, setup{route: c.route, srs: -1, noPolicy: true})
			call := st.newCall(dialing{})
			call.out = st.caller.Invite(st.sys.SIP, peer.Call{
				URI: bobAOR, From: "<" + aliceAOR + ">",
				SDP: peer.BuildSDP(1, peer.Line{Media: call.a, Proto: c.proto, Extra: c.lines}),
			})
			if c.refusedWarning != "" {
				if w := call.out.Expect(488).Get("Warning"); !strings.Contains(w, c.refusedWarning) {
					t.Errorf("Warning: %s", w)
				}
				return
			}
			call.in = st.callee.Expect("INVITE")
			shows(t, "the callee is offered", peer.ParseSDP(call.in.Body).Media[0], c.asked, c.askedLines)
			call.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: call.b, Proto: c.calleeProto, Extra: c.calleeAnswers})))
			call.accepted(dialing{quiet: true})
			shows(t, "the caller is answered", peer.ParseSDP(call.ok.Body).Media[0], c.proto, c.answeredLines)
			call.hangUp()
		})
	}
}

// shows holds a section against its protocol and its attributes of keying: these, and no others.
func shows(t *testing.T, what string, m peer.SDPMedia, proto string, want []string) {
	t.Helper()
	if m.Proto != proto {
		t.Errorf("%s %s, want %s", what, m.Proto, proto)
	}
	n := 0
	for _, a := range m.Attrs {
		name, _, _ := strings.Cut(a, ":")
		if !slices.Contains([]string{"crypto", "fingerprint", "setup", "rtcp-mux"}, name) {
			continue
		}
		n++
		if a == someFingerprint || !slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(a, w) }) && name != "crypto" {
			t.Errorf("%s a=%s", what, a)
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(m.Attrs, func(a string) bool { return strings.HasPrefix(a, w) }) {
			t.Errorf("%s no a=%s among %q", what, w, m.Attrs)
		}
	}
	if len(want) == 0 && n > 0 {
		t.Errorf("%s keys: %q", what, m.Attrs)
	}
}
