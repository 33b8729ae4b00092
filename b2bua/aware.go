package b2bua

import (
	"time"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// awareness is recording awareness (RFC 7866 §6.1.2, §7.1.2): a side whose phone
// says record-aware is told in a=record whether the call is recorded, in each
// description that passes to it, and by a request of ours when that changes in
// between, as far as the call's route wants that. What it prefers, in
// a=recordpref, is asked of the recorder.
type awareness struct {
	able  [2]bool
	told  [2]sdp.Record
	added [2]uint64 // to the versions of what side has been shown, for the offers of ours between
	pref  [2]sdp.RecordPref
	due   bool // something is to be told as soon as nobody offers
}

// noticeTry is how long we wait for the end of an offer of others.
const noticeTry = 500 * time.Millisecond

// sees takes from a message of side s whether its phone knows of recording.
func (a *awareness) sees(s side, m *sip.Message) {
	a.able[s] = a.able[s] || m.HasToken("Supported", "record-aware")
}

// recorded is what the parties are to know, "" while there is nothing to tell.
func (c *Call) recorded() sdp.Record {
	switch c.rec.state {
	case metadata.StateRecording, metadata.StateMoving:
		return sdp.RecordOn
	case metadata.StatePaused:
		return sdp.RecordPaused
	case metadata.StateEnded, metadata.StateStarting:
		if c.aware.told[sideA] != "" || c.aware.told[sideB] != "" {
			return sdp.RecordOff
		}
	}
	return ""
}

// indicate puts a=record into a description for side s, and a version that is
// higher than that of our own last offer.
func (c *Call) indicate(s side, d *sdp.Session) {
	a := &c.aware
	if a.added[s] > 0 {
		d.RaiseVersion(a.added[s])
	}
	if state := c.recorded(); c.route.Aware != policy.AwareOff && a.able[s] && state != "" && d.SetRecord(state) {
		a.told[s] = state
	}
}

// notify tells each side that is able what has changed, when it may be told:
// both have the call, and no offer is under way.
func (c *Call) notify() {
	a := &c.aware
	if a.due || c.state == StateEnding || c.route.Aware == policy.AwareOff || c.route.Aware == policy.AwareDescriptions {
		return
	}
	for s := range a.able {
		if s := side(s); a.able[s] && c.recorded() != "" && c.recorded() != a.told[s] {
			a.due = true
		}
	}
	if !a.due {
		return
	}
	if c.current == nil || c.initial.server.Final() == 0 || c.busy() {
		c.lane.After(noticeTry, func() {
			a.due = false
			c.notify()
		})
		return
	}
	a.due = false
	for s := range a.able {
		if s := side(s); a.able[s] && c.recorded() != a.told[s] {
			c.notice(s)
		}
	}
}

// notice sends one side the description that it has, with the new state.
func (c *Call) notice(s side) {
	trial := c.media.said.of(other(s))
	if trial == nil {
		return
	}
	if !trial.RaiseVersion(c.aware.added[s]+1) || !trial.SetRecord(c.recorded()) {
		c.aware.told[s] = c.recorded() // it cannot be told, so it is not tried again
		return
	}
	c.showAgain(s, &refresh{})
}

// showAgain sends a side the description that it was shown last, as a new version.
func (c *Call) showAgain(s side, r *refresh) {
	c.aware.added[s]++
	r.call, r.side, r.notice, r.method = c, s, true, "INVITE"
	if c.session.sides[s].updates {
		r.method = "UPDATE"
	}
	c.session.open[s] = r
	r.send()
}

// wishes asks of the recorder what side s prefers by what it has said of media, which
// may be nil; the rule decides whether it may.
func (c *Call) wishes(s side, d *sdp.Session) {
	if d == nil {
		return
	}
	if p := d.RecordPref(); p != "" && p != c.aware.pref[s] {
		c.aware.pref[s] = p
		c.askFor(s)
	}
}

// askFor passes on what a side prefers, once there is somebody to ask.
func (c *Call) askFor(s side) {
	if c.srv.cfg.Recorder == nil || !c.rec.begun {
		return
	}
	party := metadata.Caller
	if s == sideB {
		party = metadata.Callee
	}
	wish := policy.Wish{Preferred: true, Door: "recordpref"}
	switch c.aware.pref[s] {
	case sdp.PrefOn:
		wish.Action = policy.ActionStart
	case sdp.PrefOff:
		wish.Action = policy.ActionStop
	case sdp.PrefPause:
		wish.Action = policy.ActionPause
	default:
		return
	}
	c.withRecorder(func(r Recorder) { r.Act(c.id, party, wish) })
}
