package scenario_test

import (
	"testing"

	"sidetrack/tests/peer"
)

// What was said before a pause and is kept for an SRS that is late, or for the one to which the recording is being moved,
// does not leave while the pause lasts, though that SRS has come meanwhile. After it all of that does, and nothing of
// what was said in the pause.
func TestPauseWithholdsWhatIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		pause string
		moved bool
	}{"a late SRS": {pause: "stop"}, "a late SRS, silence in the pause": {pause: "silence"}, "a move": {pause: "stop", moved: true}} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, setup{srs: 2, timeout: "20s", recorder: "    pause: " + tt.pause + "\n"})
			c := st.establish(dialing{})
			srs := st.srss[0]
			if tt.moved {
				first := srs.Accept()
				c.recorded(first, 10)
				first.Dialog.Bye()
				srs = st.srss[1]
			}
			c.heard(20)
			path := "/api/v1/recordings/" + st.sys.recordings()[0].str("id")
			<-post(st, path+"/pause", 200)
			said := [2]int{c.a.Sent(), c.b.Sent()}

			sessions := srs.AcceptAll() // the INVITE that waits, too
			if !peer.Eventually(func() bool { return sessions.Taken() == 1 && st.sys.recordings()[0].str("state") == "paused" }) {
				t.Fatal("no SRS has taken the paused session")
			}
			rs := sessions.Number(0)
			c.heard(30)
			for label, m := range rs.Streams {
				for _, p := range m.Packets() {
					if p.Party != "" || tt.pause == "stop" {
						t.Errorf("label %s got number %d of %q during the pause", label, p.Number, p.Party)
						break
					}
				}
			}

			upTo := [2]int{c.a.Sent(), c.b.Sent()}
			<-post(st, path+"/resume", 200)
			c.heard(20)
			c.recorded(rs, 10)
			c.quiet()
			for i, from := range []*peer.Media{c.a, c.b} {
				stream := rs.Streams[[]string{"1", "2"}[i]]
				gapless(t, stream, said[i]-15, said[i]-5)
				none(t, stream, said[i]+3, upTo[i]-1)
				gapless(t, stream, upTo[i]+5, from.Sent())
			}
			c.hangUp()
		})
	}
}
