package scenario_test

import (
	"bytes"
	"testing"

	"sidetrack/tests/peer"
)

// With pause: silence an operator's pause sends silence on the running clock: the SRS gets a packet for each one said,
// nothing of what was said, and no re-INVITE that stops the streams.
func TestPauseAsSilence(t *testing.T) {
	st := newStage(t, setup{recorder: "    pause: silence"})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	path := "/api/v1/recordings/" + st.sys.recordings()[0].str("id")
	<-post(st, path+"/pause", 200)
	paused := c.a.Sent() + 3 // those under way
	c.heard(30)
	upTo := c.a.Sent() - 1
	if state := st.sys.recordings()[0].str("state"); state != "paused" {
		t.Errorf("state %q", state)
	}
	<-post(st, path+"/resume", 200)
	c.recorded(rs, 20)
	c.quiet()
	none(t, rs.Streams["1"], paused, upTo)
	c.hangUp()
	rs.End()
	silenced(t, rs.Streams["1"], upTo-paused)
}

// silenced fails when there are not at least n packets of PCMU silence among those of a stream.
func silenced(t *testing.T, stream *peer.Media, n int) {
	t.Helper()
	have := 0
	for _, p := range stream.Packets() {
		if len(bytes.Trim(p.Payload, "\xff")) == 0 {
			have++
		}
	}
	if have < n {
		t.Errorf("%d packets of silence, want %d", have, n)
	}
}
