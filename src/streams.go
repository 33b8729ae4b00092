package src

import (
	"iter"
	"slices"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// streams are the m-lines of a recording session, in order. They are never
// taken away, only disabled (RFC 3264 §8.2, RFC 7866 §7.1.1.1).
type streams struct {
	all       []*stream
	tracks    policy.Tracks
	media     []string // kinds of m-lines that are copied; nil: audio
	transcode Transcode
	dialect   *Dialect // who gets which label
	secure    bool     // what the call encrypts may be copied
	lines     []line   // the call's m-lines that are copied, audio first as they appeared

	extensions []string // Recorder.HeaderExtensions
}

// line is what must be remembered of an m-line of the call. A place that the call uses again
// for another kind is another one (RFC 3264 §8.1).
type line struct {
	index  int
	kind   string
	twoWay bool // both parties have been sending at once
}

// follow brings the streams into line with the call.
//
// A hold is a change: an m-line on which both parties sent and now one or none
// does is held, both directions of it, for what a held party goes on saying is
// not meant for the other. A call that has been one-way from its beginning (an
// announcement, early media) is not held.
func (l *streams) follow(cs *metadata.Snapshot) {
	for m := range l.copied(cs.Streams) {
		ordinal := l.ordinal(m)
		line := &l.lines[ordinal]
		both := m.Caller.Sends && m.Callee.Sends
		line.twoWay = line.twoWay || both
		held := line.twoWay && !both
		if l.mixed() {
			l.mix(ordinal, m, held)
			continue
		}
		calleeFirst := l.dialect.leads() == metadata.Callee
		if calleeFirst && l.tracks.Callee() {
			l.take(metadata.Callee, ordinal, m, m.Callee, held)
		}
		if l.tracks.Caller() {
			l.take(metadata.Caller, ordinal, m, m.Caller, held)
		}
		if !calleeFirst && l.tracks.Callee() {
			l.take(metadata.Callee, ordinal, m, m.Callee, held)
		}
	}
	for _, st := range l.all {
		st.gone = st.gone || !slices.ContainsFunc(cs.Streams, func(m metadata.MediaStream) bool {
			return m.Index == st.index && m.Kind == st.kind
		})
	}
}

// take brings one direction up to date; a new one gets an m-line at the end.
func (l *streams) take(party metadata.PartyRole, ordinal int, m metadata.MediaStream, f metadata.Flow, held bool) {
	st := l.find(party, m)
	usable := (!m.Secure || m.Keyed && l.secure) && describable(f.Formats) && (m.Kind != kindAudio || l.transcode.renders(f.Formats))
	if st == nil {
		if !usable {
			return
		}
		st = &stream{label: l.dialect.label(party, ordinal), party: party, kind: m.Kind, index: m.Index, flow: forker.AB}
		if party == metadata.Callee {
			st.flow = forker.BA
		}
		if m.Kind == kindAudio {
			st.transcode = l.transcode
		}
		l.all = append(l.all, st)
	}
	st.gone, st.held = !usable, held
	if !usable {
		return
	}
	st.leaving, st.secret = false, st.secret || m.Secure
	st.ptime = f.Ptime
	st.extensions.follow(f.Extensions, l.extensions, st.tap)
	if st.follow(f.Formats) {
		st.unsettle()
	}
}

// mixed tells whether both parties are to be in one stream. A single one's is sent
// as with any recorder.
func (l *streams) mixed() bool {
	return l.dialect.Streams == StreamsMixed && l.tracks.Caller() && l.tracks.Callee()
}

// mix is take for an m-line whose directions go as one.
func (l *streams) mix(ordinal int, m metadata.MediaStream, held bool) {
	st := l.find(metadata.Both, m)
	usable := (!m.Secure || m.Keyed && l.secure) && (decodables(m.Caller.Formats) || decodables(m.Callee.Formats))
	if st == nil {
		if !usable {
			return
		}
		st = &stream{label: l.dialect.label(metadata.Caller, ordinal), party: metadata.Both, kind: m.Kind, index: m.Index}
		st.follow(l.transcode.mixes(m.Caller.Formats))
		l.all = append(l.all, st)
	}
	st.gone, st.held, st.leaving = !usable, held, st.leaving && !usable
	st.secret = st.secret || m.Secure && usable
	st.listen(m)
}

// unrendered tells an m-line of which no recording is made for its codecs.
func (l *streams) unrendered(m metadata.MediaStream) bool {
	if l.mixed() {
		return m.Kind == kindAudio && describable(m.Caller.Formats) && !decodables(m.Caller.Formats)
	}
	return m.Kind == "audio" && describable(m.Caller.Formats) && !l.transcode.renders(m.Caller.Formats)
}

// describable tells whether any of the formats can be offered.
func describable(formats []metadata.Format) bool {
	return slices.ContainsFunc(formats, func(f metadata.Format) bool { return f.Name != "" && f.Clock > 0 && copyable(f) })
}

func (l *streams) ordinal(m metadata.MediaStream) int {
	i := slices.IndexFunc(l.lines, func(o line) bool { return o.index == m.Index && o.kind == m.Kind })
	if i < 0 {
		l.lines = append(l.lines, line{index: m.Index, kind: m.Kind})
		i = len(l.lines) - 1
	}
	return i
}

// kindAudio is the m-line of which recorders tell the parties by label: it comes
// first, wherever it stands in the call.
const kindAudio = "audio"

// copied are the m-lines of the kinds that are copied, audio first.
func (l *streams) copied(all []metadata.MediaStream) iter.Seq[metadata.MediaStream] {
	return func(yield func(metadata.MediaStream) bool) {
		for _, m := range all {
			if m.Kind == kindAudio && (l.media == nil || slices.Contains(l.media, kindAudio)) && !yield(m) {
				return
			}
		}
		for _, m := range all {
			if m.Kind != kindAudio && slices.Contains(l.media, m.Kind) && !l.mixed() && !yield(m) {
				return
			}
		}
	}
}

func (l *streams) find(party metadata.PartyRole, m metadata.MediaStream) *stream {
	for _, st := range l.all {
		if st.party == party && st.index == m.Index && st.kind == m.Kind {
			return st
		}
	}
	return nil
}

// recordable tells whether any stream can be copied now.
func (l *streams) recordable() bool {
	return slices.ContainsFunc(l.all, func(st *stream) bool { return !st.gone })
}

// untapped tells whether a stream has no tap yet.
func (l *streams) untapped() bool {
	return slices.ContainsFunc(l.all, func(st *stream) bool { return !st.gone && st.tap == nil })
}

// tapped tells whether any stream has a tap.
func (l *streams) tapped() bool {
	return slices.ContainsFunc(l.all, func(st *stream) bool { return st.tap != nil })
}

// fork makes the taps that are missing; those of streams that hides names begin paused.
func (l *streams) fork(relay *forker.Relay, cfg forker.TapConfig, cname func(metadata.PartyRole) string, hides func(*stream) bool) (err error) {
	for _, st := range l.all {
		if st.gone || st.tap != nil {
			continue
		}
		cfg.CNAME, cfg.Paused = cname(st.party), hides(st)
		if e := st.fork(relay, cfg); err == nil {
			err = e
		}
	}
	return err
}

func (l *streams) close() {
	for _, st := range l.all {
		st.closeTap()
	}
}

// labeled is what the metadata says of the streams.
func (l *streams) labeled() []metadata.LabeledStream {
	out := make([]metadata.LabeledStream, len(l.all))
	for i, st := range l.all {
		out[i] = metadata.LabeledStream{Label: st.label, Party: st.party, Index: st.index, Active: !st.gone && !st.leaving}
	}
	return out
}
