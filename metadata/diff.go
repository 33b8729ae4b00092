package metadata

import (
	"reflect"
	"slices"
)

// Diff returns the partial document (RFC 7865 §5) that leads from before to
// after: each element of after that is new or changed, whole, since the RFC has
// no rule for merging parts of one. Elements that are only in before cannot be
// taken back by a partial document; a Builder does not drop any, but for a
// stream whose label has passed to another.
func Diff(before, after *Recording) *Recording {
	return &Recording{
		DataMode:                 Partial,
		Groups:                   changed(before.Groups, after.Groups),
		Sessions:                 changed(before.Sessions, after.Sessions),
		Participants:             changed(before.Participants, after.Participants),
		Streams:                  changed(before.Streams, after.Streams),
		SessionRecordingAssocs:   changed(before.SessionRecordingAssocs, after.SessionRecordingAssocs),
		ParticipantSessionAssocs: changed(before.ParticipantSessionAssocs, after.ParticipantSessionAssocs),
		ParticipantStreamAssocs:  changed(before.ParticipantStreamAssocs, after.ParticipantStreamAssocs),
		Extensions:               changed(before.Extensions, after.Extensions),
	}
}

// changed returns the elements of after that before does not have so.
func changed[T any](before, after []T) (out []T) {
	for _, a := range after {
		if !slices.ContainsFunc(before, func(b T) bool { return reflect.DeepEqual(a, b) }) {
			out = append(out, a)
		}
	}
	return out
}
