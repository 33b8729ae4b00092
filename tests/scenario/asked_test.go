package scenario_test

import (
	"crypto/md5"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// askers lets the SRSs of a stage ask for recordings.
func askers(more string) string {
	return "    accept: {from: [127.0.0.0/8]" + more + "}\n"
}

// An SRS asks for a running call: it gets both voices and the metadata, follows hold and resume, is paused and
// resumed over the API, and hangs up; the call does not notice. API, journal and metrics tell who began it.
func TestAnSRSAsksForACall(t *testing.T) {
	st, _ := journaled(t, setup{noPolicy: true, recorder: askers("")})
	c := st.establish(dialing{})
	rs := st.srs().Asked(st.srs().Ask(st.sys.SIP, "sip:alice@"+st.sys.SIP.String()))
	if !slices.Equal(rs.Directions(), []string{"sendonly", "sendonly"}) || !slices.Equal(rs.Labels, []string{"1", "2"}) {
		t.Errorf("offered %v %v", rs.Directions(), rs.Labels)
	}
	if rs.Doc().DataMode != "complete" || rs.Doc().Sender("1") != aliceAOR || rs.Doc().Sender("2") != bobAOR {
		t.Errorf("metadata %+v", rs.Doc())
	}
	c.recorded(rs, 10)
	view := st.sys.recordings()[0]
	if view.str("initiator") != "srs" || view.str("name") != "main" || view.str("srs") != st.srs().URI("") || view.str("state") != "recording" {
		t.Errorf("the API shows %v", view)
	}
	path := "/api/v1/recordings/" + view.str("id")
	paused := post(st, path+"/pause", 200)
	rs.Update()
	<-paused
	if !slices.Equal(rs.Directions(), []string{"inactive", "inactive"}) {
		t.Errorf("paused, and offered %v", rs.Directions())
	}
	resumed := post(st, path+"/resume", 200)
	rs.Update()
	<-resumed
	c.recorded(rs, 10)
	<-post(st, path+"/move", 409) // there is no other that has asked
	hold(c, rs)
	rs.Dialog.Bye()
	if v := st.result("partial"); v.str("reason") != "ended by the SRS" {
		t.Errorf("ended as %v", v)
	}
	c.heard(5)
	c.hangUp()
	if v := st.verdicts("?result=partial", 1)[0]; v.Initiator != "srs" || v.Rule != "" || len(v.Attempts) != 1 || v.Attempts[0].Code != 200 {
		t.Errorf("the journal has %+v", v)
	}
	if n := st.sys.metric(`sidetrack_recordings_asked_total{code="200"}`); n != 1 {
		t.Errorf("asked and answered with 200: %v", n)
	}
}

// hold puts the call on hold and back; the SRS is told each time.
func hold(c *call, rs *peer.Session) {
	c.st.t.Helper()
	for _, direction := range []string{"inactive", "sendrecv"} {
		line := peer.Line{Direction: direction}
		c.apply(change{method: "INVITE", offer: line, answer: line})
		rs.Update()
	}
}

// An SRS that has asked dies: the recording ends, the verdict says why it goes on nowhere, and the other SRS of the list is
// left alone.
func TestAnSRSThatAskedDies(t *testing.T) {
	st := newStage(t, setup{srs: 2, srsNets: []string{"udp"}, noPolicy: true, recorder: askers("")})
	c := st.establish(dialing{})
	rs := st.srs().Asked(st.srs().Ask(st.sys.SIP, "sip:bob@"+st.sys.SIP.String()))
	c.recorded(rs, 5)
	for _, s := range rs.Streams {
		s.Close()
	}
	st.srs().Close()
	if v := st.result("partial"); !strings.Contains(v.str("reason"), "had asked for it and can ask again") {
		t.Errorf("ended as %v", v)
	}
	if in := st.srss[1].Maybe("INVITE", 0); in != nil {
		t.Errorf("the other SRS got %s", in.Start)
	}
	c.heard(5)
	c.quiet()
	c.hangUp()
}

// The call ends: BYE to the SRS that has asked.
func TestACallThatAnSRSAskedForEnds(t *testing.T) {
	st := newStage(t, setup{noPolicy: true, recorder: askers("")})
	c := st.establish(dialing{})
	rs := st.srs().Asked(st.srs().Ask(st.sys.SIP, "sip:bob@"+st.sys.SIP.String()))
	c.recorded(rs, 5)
	c.over(rs)
	st.result("complete")
}

// Every way to name a call, and the answers to who names none, none that is there, or several.
func TestWhichCallAnSRSAsksFor(t *testing.T) {
	const session = "ab30317f1a784dc48ff824d0d3715d86"
	st := newStage(t, setup{noPolicy: true, recorder: askers("")})
	c := st.establish(dialing{opts: []peer.Opt{peer.With("Session-ID", session+";remote="+strings.Repeat("0", 32))}})
	other := st.establish(dialing{from: "<sip:carol@caller.test>"})
	sip, id := c.ok.CallID(), ""
	for _, v := range st.sys.list("/api/v1/calls") {
		if v.str("sip_call_id") == sip {
			id = v.str("id")
		}
	}
	us := st.sys.SIP.String()
	escaped := strings.ReplaceAll(sip, "@", "%40")
	tags := fmt.Sprintf("%s;to-tag=%s;from-tag=%s", sip, c.ok.ToTag(), c.ok.FromTag())
	for _, tt := range []struct {
		name, uri string
		opts      []peer.Opt
		status    int
	}{
		{"our id", "sip:" + id + "@" + us, nil, 200},
		{"Call-ID as user", "sip:" + escaped + "@" + us, nil, 200},
		{"Call-ID as parameter", "sip:" + us + ";call-id=" + escaped, nil, 200},
		{"Session-ID as parameter", "sip:" + us + ";session-id=" + session, nil, 200},
		{"Session-ID as header", "sip:" + us, []peer.Opt{peer.With("Session-ID", strings.Repeat("1", 32)+";remote="+session)}, 200},
		{"a party", "sip:alice@" + us, nil, 200},
		{"a party and its host", "sip:alice%40caller.test@" + us, nil, 200},
		{"Join", "sip:" + us, []peer.Opt{peer.With("Join", tags)}, 200},
		{"Join, other tags", "sip:" + us, []peer.Opt{peer.With("Join", sip+";to-tag=1;from-tag=2")}, 481},
		{"Join, no such call", "sip:" + us, []peer.Opt{peer.With("Join", "none@nowhere;to-tag=1;from-tag=2")}, 481},
		{"nothing", "sip:" + us, nil, 404},
		{"nobody", "sip:dave@" + us, nil, 404},
		{"two calls", "sip:bob@" + us, nil, 485},
		{"no such Call-ID", "sip:" + us + ";call-id=none", nil, 404},
	} {
		out := st.srs().Ask(st.sys.SIP, tt.uri, tt.opts...)
		if tt.status != 200 {
			if got := out.ExpectFinal(); got.Status() != tt.status || got.Get("Warning") == "" {
				t.Errorf("%s: answered %s, Warning %q", tt.name, got.Start, got.Get("Warning"))
			}
			continue
		}
		rs := st.srs().Asked(out)
		if got := rs.Doc().Sender("1"); got != aliceAOR {
			t.Errorf("%s: a recording of %s", tt.name, got)
		}
		rs.Dialog.Bye()
	}
	c.hangUp()
	other.hangUp()
}

// Who may not ask, what may not be asked, and what is wrong with the INVITE.
func TestWhatAnSRSMayNotAsk(t *testing.T) {
	for _, tt := range []struct {
		name, accept string
		opts         []peer.Opt
		status       int
	}{
		{"another address", "accept: {from: [198.51.100.0/24]}", nil, 403},
		{"another call", "accept: {from: [127.0.0.0/8], match: {to: carol}}", nil, 403},
		{"this call", "accept: {from: [127.0.0.0/8], match: {to: bob}}", nil, 200},
		{"nobody may", "", nil, 420},
		{"an offer", "accept: {from: [127.0.0.0/8]}", []peer.Opt{peer.WithSDP([]byte("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"))}, 488},
		{"takes no SDP", "accept: {from: [127.0.0.0/8]}", []peer.Opt{peer.With("Accept", "text/plain")}, 406},
		{"unknown extension", "accept: {from: [127.0.0.0/8]}", []peer.Opt{peer.With("Require", "siprec, magic")}, 420},
		{"no password", "accept: {auth: {user: srs, password: secret}}", nil, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := newStage(t, setup{noPolicy: true, recorder: "    " + tt.accept + "\n", t1: shortT1})
			c := st.establish(dialing{quiet: true})
			out := st.srs().Ask(st.sys.SIP, "sip:alice@"+st.sys.SIP.String(), tt.opts...)
			if tt.status == 200 {
				st.srs().Asked(out).Dialog.Bye()
			} else if got := out.ExpectFinal(); got.Status() != tt.status || tt.status == 401 && len(got.All("WWW-Authenticate")) != 2 {
				t.Errorf("answered %s", got.Start)
			}
			c.hangUp()
		})
	}
}

// Two SRSs of their own accord beside the one of the rule: three recordings with names of their own, each ends for
// itself; more streams than a call may have are refused.
func TestSRSsAskBesideTheRule(t *testing.T) {
	st := newStageWith(t, setup{srs: 3, recorder: askers("")}, func(st *stage, s *setup) {
		s.srsURIs = st.srss[0].URI("")
		s.recorder += fmt.Sprintf("  qa:\n    srs: %q\n    accept: {from: [127.0.0.0/8], tracks: caller}\n", st.srss[2].URI(""))
	})
	c := st.establish(dialing{})
	first := st.srss[0].Accept()
	c.recorded(first, 5)
	us := "sip:alice@" + st.sys.SIP.String()
	second := st.srss[1].Asked(st.srss[1].Ask(st.sys.SIP, us))
	c.recorded(second, 5)
	if got := st.srss[2].Ask(st.sys.SIP, us).ExpectFinal(); got.Status() != 486 {
		t.Errorf("the third pair of streams: %s", got.Start)
	}
	var names []string
	for _, v := range st.sys.recordings() {
		names = append(names, v.str("name")+" "+v.str("initiator"))
	}
	if slices.Sort(names); !slices.Equal(names, []string{"main rule", "main.2 srs"}) {
		t.Errorf("recordings %v", names)
	}
	second.Dialog.Bye()
	c.recorded(first, 10)
	c.over(first)
}

// What is awkward: no answer in the ACK, no ACK, BYE before the ACK, an SRS that takes no stream.
func TestAwkwardAsking(t *testing.T) {
	for _, tt := range []struct {
		name, reason string
		do           func(st *stage, out *peer.Outgoing, ok *peer.Message)
	}{
		{"no answer", "without a session description", func(st *stage, out *peer.Outgoing, ok *peer.Message) {
			d := out.Dialog(ok)
			d.Ack(ok)
			d.AnswerBye()
		}},
		{"no stream taken", "no stream can be sent", func(st *stage, out *peer.Outgoing, ok *peer.Message) {
			d := out.Dialog(ok)
			refusal := "v=0\r\no=- 1 1 IN IP4 " + srsIP + "\r\ns=-\r\nc=IN IP4 " + srsIP + "\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/AVP 0\r\n"
			d.Ack(ok, peer.WithSDP([]byte(refusal)))
			d.AnswerBye()
		}},
		{"no ACK", "not acknowledged", func(st *stage, out *peer.Outgoing, ok *peer.Message) {
			out.Dialog(ok).AnswerBye()
		}},
		{"BYE before ACK", "before it began", func(st *stage, out *peer.Outgoing, ok *peer.Message) {
			out.Dialog(ok).Bye()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := newStage(t, setup{noPolicy: true, recorder: askers(""), t1: shortT1})
			c := st.establish(dialing{quiet: true})
			out := st.srs().Ask(st.sys.SIP, "sip:alice@"+st.sys.SIP.String())
			tt.do(st, out, out.Expect(200))
			if v := st.result("failed"); !strings.Contains(v.str("reason"), tt.reason) {
				t.Errorf("ended as %v", v)
			}
			c.hangUp()
		})
	}
}

// An SRS that must show a password is let in with it, and with no other.
func TestAnSRSShowsItsPassword(t *testing.T) {
	st := newStage(t, setup{noPolicy: true, recorder: "    accept: {auth: {user: srs, password: secret}}\n"})
	c := st.establish(dialing{quiet: true})
	us := "sip:alice@" + st.sys.SIP.String()
	sum := func(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }
	for _, password := range []string{"guess", "secret"} {
		asked := st.srs().Ask(st.sys.SIP, us).Expect(401).All("WWW-Authenticate")
		i := slices.IndexFunc(asked, func(v string) bool { return strings.Contains(v, "MD5") })
		param := regexp.MustCompile(`realm="([^"]*)".*nonce="([^"]*)"`).FindStringSubmatch(asked[i])
		response := sum(sum("srs:"+param[1]+":"+password) + ":" + param[2] + ":00000001:c:auth:" + sum("INVITE:"+us))
		out := st.srs().Ask(st.sys.SIP, us, peer.With("Authorization", fmt.Sprintf(
			`Digest username="srs", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=MD5, cnonce="c", nc=00000001, qop=auth`,
			param[1], param[2], us, response)))
		if password == "guess" {
			out.Expect(401)
			continue
		}
		st.srs().Asked(out).Dialog.Bye()
	}
	c.hangUp()
}
