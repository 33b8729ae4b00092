package metadata

import (
	"hash/maphash"
	"slices"
)

// Told is what a document has told a reader, as much of it as Diff needs: a digest of
// each element, in no order that counts. It is a tenth of what the document takes. The zero
// value is that of a document that says nothing. It is good within the process that made it.
type Told []uint64

var toldSeed = maphash.MakeSeed()

// Told is what a reader knows who has got the document.
func (r *Recording) Told() Told {
	d := newDigester(make(Told, 0, r.elements()))
	add(d, r.Groups)
	add(d, r.Sessions)
	add(d, r.Participants)
	add(d, r.Streams)
	add(d, r.SessionRecordingAssocs)
	add(d, r.ParticipantSessionAssocs)
	add(d, r.ParticipantStreamAssocs)
	add(d, r.Extensions)
	return d.told
}

// Diff returns the partial document (RFC 7865 §5) that leads from what was told
// before to after: each element of after that is new or changed, whole, since the RFC has
// no rule for merging parts of one. Elements that were only told before cannot be
// taken back by a partial document; a Builder does not drop any, but for a
// stream whose label has passed to another.
func Diff(before Told, after *Recording) *Recording {
	d := newDigester(before)
	return &Recording{
		DataMode:                 Partial,
		Groups:                   changed(d, after.Groups),
		Sessions:                 changed(d, after.Sessions),
		Participants:             changed(d, after.Participants),
		Streams:                  changed(d, after.Streams),
		SessionRecordingAssocs:   changed(d, after.SessionRecordingAssocs),
		ParticipantSessionAssocs: changed(d, after.ParticipantSessionAssocs),
		ParticipantStreamAssocs:  changed(d, after.ParticipantStreamAssocs),
		Extensions:               changed(d, after.Extensions),
	}
}

// digester writes element after element into one buffer.
type digester struct {
	told Told
	w    writer
}

func newDigester(told Told) *digester {
	return &digester{told: told, w: writer{b: make([]byte, 0, 4*usualSize)}}
}

func digest[T encoder](d *digester, x T) uint64 {
	d.w.b, d.w.open = d.w.b[:0], false
	x.encode(node{w: &d.w})
	return maphash.Bytes(toldSeed, d.w.b)
}

type encoder interface{ encode(node) }

func add[T encoder](d *digester, all []T) {
	for _, x := range all {
		d.told = append(d.told, digest(d, x))
	}
}

// changed returns the elements of after that were not told so.
func changed[T encoder](d *digester, after []T) (out []T) {
	for _, x := range after {
		if !slices.Contains(d.told, digest(d, x)) {
			out = append(out, x)
		}
	}
	return out
}
