package scenario_test

import (
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// Answers of recorders as they are found: read by position, cross-checked by label, sent only what was offered.

// odd has a recorded call whose SRS answers by that function, and gives it talking.
func odd(t *testing.T, answer func(*peer.Session) []peer.Opt) (*call, *peer.Session) {
	t.Helper()
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	in := st.srs().Expect("INVITE")
	rs := st.srs().Take(in)
	in.Reply(200, answer(rs)...)
	in.ExpectOther("ACK")
	return c, rs
}

func (c *call) over(rs *peer.Session) {
	c.st.t.Helper()
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
}

func TestAnswerWithoutLabels(t *testing.T) {
	c, rs := odd(t, func(rs *peer.Session) []peer.Opt {
		return []peer.Opt{peer.WithSDP([]byte(strings.NewReplacer("a=label:1\r\n", "", "a=label:2\r\n", "").Replace(string(rs.Answer()))))}
	})
	c.recorded(rs, 10)
	c.over(rs)
}

func TestAnswerAsMultipart(t *testing.T) {
	c, rs := odd(t, func(rs *peer.Session) []peer.Opt {
		contentType, body := peer.Mixed("answer",
			peer.BodyPart{Headers: []peer.Header{{Name: "Content-Type", Value: "application/rs-metadata+xml"}}, Body: []byte("<x/>")},
			peer.BodyPart{Headers: []peer.Header{{Name: "Content-Type", Value: "application/sdp"}}, Body: rs.Answer()})
		return []peer.Opt{peer.WithBody(contentType, body)}
	})
	c.recorded(rs, 10)
	c.over(rs)
}

func TestAnswerWithOneStreamRefused(t *testing.T) {
	c, rs := odd(t, func(rs *peer.Session) []peer.Opt {
		return []peer.Opt{peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: rs.Streams["1"], Direction: "recvonly", Label: "1"}, peer.Line{Label: "2"}))}
	})
	rs.Streams["1"].AwaitFrom("alice", c.a.Sent(), 10)
	c.over(rs)
	if n := len(rs.Streams["2"].Packets()); n > 0 {
		t.Errorf("%d packets for the refused stream", n)
	}
}

func TestAnswerWithFewerAndMoreSections(t *testing.T) {
	c, rs := odd(t, func(rs *peer.Session) []peer.Opt {
		return []peer.Opt{peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: rs.Streams["1"], Direction: "recvonly", Label: "1"}))}
	})
	rs.Streams["1"].AwaitFrom("alice", c.a.Sent(), 10)
	c.over(rs)

	extra := peer.NewMedia(t, srsIP, "", "extra")
	c, rs = odd(t, func(rs *peer.Session) []peer.Opt {
		return []peer.Opt{peer.WithSDP(peer.BuildSDP(1,
			peer.Line{Media: rs.Streams["1"], Direction: "recvonly"}, peer.Line{Media: rs.Streams["2"], Direction: "recvonly"},
			peer.Line{Media: extra, Direction: "recvonly"}))}
	})
	c.recorded(rs, 10)
	c.over(rs)
	if n := len(extra.Packets()); n > 0 {
		t.Errorf("%d packets for a stream that was not offered", n)
	}
}

// An answer in another profile is a refusal: nothing is sent, the session is ended, the next SRS is asked.
func TestAnswerInAnotherProfileIsARefusal(t *testing.T) {
	st := newStage(t, setup{srs: 2, srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	in := st.srss[0].Expect("INVITE")
	refused := st.srss[0].Take(in)
	in.Reply(200, peer.WithSDP([]byte(strings.ReplaceAll(string(refused.Answer()), "RTP/AVP", "RTP/SAVP"))))
	in.ExpectOther("ACK")
	refused.End()
	rs := st.srss[1].Accept()
	c.recorded(rs, 10)
	c.over(rs)
	for label, stream := range refused.Streams {
		if n := len(stream.Packets()); n > 0 {
			t.Errorf("%d packets for label %s", n, label)
		}
	}
}

// What the SRS asks in its dialog is answered; a re-INVITE that moves its ports moves the copies.
func TestRequestsOfTheRecorder(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)

	rs.Dialog.Send("OPTIONS").Expect(200)
	rs.Dialog.Send("INFO", peer.WithBody("text/plain", []byte("hello"))).Expect(200)

	moved := map[string]*peer.Media{}
	for label := range rs.Streams {
		moved[label] = peer.NewMedia(t, srsIP, "", "moved-"+label)
	}
	was := rs.Streams
	rs.Streams = moved
	again := rs.Dialog.Send("INVITE", peer.WithSDP(rs.Answer()))
	ok := again.Expect(200)
	rs.Dialog.Ack(ok)
	answer := peer.ParseSDP(ok.SDP())
	if len(answer.Media) != 2 || answer.Media[0].Direction != "sendonly" || answer.Media[0].Label != "1" {
		t.Errorf("answered\n%s", ok.SDP())
	}
	c.recorded(rs, 10)
	count := len(was["1"].Packets())
	c.recorded(rs, 10)
	if n := len(was["1"].Packets()); n != count {
		t.Errorf("%d packets more at the old port", n-count)
	}

	offered := rs.Dialog.Send("INVITE")
	ok = offered.Expect(200)
	if got := peer.ParseSDP(ok.SDP()); len(got.Media) != 2 {
		t.Errorf("asked for an offer, got\n%s", ok.SDP())
	}
	rs.Dialog.Ack(ok, peer.WithSDP(rs.Answer()))
	c.recorded(rs, 10)

	update := rs.Dialog.Send("UPDATE", peer.WithSDP(rs.Answer()))
	if got := update.Expect(200); len(got.SDP()) == 0 {
		t.Error("UPDATE with an offer got no answer")
	}
	c.recorded(rs, 10)
	if got := c.st.sys.recordings()[0].str("state"); got != "recording" {
		t.Errorf("state %q", got)
	}
	c.quiet()
	c.hangUp()
	rs.End()
}

// Pause, resume and stop over the API do what hold does, and say what cannot be done.
func TestControlOverTheAPI(t *testing.T) {
	st := newStage(t, setup{})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	id := st.sys.recordings()[0].str("id")
	path := "/api/v1/recordings/" + id

	paused := post(st, path+"/pause", 200)
	rs.Update()
	if !slices.Equal(rs.Directions(), []string{"inactive", "inactive"}) {
		t.Errorf("paused, and offered %v", rs.Directions())
	}
	<-paused
	a, b := c.a.Sent(), c.b.Sent() // the API has answered: nothing later is copied
	awaitSent(c, 20)
	c.a.Quiet()
	c.b.Quiet()
	aTo, bTo := c.a.Sent()-inFlight, c.b.Sent()-inFlight

	resumed := post(st, path+"/resume", 200)
	rs.Update()
	<-resumed
	c.talk()
	c.recorded(rs, 5)
	none(t, rs.Streams["1"], a, aTo)
	none(t, rs.Streams["2"], b, bTo)

	<-post(st, "/api/v1/recordings/AAAAAAAAAAAAAAAAAAAAAA/pause", 404)
	stopped := post(st, path+"/stop", 200)
	rs.End()
	<-stopped
	<-post(st, path+"/pause", 409)
	c.heard(10)
	c.quiet()
	c.hangUp()
}

// post sends a POST beside the script; the channel closes with the answer.
func post(st *stage, path string, want int) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if status, body := st.sys.do("POST", path); status != want {
			st.t.Errorf("POST %s: %d %s", path, status, body)
		}
	}()
	return done
}
