package src

import (
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
	transcode Transcode
	dialect   Dialect     // who gets which label
	secure    bool        // what the call encrypts may be copied
	audio     []audioLine // the call's audio m-lines, in the order in which they appeared
}

// audioLine is what must be remembered of an audio m-line of the call.
type audioLine struct {
	index  int
	twoWay bool // both parties have been sending at once
}

// follow brings the streams into line with the call.
//
// A hold is a change: an m-line on which both parties sent and now one or none
// does is held, both directions of it, for what a held party goes on saying is
// not meant for the other. A call that has been one-way from its beginning (an
// announcement, early media) is not held.
func (l *streams) follow(cs metadata.Snapshot) {
	for _, m := range cs.Streams {
		if m.Kind != "audio" {
			continue
		}
		ordinal := l.ordinal(m.Index)
		line := &l.audio[ordinal]
		both := m.Caller.Sends && m.Callee.Sends
		line.twoWay = line.twoWay || both
		held := line.twoWay && !both
		if l.dialect.CalleeFirst && l.tracks.Callee() {
			l.take(metadata.Callee, ordinal, m, m.Callee, held)
		}
		if l.tracks.Caller() {
			l.take(metadata.Caller, ordinal, m, m.Caller, held)
		}
		if !l.dialect.CalleeFirst && l.tracks.Callee() {
			l.take(metadata.Callee, ordinal, m, m.Callee, held)
		}
	}
	for _, st := range l.all {
		st.gone = st.gone || !slices.ContainsFunc(cs.Streams, func(m metadata.MediaStream) bool {
			return m.Index == st.index && m.Kind == "audio"
		})
		if st.gone {
			st.closeTap()
		}
	}
}

// take brings one direction up to date; a new one gets an m-line at the end.
func (l *streams) take(party metadata.PartyRole, ordinal int, m metadata.MediaStream, f metadata.Flow, held bool) {
	st := l.find(party, m.Index)
	usable := (!m.Secure || m.Keyed && l.secure) && describable(f.Formats) && l.transcode.renders(f.Formats)
	if st == nil {
		if !usable {
			return
		}
		st = &stream{label: l.dialect.label(party, ordinal), party: party, index: m.Index, flow: forker.AB}
		if party == metadata.Callee {
			st.flow = forker.BA
		}
		st.transcode = l.transcode
		l.all = append(l.all, st)
	}
	st.gone, st.held = !usable, held
	if !usable {
		return
	}
	st.ptime = f.Ptime
	if st.follow(f.Formats) {
		st.unsettle()
	}
}

// unrendered tells an m-line of which no recording is made for its codecs.
func (l *streams) unrendered(m metadata.MediaStream) bool {
	return m.Kind == "audio" && describable(m.Caller.Formats) && !l.transcode.renders(m.Caller.Formats)
}

func describable(formats []metadata.Format) bool {
	return slices.ContainsFunc(formats, func(f metadata.Format) bool { return f.Name != "" && f.Clock > 0 })
}

func (l *streams) ordinal(index int) int {
	i := slices.IndexFunc(l.audio, func(a audioLine) bool { return a.index == index })
	if i < 0 {
		l.audio = append(l.audio, audioLine{index: index})
		i = len(l.audio) - 1
	}
	return i
}

func (l *streams) find(party metadata.PartyRole, index int) *stream {
	for _, st := range l.all {
		if st.party == party && st.index == index {
			return st
		}
	}
	return nil
}

// recordable tells whether any stream can be copied now.
func (l *streams) recordable() bool {
	return slices.ContainsFunc(l.all, func(st *stream) bool { return !st.gone })
}

// fork makes the taps that are missing.
func (l *streams) fork(relay *forker.Relay, cfg forker.TapConfig, cname func(metadata.PartyRole) string) error {
	for _, st := range l.all {
		if st.gone || st.tap != nil {
			continue
		}
		cfg.CNAME = cname(st.party)
		if err := st.fork(relay, cfg); err != nil {
			return err
		}
	}
	return nil
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
		out[i] = metadata.LabeledStream{Label: st.label, Party: st.party, Index: st.index, Active: !st.gone}
	}
	return out
}
