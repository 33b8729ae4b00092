package metadata

import (
	"slices"
	"time"
)

// Merge returns what a reader knows after update has come upon state, as a
// complete document; both stay as they are. A nil state is an empty one.
//
// A complete update replaces everything. In a partial one an element replaces
// that of the same identifier; RFC 7865 has no finer rule, and RFC 8068 §3.2.2
// implies this one for send and recv. Children that an element leaves out and
// that cannot change back, such as a start-time, stay known. A new stream takes
// its label over from an old one, which is gone then (RFC 8068 §3.2.3).
func Merge(state, update *Recording) *Recording {
	out := &Recording{}
	if state != nil && update.Mode() == Partial {
		*out = *state
	}
	out.DataMode, out.read = Complete, nil
	out.Groups = merge(out.Groups, update.Groups)
	out.Sessions = merge(out.Sessions, update.Sessions)
	out.Participants = merge(out.Participants, update.Participants)
	out.Streams = merge(out.Streams, update.Streams)
	out.SessionRecordingAssocs = merge(out.SessionRecordingAssocs, update.SessionRecordingAssocs)
	out.ParticipantSessionAssocs = merge(out.ParticipantSessionAssocs, update.ParticipantSessionAssocs)
	out.ParticipantStreamAssocs = merge(out.ParticipantStreamAssocs, update.ParticipantStreamAssocs)
	out.Extensions = merge(out.Extensions, update.Extensions)
	return out
}

// element is a tuple that can replace another: over returns what old becomes by
// it, or false when the two are different things. Two without a common key are.
type element[T any] interface {
	over(old T) (merged T, same bool)
	keys() []string
}

func merge[T element[T]](state, update []T) []T {
	out := slices.Clone(state)
	places := make(map[string][]int, len(out)+len(update)) // of each key, in order
	place := func(x T, i int) {
		for _, k := range x.keys() {
			places[k] = append(places[k], i)
		}
	}
	for i, x := range out {
		place(x, i)
	}
next:
	for _, x := range update {
		var known []int
		keys := x.keys()
		for _, k := range keys {
			known = append(known, places[k]...)
		}
		if len(keys) > 1 {
			slices.Sort(known)
		}
		for _, i := range known {
			if merged, same := x.over(out[i]); same {
				if !slices.Equal(merged.keys(), out[i].keys()) {
					place(merged, i)
				}
				out[i] = merged
				continue next
			}
		}
		out = append(out, x)
		place(x, len(out)-1)
	}
	return out
}

func (g Group) keys() []string                   { return []string{string(g.ID)} }
func (s Session) keys() []string                 { return []string{string(s.ID)} }
func (p Participant) keys() []string             { return []string{string(p.ID)} }
func (a SessionRecordingAssoc) keys() []string   { return []string{string(a.SessionID)} }
func (a ParticipantSessionAssoc) keys() []string { return []string{string(a.ParticipantID)} }
func (a ParticipantStreamAssoc) keys() []string  { return []string{string(a.ParticipantID)} }
func (e Extension) keys() []string               { return []string{e.xml} }

func (s Stream) keys() []string {
	if s.Label == "" {
		return []string{"id " + string(s.ID)}
	}
	return []string{"id " + string(s.ID), "label " + s.Label}
}

// keep fills in a time that is absent.
func keep(t *time.Time, old time.Time) {
	if t.IsZero() {
		*t = old
	}
}

// keepList fills in a list that is absent.
func keepList[T any](list *[]T, old []T) {
	if len(*list) == 0 {
		*list = old
	}
}

func (g Group) over(old Group) (Group, bool) {
	keep(&g.Associated, old.Associated)
	keep(&g.Disassociated, old.Disassociated)
	keepList(&g.Extensions, old.Extensions)
	return g, g.ID == old.ID
}

func (s Session) over(old Session) (Session, bool) {
	keepList(&s.SIPSessionIDs, old.SIPSessionIDs)
	keepList(&s.Reasons, old.Reasons)
	keepList(&s.Extensions, old.Extensions)
	keep(&s.Start, old.Start)
	keep(&s.Stop, old.Stop)
	if s.GroupRef == "" {
		s.GroupRef = old.GroupRef
	}
	return s, s.ID == old.ID
}

func (p Participant) over(old Participant) (Participant, bool) {
	keepList(&p.NameIDs, old.NameIDs)
	keepList(&p.Extensions, old.Extensions)
	return p, p.ID == old.ID
}

func (s Stream) over(old Stream) (Stream, bool) {
	if s.ID != old.ID {
		return s, s.Label != "" && s.Label == old.Label
	}
	if s.Label == "" {
		s.Label = old.Label
	}
	if s.SessionID == "" {
		s.SessionID = old.SessionID
	}
	keepList(&s.Extensions, old.Extensions)
	return s, true
}

func (a SessionRecordingAssoc) over(old SessionRecordingAssoc) (SessionRecordingAssoc, bool) {
	if a.SessionID != old.SessionID || !sameStay(a.Associated, old.Associated, old.Disassociated) {
		return a, false
	}
	keep(&a.Associated, old.Associated)
	keepList(&a.Extensions, old.Extensions)
	return a, true
}

func (a ParticipantSessionAssoc) over(old ParticipantSessionAssoc) (ParticipantSessionAssoc, bool) {
	if a.ParticipantID != old.ParticipantID || a.SessionID != old.SessionID || !sameStay(a.Associated, old.Associated, old.Disassociated) {
		return a, false
	}
	keep(&a.Associated, old.Associated)
	keepList(&a.Params, old.Params)
	keepList(&a.Extensions, old.Extensions)
	return a, true
}

func (a ParticipantStreamAssoc) over(old ParticipantStreamAssoc) (ParticipantStreamAssoc, bool) {
	if a.ParticipantID != old.ParticipantID || !sameStay(a.Associated, old.Associated, old.Disassociated) {
		return a, false
	}
	keep(&a.Associated, old.Associated)
	keepList(&a.Extensions, old.Extensions)
	return a, true
}

func (e Extension) over(old Extension) (Extension, bool) { return e, e == old }

// sameStay reports whether an association that began at associated is the one
// that is known with these times, and not another stay of who left and came
// back (RFC 7865 §6.6.1). Without a time it is the one that has not ended.
func sameStay(associated, from, to time.Time) bool {
	if associated.IsZero() || from.IsZero() {
		return to.IsZero()
	}
	return associated.Equal(from)
}
