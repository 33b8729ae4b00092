package scenario_test

import (
	"fmt"
	"net/http"
	"testing"

	"sidetrack/tests/peer"
)

// hide has each recording of a call hide what is said by its recorder's name, and gives the session of each.
func hide(st *stage, sessions *peer.Sessions, how map[string]string) map[string]*peer.Session {
	st.t.Helper()
	of := map[string]*peer.Session{}
	for _, r := range st.sys.recordings() {
		for i := range sessions.Taken() {
			if s := sessions.Number(i); s.Dialog.CallID == r.str("sip_call_id") {
				of[r.str("recorder")] = s
			}
		}
		path := fmt.Sprintf("/api/v1/recordings/%s/%s", r.str("id"), how[r.str("recorder")])
		if status, body := st.sys.do(http.MethodPost, path); status != http.StatusOK {
			st.t.Errorf("%s: %d %s", path, status, body)
		}
	}
	return of
}

// A pause or a mask that has been acknowledged holds, whatever the SRS does with it: a capture at the SRS shows no RTP
// after a pause that stops, and nothing that was said after one that sends silence.
func TestPauseFailsClosed(t *testing.T) {
	refusing := func(status int) func(*peer.Recorder) {
		return func(srs *peer.Recorder) {
			srs.AutoReply("INVITE", status)
			srs.AutoReply("UPDATE", status)
			if status == 481 {
				srs.AutoReply("OPTIONS", status)
			}
		}
	}
	for name, fail := range map[string]func(*peer.Recorder){
		"dead": func(srs *peer.Recorder) { srs.Close() },
		"hung": func(srs *peer.Recorder) {
			for _, method := range []string{"INVITE", "UPDATE", "OPTIONS", "BYE"} {
				srs.Auto(method, func(*peer.Incoming) bool { return true })
			}
		},
		"refusing 488": refusing(488), "refusing 500": refusing(500), "refusing 481": refusing(481),
	} {
		t.Run(name, func(t *testing.T) {
			st := newStageWith(t, setup{rule: "continue: true\n  - {recorder: silence, continue: true}\n  - {recorder: mask}", t1: shortT1}, func(st *stage, s *setup) {
				uri := st.srs().URI("")
				s.recorder = fmt.Sprintf("    pause: stop\n    check: 1s\n  silence: {srs: %q, timeout: 1s, pause: silence}\n  mask: {srs: %q, timeout: 1s, mask: beep}", uri, uri)
			})
			sessions := st.srs().AcceptAll()
			c := st.establish(dialing{})
			if !peer.Eventually(func() bool {
				n := 0
				for _, r := range st.sys.recordings() {
					if r.str("state") == "recording" {
						n++
					}
				}
				return n == 3
			}) {
				t.Fatal("not all is recorded")
			}
			for i := range 3 {
				for _, m := range sessions.Number(i).Streams {
					m.Await("the voices", func(all []peer.Packet) bool { return len(all) > 5 })
				}
			}
			fail(st.srs())
			rs := hide(st, sessions, map[string]string{"main": "pause", "silence": "pause", "mask": "mask"})
			said := map[string]int{c.a.Party: c.a.Sent(), c.b.Party: c.b.Sent()} // all of it may have been copied
			c.heard(100)                                                         // two seconds, in which the SRS is asked, found wanting, and asked again
			for recorder, s := range rs {
				for label, m := range s.Streams {
					for _, p := range m.Packets() {
						if p.Party == "" && recorder == "main" {
							t.Errorf("%s: label %s got a packet that nobody has sent", recorder, label)
						}
						if p.Party != "" && p.Number > said[p.Party] {
							t.Errorf("%s: label %s heard number %d of %s, who had said %d at the acknowledgement", recorder, label, p.Number, p.Party, said[p.Party])
						}
					}
				}
			}
			if len(rs) != 3 {
				t.Errorf("%d recordings", len(rs))
			}
			c.quiet()
			c.hangUp()
		})
	}
}
