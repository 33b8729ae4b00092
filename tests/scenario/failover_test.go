package scenario_test

import (
	"fmt"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// failure is one way in which the first SRS of a list does not take the session.
type failure struct {
	name string
	code int // the final code it counts as
	uri  string
	mute bool                 // the recorder's timeout ends it
	play func(*peer.Recorder) // what the first SRS does; nil: it never gets to hear anything
}

func failures(t *testing.T, params string) []failure {
	var all []failure
	for _, code := range []int{300, 302, 400, 401, 403, 404, 407, 408, 415, 420, 480, 486, 487, 488, 500, 503, 600} {
		all = append(all, failure{name: fmt.Sprint(code), code: code, play: func(srs *peer.Recorder) {
			in := srs.Expect("INVITE")
			in.Reply(100)
			opts := []peer.Opt{}
			switch code {
			case 401:
				opts = append(opts, peer.With("WWW-Authenticate", `Digest realm="srs", nonce="n"`))
			case 407:
				opts = append(opts, peer.With("Proxy-Authenticate", `Digest realm="srs", nonce="n"`))
			case 420:
				opts = append(opts, peer.With("Unsupported", "siprec"))
			case 300, 302:
				opts = append(opts, peer.With("Contact", "<sip:elsewhere@"+nowhereIP+":9>"))
			}
			in.Reply(code, opts...)
			in.ExpectOther("ACK")
		}})
	}
	return append(all,
		failure{name: "silence", code: 408, mute: true, play: func(srs *peer.Recorder) { srs.Expect("INVITE") }},
		failure{name: "180 then silence", code: 408, mute: true, play: func(srs *peer.Recorder) {
			in := srs.Expect("INVITE")
			in.Reply(180)
			// It is alive, so it is told that nobody waits any more.
			in.ExpectOther("CANCEL").Reply(200)
			in.Reply(487)
			in.ExpectOther("ACK")
		}},
		failure{name: "nobody there", code: 503, uri: "sip:" + deadPort(t) + params}, // ICMP over UDP, RST over TCP
		failure{name: "unresolvable", code: 503, uri: "sip:no-such-host.invalid:5060" + params},
	)
}

// deadPort is an address on which nobody listens.
func deadPort(t *testing.T) string {
	t.Helper()
	return freePort(t, nowhereIP)
}

// Each failure as the first of three SRSs, over UDP and TCP: without a matching skip code the second records, the third
// hears nothing; with one the call goes on unrecorded and nobody else is asked.
func TestFailoverTable(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		params := ";transport=" + network
		for _, f := range failures(t, params) {
			for _, end := range []string{"next", "skip"} {
				t.Run(network+"/"+f.name+"/"+end, func(t *testing.T) { testFailover(t, network, params, f, end == "skip") })
			}
		}
	}
}

func testFailover(t *testing.T, network, params string, f failure, skip bool) {
	// Who answers is to have time enough also on a machine that does ten things at once.
	s := setup{srs: 3, srsNets: []string{network}, srsParams: params, timeout: "10s", skip: "^7.."}
	if f.mute {
		s.timeout = "1s"
	}
	if skip {
		s.skip = fmt.Sprintf("^(%d|799)$", f.code)
	}
	s.t1 = shortT1
	st := newStageWith(t, s, func(st *stage, s *setup) {
		if f.uri == "" {
			return
		}
		s.srsURIs = f.uri
		for _, srs := range st.srss[1:] {
			s.srsURIs += ", " + srs.URI(params)
		}
	})
	c := st.establish(dialing{})
	if f.play != nil {
		f.play(st.srss[0])
	}
	if skip {
		c.heard(10)
		st.notRecorded(c)
		c.quiet()
		c.hangUp()
		return
	}
	rs := st.srss[1].Accept()
	c.recorded(rs, 10)
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
	st.wantAttempts(f.code, 200)
}

// notRecorded waits until the recording has ended in the API's eyes, then hears from finish that no SRS was asked.
func (st *stage) notRecorded(c *call) {
	st.t.Helper()
	if !peer.Eventually(func() bool {
		all := st.sys.recordings()
		return len(all) == 1 && all[0].str("state") == "ended"
	}) {
		st.t.Errorf("the recording has not ended: %v", st.sys.recordings())
	}
	if !peer.Eventually(func() bool { return st.sys.sum("sidetrack_recordings_total", `result="skipped"`) == 1 }) {
		st.t.Error("the recording is not counted as skipped")
	}
}

// wantAttempts compares the attempts of the only recording with what should have been counted.
func (st *stage) wantAttempts(codes ...int) {
	st.t.Helper()
	all := st.sys.recordings()
	if len(all) != 1 {
		st.t.Errorf("recordings %v", all)
		return
	}
	var got []int
	attempts, _ := all[0]["attempts"].([]any)
	for _, a := range attempts {
		code, _ := a.(map[string]any)["code"].(float64)
		got = append(got, int(code))
	}
	if fmt.Sprint(got) != fmt.Sprint(codes) {
		st.t.Errorf("attempts %v, wanted %v", got, codes)
	}
}

// Two of three SRSs are dead, each in its own way: the third records.
func TestTwoDeadTheThirdRecords(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			params := ";transport=" + network
			st := newStageWith(t, setup{srs: 3, srsNets: []string{network}, timeout: "10s"}, func(st *stage, s *setup) {
				s.srsURIs = strings.Join([]string{
					"sip:" + deadPort(t) + params, "sip:no-such-host.invalid:5060" + params, st.srss[2].URI(params),
				}, ", ")
			})
			c := st.establish(dialing{})
			rs := st.srss[2].Accept()
			c.recorded(rs, 10)
			c.quiet()
			c.hangUp()
			rs.End()
			c.judge(rs)
		})
	}
}

// All SRSs fail: the call is an ordinary one, the recording is counted as failed.
func TestAllRecordersFail(t *testing.T) {
	st := newStage(t, setup{srs: 2, timeout: "10s", recorder: "    retry: false\n"})
	c := st.establish(dialing{})
	st.noneTakes()
	c.heard(10)
	c.quiet()
	if !peer.Eventually(func() bool { return len(st.sys.live()) == 0 }) {
		t.Errorf("still live: %v", st.sys.live())
	}
	c.hangUp()
	st.wantAttempts(503, 503)
}

func (st *stage) noneTakes() {
	st.t.Helper()
	for _, srs := range st.srss {
		refuses(srs, 503)
	}
}

func refuses(srs *peer.Recorder, code int) {
	in := srs.Expect("INVITE")
	in.Reply(code)
	in.ExpectOther("ACK")
}

// All SRSs fail, and one comes up while the call lasts: it has the call from the beginning.
func TestARecorderComesUpDuringTheCall(t *testing.T) {
	st := newStage(t, setup{srs: 2, timeout: "10s"})
	c := st.establish(dialing{})
	st.noneTakes()
	c.heard(10)
	refuses(st.srss[0], 500)
	rs := st.srss[1].Accept()
	c.recorded(rs, 60)
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
	st.wantAttempts(503, 503, 500, 200)
}

// Identifiers stay over a failover; the dialog and the SDP's version are new (RFC 7866 §7.1).
func TestFailoverKeepsIdentifiers(t *testing.T) {
	st := newStage(t, setup{srs: 2})
	c := st.establish(dialing{})
	first := st.srss[0].Expect("INVITE")
	first.Reply(503)
	first.ExpectOther("ACK")
	_, doc, _ := peer.Problems(first.Message)
	rs := st.srss[1].Accept()
	if got := rs.Docs[0].Sessions[0].ID; got != doc.Sessions[0].ID {
		t.Errorf("session %s became %s", doc.Sessions[0].ID, got)
	}
	for i, s := range doc.Streams {
		if rs.Docs[0].Streams[i].ID != s.ID {
			t.Errorf("stream %s became %s", s.ID, rs.Docs[0].Streams[i].ID)
		}
	}
	if rs.Invite.CallID() == first.CallID() {
		t.Error("the second SRS has the first one's Call-ID")
	}
	c.hangUp()
	rs.End()
}

// An SRS that takes UDP only gets its INVITE of several kilobytes as one datagram, at once: TCP is refused.
func TestLargeInviteToAUDPOnlyRecorder(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	if rs.Invite.Network() != "udp" || len(rs.Invite.Raw) < 1300 {
		t.Errorf("%d bytes over %s", len(rs.Invite.Raw), rs.Invite.Network())
	}
	c.recorded(rs, 5)
	c.hangUp()
	rs.End()
}

// One that takes both gets it over TCP (RFC 3261 §18.1.1).
func TestLargeInviteTakesTCPWhereItCan(t *testing.T) {
	st := newStage(t, setup{})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	if rs.Invite.Network() != "tcp" {
		t.Errorf("%d bytes over %s", len(rs.Invite.Raw), rs.Invite.Network())
	}
	c.recorded(rs, 5)
	c.hangUp()
	rs.End()
}
