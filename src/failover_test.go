package src_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// trouble is one way in which an SRS does not take a session.
type trouble struct {
	name string
	code int // that it counts as
	// make gives the URI of such an SRS.
	make func(t *testing.T, network string) string
}

func answering(code int, before ...int) func(*testing.T, string) string {
	return func(t *testing.T, network string) string {
		rec := newSRS(t, "first", network)
		var invite *peer.Incoming // only ever touched on the reader's goroutine
		rec.Auto("INVITE", func(in *peer.Incoming) bool {
			invite = in
			for _, status := range before {
				in.Reply(status)
			}
			if code != 0 {
				in.Reply(code)
			}
			return true
		})
		rec.Auto("CANCEL", func(in *peer.Incoming) bool {
			in.Reply(200)
			invite.Reply(487)
			return true
		})
		rec.Auto("ACK", func(*peer.Incoming) bool { return true })
		rec.AutoReply("BYE", 200)
		return rec.URI(";transport=" + network)
	}
}

// closedPort is an address where nobody listens: ICMP over UDP, RST over TCP.
func closedPort(_ *testing.T, network string) string {
	return "sip:" + closedHost.String() + ":9;transport=" + network
}

func troubles() []trouble {
	list := []trouble{
		{"silence", 408, answering(0)},
		{"180 then silence", 408, answering(0, 180)},
		{"183 and 180 then silence", 408, answering(0, 183, 180, 180)},
		{"refused connection or ICMP", 503, closedPort},
		{"unresolvable", 503, func(*testing.T, string) string { return "sip:nowhere.invalid:5060" }},
		{"100 then 503", 503, answering(503, 100)},
		{"2xx without SDP", 488, answering(200)},
	}
	for _, code := range []int{300, 302, 401, 404, 407, 408, 420, 480, 486, 487, 488, 500, 503, 600, 603} {
		list = append(list, trouble{strconv.Itoa(code), code, answering(code)})
	}
	return list
}

// Each trouble moves on to the next SRS, and none ends the chain; a matching
// skip code ends it at once.
func TestFailover(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		for _, first := range troubles() {
			t.Run(network+"/"+first.name, func(t *testing.T) {
				t.Parallel()
				t.Run("moves on", func(t *testing.T) { movesOn(t, network, first) })
				t.Run("skip code", func(t *testing.T) { skips(t, network, first) })
			})
		}
	}
}

func movesOn(t *testing.T, network string, first trouble) {
	uri := first.make(t, network)
	second, third := newSRS(t, "second", network), newSRS(t, "third", network)
	r := newRig(t, []string{uri, second.URI(";transport=" + network), third.URI(";transport=" + network)},
		skip("999"), timeout(1500*time.Millisecond))
	c := r.newCall()
	c.talk()
	c.begin()
	s := second.Accept()
	hears(t, c, s)
	v := c.await(metadata.StateRecording)
	if len(v.Attempts) != 2 || v.Attempts[0].SRS != uri || v.Attempts[0].Code != first.code || v.Attempts[1].Code != 200 {
		t.Errorf("attempts: %+v", v.Attempts)
	}
	c.end()
	s.End()
	c.ended(src.Complete)
	if in := third.Maybe("INVITE", 0); in != nil {
		t.Error("the third SRS was asked although the second took the session")
	}
}

func skips(t *testing.T, network string, first trouble) {
	uri := first.make(t, network)
	second := newSRS(t, "second", network)
	r := newRig(t, []string{uri, second.URI(";transport=" + network)},
		skip("404|"+strconv.Itoa(first.code)), timeout(1500*time.Millisecond), required)
	c := r.newCall()
	if !c.begin() {
		t.Error("recording is not required")
	}
	v := c.ended(src.Skipped)
	if len(v.Attempts) != 1 || v.Attempts[0].Code != first.code {
		t.Errorf("attempts: %+v", v.Attempts)
	}
	c.hasBeenTold("ended")
	if in := second.Maybe("INVITE", 0); in != nil {
		t.Error("the second SRS was asked")
	}
	c.end()
}

// Each attempt has a dialog of its own and the same session; the o= version
// goes up (SRC-16). The loser is cancelled.
func TestAttempts(t *testing.T) {
	first, second := newSRS(t, "first"), newSRS(t, "second")
	r := newRig(t, []string{first.URI(""), second.URI("")}, timeout(time.Second))
	c := r.newCall()
	c.talk()
	c.begin()
	in := first.Expect("INVITE")
	lost := first.Take(in)
	in.Reply(180)
	s := second.Accept()
	cancel := in.ExpectOther("CANCEL")
	cancel.Reply(200)

	if in.CallID() == s.Invite.CallID() || in.FromTag() == s.Invite.FromTag() || in.Branch() == s.Invite.Branch() {
		t.Error("the second attempt shares the first one's identity")
	}
	if lost.Doc().Sessions[0].ID != s.Doc().Sessions[0].ID || lost.Doc().Participants[0].ID != s.Doc().Participants[0].ID ||
		lost.Doc().Streams[0].ID != s.Doc().Streams[0].ID {
		t.Error("the second attempt has other ids")
	}
	if s.Offer().Version != lost.Offer().Version+1 || strings.Fields(s.Offer().Origin)[1] != strings.Fields(lost.Offer().Origin)[1] {
		t.Errorf("origins: %s, %s", lost.Offer().Origin, s.Offer().Origin)
	}
	// Its answer crossed the CANCEL: acknowledged and ended.
	in.Reply(200, peer.WithSDP(lost.Answer()))
	in.ExpectOther("ACK")
	in.ExpectOther("BYE").Reply(200)
	hears(t, c, s)
	if n := c.copies(lost, "1"); n != 0 {
		t.Errorf("the loser got %d packets", n)
	}
	c.end()
	s.End()
	c.ended(src.Complete)
}

// Three SRSs, two of them dead: recorded on the third. The list exhausted: the
// verdict names every attempt, once.
func TestDeadRecorders(t *testing.T) {
	last := newSRS(t, "last")
	silent := answering(0)(t, "udp")
	r := newRig(t, []string{"sip:nowhere.invalid", silent, last.URI("")}, timeout(time.Second))
	c := r.newCall()
	c.talk()
	c.begin()
	s := last.Accept()
	hears(t, c, s)
	c.end()
	s.End()
	c.ended(src.Complete)

	last.AutoReply("INVITE", 503)
	last.Auto("ACK", func(*peer.Incoming) bool { return true })
	d := r.newCall()
	d.begin()
	v := d.ended(src.Failed)
	for _, part := range []string{"nowhere.invalid: 503", silent + ": 408", last.URI("") + ": 503 Service Unavailable"} {
		if !strings.Contains(v.Reason, part) {
			t.Errorf("reason lacks %q: %s", part, v.Reason)
		}
	}
	r.hasTold("start stop failed")
	logged := func() int { return strings.Count(r.log.String(), `msg="call not recorded"`) }
	if !peer.Eventually(func() bool { return logged() > 0 }) || logged() != 1 { // behind the event
		t.Errorf("logged %d times", logged())
	}
	d.end()
}

// A timeout that no 1xx extends: the next SRS is asked when it has passed.
func TestTimeoutIsOne(t *testing.T) {
	first, second := newSRS(t, "first"), newSRS(t, "second")
	r := newRig(t, []string{first.URI(""), second.URI("")}, timeout(time.Second))
	c := r.newCall()
	c.begin()
	in := first.Expect("INVITE")
	done := make(chan struct{})
	rings := make(chan struct{})
	go func() { // until it is left
		defer close(rings)
		every := time.NewTicker(150 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-done:
				return
			case <-every.C:
				in.Reply(180)
			}
		}
	}()
	s := second.Accept()
	close(done)
	<-rings
	in.ExpectOther("CANCEL").Reply(200)
	in.Reply(487)
	in.ExpectOther("ACK")
	c.end()
	s.End()
	c.ended(src.Complete)
}

// A recorder that is asked for and not configured is no silent loss.
func TestNoSuchRecorder(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.rule.Recorder = "other" }, required)
	c := r.newCall()
	c.begin()
	if v := c.ended(src.Failed); !strings.Contains(v.Reason, "other") {
		t.Errorf("reason: %s", v.Reason)
	}
	c.end()
}
