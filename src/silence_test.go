package src_test

import "testing"

// A party that sends nothing for three seconds, without a word in its signalling: the recorder is told nothing, and gets
// what comes then as it was said, three seconds later by the clock of the same source, with no packet missing.
func TestThreeSecondsOfSilence(t *testing.T) {
	_, c, rec, s := recording(t)
	hears(t, c, s)
	c.quiet()
	last := c.caller.Sent()
	before := s.Streams["1"].AwaitFrom("caller", last-1, 1)
	c.caller.Skip(3 * 8000)
	c.talk()
	all := s.Streams["1"].AwaitFrom("caller", last, 5)
	a, b := before[len(before)-1], all[len(before)]
	if b.SSRC != a.SSRC || b.Seq != a.Seq+1 || b.Stamp != a.Stamp+160+3*8000 || b.Number != a.Number+1 {
		t.Errorf("after %+v came %+v", a, b)
	}
	if in := rec.Maybe("INVITE", 0); in != nil {
		t.Error("told of a silence")
	}
	finish(t, c, s)
}
