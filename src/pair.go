package src

import (
	"fmt"
	"slices"

	"sidetrack/policy"
)

// Where a recorder wants one stream in each session (StreamsTwo) a recording of
// both parties is a pair: NAME.caller and NAME.callee, each a session of its own.
// Who speaks of NAME means both.

// sessions are what the wish takes: one session, or one for each party where
// the recorder wants no more than one stream in each.
func (w wish) sessions() []wish {
	if w.recorder == nil || w.recorder.Dialect.Streams != StreamsTwo || !w.tracks.Caller() || !w.tracks.Callee() {
		return []wish{w}
	}
	caller, callee := w, w
	caller.tracks, caller.name = policy.TracksCaller, w.name+".caller"
	callee.tracks, callee.name = policy.TracksCallee, w.name+".callee"
	return []wish{caller, callee}
}

// isOf tells whether the session is the recording of that name, or one party's
// part of it.
func (s *Session) isOf(name string) bool {
	return s.name == name || s.recorder.Dialect.Streams == StreamsTwo && s.name == name+"."+string(s.streams.tracks)
}

// named are the live sessions of the call that make up the recording of that
// name: one, or where its recorder wants it so one of each party.
func (k *call) named(name string) (all []*Session) {
	for _, s := range k.sessions {
		if s.isOf(name) {
			all = append(all, s)
		}
	}
	return all
}

// steered are the live sessions that a party steers whom a rule lets steer what it
// wants: also those of another recorder, which a program has decided on instead.
func (k *call) steered(w *policy.Wanted) (all []*Session) {
	for _, s := range k.sessions {
		if s.of == w || s.isOf(w.Recorder) {
			all = append(all, s)
		}
	}
	return all
}

// rule is the name of the rule that wants the session; "" when somebody else does.
func (s *Session) rule() string {
	if s.of == nil {
		return ""
	}
	return s.of.Rule
}

// taken tells whether a recording of the call has that name, a live one or one
// that is to begin yet.
func (k *call) taken(name string) bool {
	return len(k.named(name)) > 0 || k.awaits(name) || slices.ContainsFunc(k.guests, func(g *guest) bool { return g.name == name })
}

// awaits tells whether a recording of that name, which the rules want, is to
// begin yet, or is being decided about.
func (k *call) awaits(name string) bool {
	is := func(w wish) bool { return w.name == name }
	return slices.ContainsFunc(k.pending, is) || k.asks(name) != nil
}

// free is that name, or one like it that no recording of the call has.
func (k *call) free(name string) string {
	out := name
	for n := 2; k.taken(out); n++ {
		out = fmt.Sprintf("%s.%d", name, n)
	}
	return out
}

// each does something to all of these sessions. It gives those that took it; the
// error is of one that did not, where none did.
func each(all []*Session, do func(*Session) error) (took []*Session, err error) {
	err = ErrState
	for _, s := range all {
		if e := do(s); e != nil {
			err = e
			continue
		}
		took = append(took, s)
	}
	if len(took) > 0 {
		err = nil
	}
	return took, err
}
