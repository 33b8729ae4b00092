package src

import (
	"context"
	"fmt"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// Mask hides what is said from a recording while it goes on: at once, silence or
// beeps (Recorder.Mask) stand for each packet of the parties that tracks names,
// "" being both. The SRS is not told, and the state stays what it is. It does
// nothing where that is masked already. The errors are those of Pause and
// ErrRequest (wrapped).
func (c *Client) Mask(ctx context.Context, id, tracks string) (View, error) {
	return c.setMask(ctx, id, tracks, true)
}

// Unmask undoes Mask for the parties that tracks names.
func (c *Client) Unmask(ctx context.Context, id, tracks string) (View, error) {
	return c.setMask(ctx, id, tracks, false)
}

func (c *Client) setMask(ctx context.Context, id, tracks string, on bool) (View, error) {
	t := policy.Tracks(tracks)
	switch t {
	case "":
		t = policy.TracksBoth
	case policy.TracksBoth, policy.TracksCaller, policy.TracksCallee:
	default:
		return View{}, fmt.Errorf("tracks are both, caller or callee, not %q: %w", tracks, ErrRequest)
	}
	return c.control(ctx, id, func(s *Session) error { return s.mask(t, on) })
}

// masks says whose voice is hidden.
type masks struct{ caller, callee bool }

func (m masks) of(party metadata.PartyRole) bool {
	if party == metadata.Both {
		return m.caller && m.callee
	}
	return party == metadata.Caller && m.caller || party == metadata.Callee && m.callee
}

// mask is Mask and Unmask, on the session's lane.
func (s *Session) mask(tracks policy.Tracks, on bool) error {
	if s.state == metadata.StateEnded {
		return ErrState
	}
	before := s.masks
	if tracks.Caller() {
		s.masks.caller = on
	}
	if tracks.Callee() {
		s.masks.callee = on
	}
	if s.masks == before {
		return nil
	}
	s.steerTaps()
	s.publish()
	kind := EventUnmasked
	if on {
		kind = EventMasked
	}
	s.tell(kind, string(tracks))
	s.log.Info("recording "+map[bool]string{true: "masked", false: "unmasked"}[on], "tracks", tracks)
	return nil
}

// mute has a mix hear nothing of the one party that is hidden.
func (st *stream) mute(m masks) {
	if st.tap != nil && st.party == metadata.Both {
		st.tap.Mute(forker.AB, m.caller)
		st.tap.Mute(forker.BA, m.callee)
	}
}

// hide makes the tap follow: of what is said after it has returned nothing is
// heard while hidden.
func (st *stream) hide(hidden bool, mode forker.PauseMode) {
	if st.tap == nil || st.masked == hidden {
		return
	}
	st.masked = hidden
	if hidden {
		st.tap.Mask(mode)
	} else {
		st.tap.Unmask()
	}
}
