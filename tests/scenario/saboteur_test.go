package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// story is what caller and callee lived through in one call: the messages in order, and how much of each other they
// heard. Two calls with the same story cannot be told apart by the parties.
type story struct {
	caller, callee []string
	setup          time.Duration
}

// tell plays one whole call: ring, answer, talk, hold and resume by the caller, talk, hang up. At each of the points
// the saboteur may act. Audio is compared bit for bit within.
func tell(st *stage, at map[string]func()) story {
	st.t.Helper()
	act := func(point string) {
		if f := at[point]; f != nil {
			f()
		}
	}
	watch := peer.StartStopwatch(st.t)
	c := st.invite(dialing{quiet: true})
	c.in.Reply(180)
	c.out.Expect(180)
	c.answer(dialing{quiet: true})
	s := story{setup: watch.Took()}
	act("answered")
	c.talk()
	c.heard(20)
	act("talking")
	c.heard(20)
	c.apply(change{method: "INVITE", offer: peer.Line{Direction: "sendonly"}, answer: peer.Line{Direction: "recvonly"}})
	act("held")
	c.apply(change{method: "INVITE"})
	act("resumed")
	c.heard(20)
	c.quiet()
	bye := c.left.Send("BYE")
	act("ending")
	c.right.AnswerBye()
	bye.Expect(200)
	act("ended")
	s.caller, s.callee = st.ladder.Of("caller"), st.ladder.Of("callee")
	return s
}

// saboteur is an SRS that misbehaves; script gives what it does at each point of the call.
type saboteur struct {
	name   string
	setup  setup
	script func(*stage) map[string]func()
}

// accepted is a session that the saboteur takes well before it begins to misbehave.
func accepted(st *stage, then func(*peer.Session) map[string]func()) map[string]func() {
	var rs *peer.Session
	points := map[string]func(){"answered": func() { rs = st.srs().Accept() }}
	for _, point := range []string{"talking", "held", "resumed", "ending", "ended"} {
		points[point] = func() {
			if f := then(rs)[point]; f != nil {
				f()
			}
		}
	}
	return points
}

func saboteurs() []saboteur {
	udp := setup{srsNets: []string{"udp"}, timeout: "2s"}
	tcp := setup{srsNets: []string{"tcp"}, srsParams: ";transport=tcp", timeout: "2s"}
	hung := setup{srsNets: []string{"udp"}, timeout: "10s"}
	return []saboteur{
		{"silent over UDP", udp, silent}, {"silent over TCP", tcp, silent},
		{"silent for ten seconds", hung, slow},
		{"closing", tcp, closing},
		{"garbage over UDP", udp, garbage}, {"garbage over TCP", tcp, garbage},
		{"garbage as answer", udp, garbageAnswer},
		{"hanging up", udp, hangingUp},
		{"answering after the end", hung, answeringLate},
		{"refusing the hold with 488", udp, refusing(488)}, {"refusing the hold with 481", udp, refusing(481)},
		{"refusing the hold with 500", udp, refusing(500)}, {"silent at the hold", udp, refusing(0)},
		{"flooding", udp, flooding},
		{"dead in mid-call over UDP", udp, dying}, {"dead in mid-call over TCP", tcp, dying},
	}
}

// Whatever the SRS does, the call is the same as without recording: the same messages in the same order at both
// parties, every packet, the same end; and its set-up does not wait.
func TestSaboteurs(t *testing.T) {
	var plain story
	t.Run("without recording", func(t *testing.T) {
		plain = tell(newStage(t, setup{noPolicy: true}), nil)
	})
	for _, s := range saboteurs() {
		t.Run(s.name, func(t *testing.T) {
			st := newStage(t, s.setup)
			got := tell(st, s.script(st))
			if !slices.Equal(got.caller, plain.caller) {
				t.Errorf("the caller saw\n%s\nwithout recording\n%s", strings.Join(got.caller, "\n"), strings.Join(plain.caller, "\n"))
			}
			if !slices.Equal(got.callee, plain.callee) {
				t.Errorf("the callee saw\n%s\nwithout recording\n%s", strings.Join(got.callee, "\n"), strings.Join(plain.callee, "\n"))
			}
			t.Logf("set up in %v, without recording in %v", got.setup, plain.setup)
			if got.setup > plain.setup+1500*time.Millisecond { // less than any of the timeouts above
				t.Errorf("set up in %v, without recording in %v", got.setup, plain.setup)
			}
		})
	}
}

// silent reads everything and says nothing.
func silent(st *stage) map[string]func() {
	for _, method := range []string{"INVITE", "CANCEL", "ACK", "BYE"} {
		st.srs().Auto(method, func(*peer.Incoming) bool { return true })
	}
	return nil
}

// slow answers long after the parties have talked, held and resumed; the call is recorded from then on.
func slow(st *stage) map[string]func() {
	var in *peer.Incoming
	var rs *peer.Session
	return map[string]func(){
		"answered": func() { in = st.srs().Expect("INVITE"); in.Reply(100) },
		"resumed": func() {
			st.srs().AcceptAll()
			rs = st.srs().Take(in)
			in.Reply(200, peer.WithSDP(rs.Answer()))
			rs.Streams["1"].AwaitFrom("alice", 0, 1)
		},
	}
}

// closing accepts each TCP connection and closes it when something comes.
func closing(st *stage) map[string]func() {
	st.srs().Auto("INVITE", func(*peer.Incoming) bool { st.srs().DropConnections(); return true })
	return nil
}

// garbage answers with what is no SIP.
func garbage(st *stage) map[string]func() {
	st.srs().Auto("INVITE", func(in *peer.Incoming) bool {
		for _, b := range []string{
			"\x00\x01\x02\xff\xfe\r\n\r\n", "SIP/2.0 200\r\n\r\n", "SIP/2.0 abc OK\r\nVia: x\r\n\r\n",
			"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n",
			strings.Repeat("A", 20000) + "\r\n\r\n", "SIP/2.0 200 OK\r\nContent-Length: 99999999\r\n\r\n",
		} {
			st.srs().SendBack(in, []byte(b))
		}
		return true
	})
	for _, method := range []string{"CANCEL", "ACK", "BYE"} {
		st.srs().Auto(method, func(*peer.Incoming) bool { return true })
	}
	return nil
}

// garbageAnswer takes the session with a body that is no SDP.
func garbageAnswer(st *stage) map[string]func() {
	st.srs().Auto("INVITE", func(in *peer.Incoming) bool {
		in.Reply(200, peer.WithBody("application/sdp", []byte("\x00\xffnot an answer")))
		return true
	})
	st.srs().Auto("ACK", func(*peer.Incoming) bool { return true })
	st.srs().AutoReply("BYE", 200)
	return nil
}

// hangingUp ends the session in mid-call. Whether it is asked again is the recording client's choice.
func hangingUp(st *stage) map[string]func() {
	return accepted(st, func(rs *peer.Session) map[string]func() {
		return map[string]func(){"talking": func() {
			st.srs().AcceptAll()
			rs.Dialog.Bye()
		}}
	})
}

// answeringLate holds its answer until the call has ended, and takes the session in spite of the CANCEL.
func answeringLate(st *stage) map[string]func() {
	var in *peer.Incoming
	return map[string]func(){
		"answered": func() { in = st.srs().Expect("INVITE"); in.Reply(180) },
		"ended": func() {
			in.ExpectOther("CANCEL").Reply(200)
			rs := st.srs().AcceptInvite(in)
			rs.End()
		},
	}
}

// refusing answers the re-INVITE of the hold with that status, 0 being nothing.
func refusing(status int) func(*stage) map[string]func() {
	return func(st *stage) map[string]func() {
		return accepted(st, func(rs *peer.Session) map[string]func() {
			return map[string]func(){"held": func() {
				in := rs.ExpectUpdate()
				if status != 0 {
					in.Reply(status)
					in.ExpectOther("ACK")
				}
				// What follows is the recording client's choice: a further try, the end of the session, a new one.
				st.srs().AcceptAll()
			}}
		})
	}
}

// flooding sends RTP back to where the copies come from, and to the relay's ports for good measure.
func flooding(st *stage) map[string]func() {
	return accepted(st, func(rs *peer.Session) map[string]func() {
		return map[string]func(){
			"talking": func() {
				st.srs().AcceptAll()
				for _, line := range rs.Offer().Media {
					for range 2000 {
						rs.Streams[line.Label].Send(line.Addr())
					}
				}
				for port := 22000; port < 22100; port++ {
					rs.Streams["1"].Send(addrPort(fmt.Sprintf("%s:%d", systemIP, port)))
				}
			},
		}
	})
}

// dying is gone from one moment to the next, with the session open.
func dying(st *stage) map[string]func() {
	return accepted(st, func(rs *peer.Session) map[string]func() {
		return map[string]func(){"talking": func() { st.srs().Close() }}
	})
}

// A hold whose re-INVITE is refused is a hold all the same: nothing more is copied while it lasts.
func TestRefusedPauseCopiesNothing(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.apply(change{method: "INVITE", offer: peer.Line{Direction: "inactive"}, answer: peer.Line{Direction: "inactive"}})
	in := rs.ExpectUpdate()
	a, b := c.a.Sent(), c.b.Sent()
	in.Reply(488)
	in.ExpectOther("ACK")
	awaitSent(c, 40)
	aTo, bTo := c.a.Sent(), c.b.Sent()
	st.srs().AcceptAll()
	c.hangUp()
	if !peer.Eventually(func() bool { return len(st.sys.live()) == 0 }) {
		t.Errorf("still live: %v", st.sys.live())
	}
	none(t, rs.Streams["1"], a, aTo)
	none(t, rs.Streams["2"], b, bTo)
}

// After its BYE the SRS gets no packet more in that session.
func TestNoCopyAfterTheRecordersBye(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	st.srs().AcceptAll() // should it be asked again
	rs.Dialog.Bye()
	a, b := c.a.Sent(), c.b.Sent()
	c.heard(40)
	aTo, bTo := c.a.Sent(), c.b.Sent()
	c.quiet()
	c.hangUp()
	none(t, rs.Streams["1"], a, aTo)
	none(t, rs.Streams["2"], b, bTo)
}
