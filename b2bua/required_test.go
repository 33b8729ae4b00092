package b2bua_test

import (
	"strings"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// recorder is a recorder that does what the test says and notes what it is told.
type recorder struct {
	required bool
	faulty   bool // panics
	begun    chan func(metadata.RecordingState, string)
	updates  chan metadata.Snapshot // Begin's as well
	ended    chan metadata.Snapshot
}

var _ b2bua.Recorder = (*recorder)(nil)

func newRecorder(required bool) *recorder {
	return &recorder{
		required: required, begun: make(chan func(metadata.RecordingState, string), 16),
		updates: make(chan metadata.Snapshot, 64), ended: make(chan metadata.Snapshot, 16),
	}
}

func (r *recorder) Begin(cs metadata.Snapshot, _ *policy.Invite, _ *forker.Relay, notify func(metadata.RecordingState, string)) bool {
	r.updates <- cs
	r.begun <- notify
	if r.faulty {
		panic("a recorder of doubtful quality")
	}
	return r.required
}

func (r *recorder) Act(string, metadata.PartyRole, policy.Wish) bool { return false }

func (r *recorder) Update(cs metadata.Snapshot) { r.updates <- cs }
func (r *recorder) End(cs metadata.Snapshot)    { r.ended <- cs }

// held takes a call to where the callee has answered and the recording is waited for.
func held(t *testing.T) (*stage, *call, *recorder, func(metadata.RecordingState, string)) {
	r := newRecorder(true)
	s := newStage(t, setup{recorder: r})
	c := s.invite()
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	c.right = c.in.Dialog()
	return s, c, r, <-r.begun
}

func TestAnswerWaitsForTheRecording(t *testing.T) {
	s, c, r, notify := held(t)
	s.only(1)
	notify(metadata.StateStarting, "")
	notify(metadata.StateRecording, "")
	ok := c.out.Expect(200)
	c.left = c.out.Dialog(ok)
	c.left.Ack(ok)
	c.right.Expect("ACK")
	notify(metadata.StateEnded, "the SRS hung up") // no reason to end the call
	out := c.left.Send("INFO")
	c.right.Expect("INFO").Reply(200)
	out.Expect(200)
	c.hangUp()
	if cs := <-r.ended; cs.State != metadata.CallEnded || cs.Answered.IsZero() {
		t.Errorf("ended as %+v", cs)
	}
}

func TestCancelWhileTheAnswerIsHeld(t *testing.T) {
	s, c, r, notify := held(t)
	c.out.Cancel().Expect(200)
	c.out.Expect(487)
	c.right.Expect("ACK")
	c.right.AnswerBye()
	<-r.ended
	notify(metadata.StateRecording, "") // too late to matter
	s.quiet()
}

// The callee hangs up before the caller was ever told that it had answered.
func TestByeWhileTheAnswerIsHeld(t *testing.T) {
	s, c, r, notify := held(t)
	bye := c.right.Send("BYE")
	bye.Expect(200)
	if got := c.out.ExpectFinal(); got.Status() != 480 {
		t.Errorf("the caller got %s", got.Start)
	}
	c.right.Expect("ACK")
	<-r.ended
	notify(metadata.StateEnded, "nobody")
	if in := s.pbx.Maybe("BYE", 0); in != nil {
		t.Error("BYE to a party that has hung up")
	}
}

func TestNobodyTakesTheRequiredRecording(t *testing.T) {
	s, c, r, notify := held(t)
	notify(metadata.StateEnded, "no SRS")
	got := c.out.ExpectFinal()
	if got.Status() != 503 || !strings.Contains(got.Get("Reason"), "no SRS") {
		t.Errorf("the caller got %s, Reason %q", got.Start, got.Get("Reason"))
	}
	c.right.Expect("ACK")
	c.right.AnswerBye()
	<-r.ended
	s.quiet()
}

// With the offer in the 200 the recorder learns of the media by the ACK only; the call is ended when it then fails.
func TestRequiredRecordingOfADelayedOffer(t *testing.T) {
	r := newRecorder(true)
	s := newStage(t, setup{recorder: r})
	c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
	c.out = s.caller.Invite(s.proxy, peer.Call{URI: bob})
	c.in = s.pbx.Expect("INVITE")
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok, peer.WithSDP(c.sdpA(1)))
	if ack := c.right.Expect("ACK"); peer.ParseSDP(ack.SDP()).Media[0].Addr() == c.a.Addr() {
		t.Error("the answer in the ACK is not anchored")
	}
	notify := <-r.begun
	notify(metadata.StateEnded, "no SRS")
	if bye := c.left.AnswerBye(); !strings.Contains(bye.Get("Reason"), "no SRS") {
		t.Errorf("BYE without a reason: %q", bye.Raw)
	}
	c.right.AnswerBye()
	<-r.ended
	s.quiet()
}

// A fault in the recorder costs the recording, not the call.
func TestFaultyRecorderDoesNotHarmTheCall(t *testing.T) {
	r := newRecorder(false)
	r.faulty = true
	s := newStage(t, setup{recorder: r})
	s.establish().hangUp()
	s.quiet()
}

// The recorder hears of a change and of nothing else: a session refresh is none.
func TestRefreshIsNoNews(t *testing.T) {
	r := newRecorder(false)
	s := newStage(t, setup{recorder: r})
	c := s.invite()
	c.in.Reply(183, peer.WithSDP(c.sdpB(1)))
	c.out.Expect(183)
	c.answer()
	for len(r.updates) > 0 {
		<-r.updates
	}
	again := c.left.Send("INVITE", peer.WithSDP(c.sdpA(1)))
	c.right.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpB(1)))
	c.left.Ack(again.Expect(200))
	c.right.Expect("ACK")
	c.hangUp()
	<-r.ended
	if n := len(r.updates); n > 0 {
		t.Errorf("%d updates for a refresh", n)
	}
}
