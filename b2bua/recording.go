package b2bua

import (
	"runtime/debug"

	"sidetrack/metadata"
)

// recording is what the call knows of its being recorded.
type recording struct {
	begun     bool
	required  bool
	ran       bool // it was active at some time
	preferred bool // what the parties prefer has been asked since the answer, with which most recordings start
	state     metadata.RecordingState
}

// onAnswer notes that leg B accepted the call.
func (c *Call) onAnswer() {
	c.state = StateAnswered
	c.answered = c.lane.Now()
	c.media.changed = true
	c.log.Info("call answered", "after", c.answered.Sub(c.started).Round(1e6).String())
}

// tellRecorder passes the present state on when it changed. Nothing here waits.
func (c *Call) tellRecorder() {
	if c.srv.cfg.Recorder == nil || !c.media.changed || c.state == StateEnding {
		return
	}
	if !c.described() {
		return
	}
	c.media.changed = false
	cs := c.snapshot()
	if c.rec.begun {
		c.withRecorder(func(r Recorder) { r.Update(cs) })
		if !c.rec.preferred && !c.answered.IsZero() {
			c.rec.preferred = true
			c.askFor(sideA)
			c.askFor(sideB)
		}
		return
	}
	c.rec.begun = true
	c.withRecorder(func(r Recorder) {
		c.rec.required = r.Begin(cs, c.in, c.relay, func(state metadata.RecordingState, reason string) {
			c.lane.Post(func() { c.onRecording(state, reason) })
		})
	})
	c.rec.preferred = !c.answered.IsZero()
	c.askFor(sideA)
	c.askFor(sideB)
}

// described tells whether it is known what media the call has: both descriptions,
// or, once it is answered and no answer to an offer is due any more, that there are
// none. A rule may demand a recording of such a call as well.
func (c *Call) described() bool {
	if c.media.said != nil {
		return true
	}
	return !c.answered.IsZero() && (c.initial.counter == nil || c.initial.acked)
}

// withRecorder calls the recorder. A fault of its own must not harm the call.
func (c *Call) withRecorder(f func(Recorder)) {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error("fault in the recorder", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	f(c.srv.cfg.Recorder)
}

// mustWait tells whether the answer is to be kept back until the call is being
// recorded.
func (c *Call) mustWait() bool {
	if !c.rec.required {
		return false
	}
	switch c.rec.state {
	case metadata.StateRecording, metadata.StatePaused, metadata.StateNone:
		return false
	}
	return true
}

// onRecording takes what the recorder has to say. It matters to the call only
// when a rule demands its recording.
func (c *Call) onRecording(state metadata.RecordingState, reason string) {
	defer c.rescued()
	if state == metadata.StateUnrecorded {
		c.onUnrecorded(reason)
		return
	}
	c.rec.state = state
	c.notify()
	c.rec.ran = c.rec.ran || state == metadata.StateRecording
	if !c.rec.required || c.state == StateEnding {
		return
	}
	held := c.initial.held
	switch {
	case held != nil && !c.mustWait():
		c.initial.answer(held)
	case state == metadata.StateEnded && !c.rec.ran:
		// Nobody takes the recording that the rule demands.
		c.log.Warn("call refused: recording is required", "reason", reason)
		c.hangUp(verdict{result: refused, status: 503, reason: "recording required: " + reason}, nil)
	}
}

// onUnrecorded ends a call that a rule will not have go on unrecorded.
func (c *Call) onUnrecorded(reason string) {
	if c.state == StateEnding {
		return
	}
	c.log.Warn("call ended: it is not recorded", "reason", reason)
	c.hangUp(verdict{result: refused, status: 503, reason: "not recorded: " + reason}, nil)
}

// announce tells the event stream of a step in the call's life.
func (c *Call) announce(kind string, v verdict) {
	c.announced = c.announced || kind == EventStart
	c.srv.cfg.OnEvent(Event{Type: kind, Time: c.lane.Now(), Call: c.summary(), Reason: v.reason, Status: v.status})
}
