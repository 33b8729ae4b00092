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
	d := digester{told: make(Told, 0, len(r.Groups)+len(r.Sessions)+len(r.Participants)+len(r.Streams)+
		len(r.SessionRecordingAssocs)+len(r.ParticipantSessionAssocs)+len(r.ParticipantStreamAssocs)+len(r.Extensions))}
	add(&d, r.Groups)
	add(&d, r.Sessions)
	add(&d, r.Participants)
	add(&d, r.Streams)
	add(&d, r.SessionRecordingAssocs)
	add(&d, r.ParticipantSessionAssocs)
	add(&d, r.ParticipantStreamAssocs)
	add(&d, r.Extensions)
	return d.told
}

// Diff returns the partial document (RFC 7865 §5) that leads from what was told
// before to after: each element of after that is new or changed, whole, since the RFC has
// no rule for merging parts of one. Elements that were only told before cannot be
// taken back by a partial document; a Builder does not drop any, but for a
// stream whose label has passed to another.
func Diff(before Told, after *Recording) *Recording {
	d := digester{told: before}
	return &Recording{
		DataMode:                 Partial,
		Groups:                   changed(&d, after.Groups),
		Sessions:                 changed(&d, after.Sessions),
		Participants:             changed(&d, after.Participants),
		Streams:                  changed(&d, after.Streams),
		SessionRecordingAssocs:   changed(&d, after.SessionRecordingAssocs),
		ParticipantSessionAssocs: changed(&d, after.ParticipantSessionAssocs),
		ParticipantStreamAssocs:  changed(&d, after.ParticipantStreamAssocs),
		Extensions:               changed(&d, after.Extensions),
	}
}

// digester writes element after element into one buffer.
type digester struct {
	told Told
	w    writer
}

func (d *digester) of(x encoder) uint64 {
	d.w.b, d.w.open = d.w.b[:0], false
	x.encode(node{w: &d.w})
	return maphash.Bytes(toldSeed, d.w.b)
}

type encoder interface{ encode(node) }

func add[T encoder](d *digester, all []T) {
	for _, x := range all {
		d.told = append(d.told, d.of(x))
	}
}

// changed returns the elements of after that were not told so.
func changed[T encoder](d *digester, after []T) (out []T) {
	for _, x := range after {
		if !slices.Contains(d.told, d.of(x)) {
			out = append(out, x)
		}
	}
	return out
}
