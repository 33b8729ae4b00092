//go:build interop

package interop_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Phones of baresip with its own SRTP, among each other and with one that has none: SRTP ends at sidetrack. Each hears
// the other, the recording holds both.
func TestBaresipSRTP(t *testing.T) {
	root(t)
	need(t, "baresip", "ip")
	namespace := newNamespace(t)
	to := func(name string, port int, srtp string) string {
		return fmt.Sprintf("  - {name: to %s, match: {request_uri: %s}, to: \"sip:%s:%d\", srtp: {%s}}\n", name, name, inside, port, srtp)
	}
	s := newSiteOf(t, namespace, inside, siteKeys{
		recorder: ", plain_copy: true",
		routes: to("plain", 6071, "caller: required, callee: off") + to("first", 6081, "caller: optional, callee: required") +
			to("second", 6091, "caller: required, callee: required"),
	})
	phones := map[string]*phone{}
	for i, p := range []struct{ name, mediaenc string }{{"plain", ""}, {"first", ";mediaenc=srtp-mand"}, {"second", ";mediaenc=srtp-mand"}} {
		port := 6071 + 10*i
		phones[p.name] = newPhoneAs(t, namespace, p.name, port, hertz[p.name], fmt.Sprintf("<sip:%s@%s:%d>;regint=0%s", p.name, inside, port, p.mediaenc))
	}
	for i, c := range []struct{ caller, callee string }{{"plain", "first"}, {"first", "plain"}, {"first", "second"}} {
		t.Run(c.caller+" calls "+c.callee, func(t *testing.T) { talk(t, s, phones[c.caller], phones[c.callee], i+1, "srtp-replay", "srtp-key") })
	}
}

var hertz = map[string]float64{"plain": 440, "first": 1000, "second": 1700}

// talk has one call the other for the n-th call of the site, and judges what everybody heard. Packets are never dropped
// for those reasons; until a DTLS handshake has come to its end some are, for want of keys.
func talk(t *testing.T, s *site, caller, callee *phone, n int, never ...string) {
	before, established := s.copies(), [2]int{caller.times("CALL_ESTABLISHED"), callee.times("CALL_ESTABLISHED")}
	caller.command("dial", fmt.Sprintf("sip:%s@%s:%d", callee.name, inside, proxyPort))
	caller.event("CALL_ESTABLISHED", established[0]+1)
	callee.event("CALL_ESTABLISHED", established[1]+1)
	s.awaitCopies(before + 150)
	caller.command("hangup", "")
	caller.event("CALL_CLOSED", established[0]+1)
	callee.event("CALL_CLOSED", established[1]+1)

	var r recording
	for _, all := range s.awaitRecordings(n) {
		if strings.Contains(all.Parties[0].AOR+all.Parties[1].AOR, caller.name) && strings.Contains(all.Parties[0].AOR+all.Parties[1].AOR, callee.name) {
			r = all
		}
	}
	if !r.Complete || len(r.Problems) > 0 || len(r.Streams) != 2 {
		t.Errorf("recording %+v", r)
	}
	for _, stream := range r.Streams {
		own, other := hertz[caller.name], hertz[callee.name]
		if stream.Label == "2" {
			own, other = other, own
		}
		samples, rate := wave(t, filepath.Join(r.dir, filepath.Base(stream.File)))
		if mine, foreign := heard(samples, rate, own), heard(samples, rate, other); mine < 0.8 || foreign > 0 {
			t.Errorf("label %s: own tone %.1f s, other %.1f s of %.1f", stream.Label, mine, foreign, stream.Seconds)
		}
	}
	caller.hears(hertz[callee.name])
	callee.hears(hertz[caller.name])
	for _, reason := range never {
		if dropped := s.sum("sidetrack_rtp_dropped_packets_total", `reason="`+reason+`"`); dropped > 0 {
			t.Errorf("%v packets dropped: %s", dropped, reason)
		}
	}
	// baresip opens pinholes with an RTCP packet in clear (APP, PINGPONG), one a leg.
	if dropped := s.sum("sidetrack_rtp_dropped_packets_total", `reason="srtp-auth"`); dropped > float64(2*n) {
		t.Errorf("%v packets are not authentic", dropped)
	}
}

// Phones that agree on their keys by DTLS, with one that has none and with one that has keys in its SDP.
func TestBaresipDTLS(t *testing.T) {
	root(t)
	need(t, "baresip", "ip")
	namespace := newNamespace(t)
	to := func(name string, port int, srtp string) string {
		return fmt.Sprintf("  - {name: to %s, match: {request_uri: %s}, to: \"sip:%s:%d\", srtp: {%s}}\n", name, name, inside, port, srtp)
	}
	s := newSiteOf(t, namespace, inside, siteKeys{
		recorder: ", plain_copy: true",
		routes: to("plain", 6071, "caller: required, callee: off, keying: either") +
			to("first", 6081, "caller: optional, callee: required, keying: dtls") +
			to("second", 6091, "caller: required, callee: required, keying: either"),
	})
	phones := map[string]*phone{}
	for i, p := range []struct{ name, mediaenc string }{{"plain", ""}, {"first", ";mediaenc=dtls_srtp"}, {"second", ";mediaenc=srtp-mand"}} {
		port := 6071 + 10*i
		phones[p.name] = newPhoneAs(t, namespace, p.name, port, hertz[p.name], fmt.Sprintf("<sip:%s@%s:%d>;regint=0%s", p.name, inside, port, p.mediaenc))
	}
	for i, c := range []struct{ caller, callee string }{{"plain", "first"}, {"first", "plain"}, {"first", "second"}} {
		t.Run(c.caller+" calls "+c.callee, func(t *testing.T) { talk(t, s, phones[c.caller], phones[c.callee], i+1, "srtp-replay") })
	}
}

// times is how often an event has come.
func (p *phone) times(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events[name]
}
