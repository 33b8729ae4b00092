package src

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sidetrack/metadata"
	"sidetrack/policy"
)

// StartRequest says how a recording is to be that an operator wants.
type StartRequest struct {
	Recorder string // name of a recorder
	Name     string // unique among the live recordings of the call; "": the recorder's
	Tracks   string // a policy.Tracks; "": both
	Particulars
}

// Pause stops the copies of a recording at once and then tells the SRS. Here and
// in what follows id is the recording's, or CALL:NAME of a live one: its call's id
// and its own name, or what a pair has in common (StreamsTwo): then it is done to both, and the
// View is that of the first. The errors of Pause, Resume and Stop are ErrNotFound, ErrState (wrapped) and
// those of ctx.
func (c *Client) Pause(ctx context.Context, id string) (View, error) {
	return c.PauseFor(ctx, id, 0)
}

// PauseFor is Pause with a limit after which the recording goes on by itself; 0
// is none. Of a paused recording it sets another limit.
func (c *Client) PauseFor(ctx context.Context, id string, limit time.Duration) (View, error) {
	return c.control(ctx, id, func(s *Session) error { return s.pause(limit) })
}

// Resume undoes Pause. A recording whose call is on hold stays paused.
func (c *Client) Resume(ctx context.Context, id string) (View, error) {
	return c.control(ctx, id, (*Session).resume)
}

// Stop ends a recording while its call goes on.
func (c *Client) Stop(ctx context.Context, id string) (View, error) {
	return c.control(ctx, id, func(s *Session) error {
		if s.state == metadata.StateEnded {
			return ErrState
		}
		s.stop(reasonStopped)
		return nil
	})
}

// Start records a live call from now on, whatever the rules said. It returns
// once the session exists; whether an SRS takes it shows in its View. The
// errors are ErrNotFound, ErrRequest, ErrState (wrapped) and those of ctx.
func (c *Client) Start(ctx context.Context, callID string, req StartRequest) (View, error) {
	k := c.call(callID)
	if k == nil {
		return View{}, fmt.Errorf("call %s: %w", callID, ErrNotFound)
	}
	w, err := c.wish(req)
	if err != nil {
		return View{}, err
	}
	return ask(ctx, k.lane.Post, func() (View, error) {
		if k.over || c.shut() {
			return View{}, fmt.Errorf("call %s: %w", callID, ErrNotFound)
		}
		if k.awaits(w.name) {
			return View{}, fmt.Errorf("recording %q of the call is about to begin, or being decided: %w", w.name, ErrState)
		}
		if slices.ContainsFunc(append(w.sessions(), w), func(w wish) bool { return k.taken(w.name) }) {
			return View{}, fmt.Errorf("recording %q of the call runs: %w", w.name, ErrState)
		}
		if most := int(c.maxStreams.Load()); most > 0 && k.copies()+w.copies() > most {
			return View{}, fmt.Errorf("more than %d streams of the call would be copied: %w", most, ErrState)
		}
		return k.records(w).View(), nil
	})
}

// longestName bounds the name of a recording that an operator wants.
const longestName = 64

// wish checks what an operator wants.
func (c *Client) wish(req StartRequest) (wish, error) {
	w := wish{
		recorder: c.recorder(req.Recorder), name: cmp.Or(req.Name, req.Recorder),
		tracks: policy.Tracks(cmp.Or(req.Tracks, string(policy.TracksBoth))), onHold: policy.OnHoldPause,
		particulars: req.Particulars, by: InitiatorOperator,
	}
	if err := w.particulars.Check(); err != nil {
		return wish{}, err
	}
	if len(w.name) > longestName || strings.ContainsFunc(w.name, unicode.IsControl) || !utf8.ValidString(w.name) {
		return wish{}, fmt.Errorf("name: up to %d bytes without control characters: %w", longestName, ErrRequest)
	}
	if w.recorder == nil {
		return wish{}, fmt.Errorf("there is no recorder %q: %w", req.Recorder, ErrRequest)
	}
	switch w.tracks {
	case policy.TracksBoth, policy.TracksCaller, policy.TracksCallee:
		return w, nil
	}
	return wish{}, fmt.Errorf("tracks are both, caller or callee, not %q: %w", req.Tracks, ErrRequest)
}

// copies is how many streams of a call with one m-line the recording copies.
func (w *wish) copies() int {
	if w.tracks == policy.TracksBoth {
		return 2
	}
	return 1
}

func (c *Client) shut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// find gives a live session: by its id, or by CALL:NAME, the id of its call and
// the name that is unique there while it lives; of a pair the caller's, if that
// lives. c.mu is held.
func (c *Client) find(id string) *Session {
	if s := c.live[id]; s != nil {
		return s
	}
	callID, name, named := strings.Cut(id, ":")
	if !named {
		return nil
	}
	var found *Session
	for _, s := range c.live {
		if s.callID() == callID && s.isOf(name) && s.seen() != metadata.StateEnded && (found == nil || s.streams.tracks == policy.TracksCaller) {
			found = s
		}
	}
	return found
}

// control does something to a live session, or to both of a pair, on its lane.
func (c *Client) control(ctx context.Context, id string, do func(*Session) error) (View, error) {
	c.mu.Lock()
	s := c.find(id)
	_, past := c.ended.get(id)
	c.mu.Unlock()
	switch {
	case past:
		return View{}, fmt.Errorf("recording %s has ended: %w", id, ErrState)
	case s == nil:
		return View{}, fmt.Errorf("recording %s: %w", id, ErrNotFound)
	}
	return ask(ctx, s.lane.Post, func() (View, error) {
		all := []*Session{s}
		if _, name, named := strings.Cut(id, ":"); named && s.state != metadata.StateEnded {
			all = s.call.named(name)
		}
		took, err := each(all, do)
		if err != nil {
			return View{}, fmt.Errorf("recording %s is %s: %w", id, s.state, err)
		}
		return took[0].View(), nil
	})
}

// ask runs f by post and waits for its result.
func ask(ctx context.Context, post func(func()), f func() (View, error)) (View, error) {
	type result struct {
		view View
		err  error
	}
	done := make(chan result, 1)
	post(func() {
		v, err := f()
		done <- result{v, err}
	})
	select {
	case r := <-done:
		return r.view, r.err
	case <-ctx.Done():
		return View{}, ctx.Err()
	}
}
