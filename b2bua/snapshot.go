package b2bua

import (
	"sidetrack/internal/sdp"
	"sidetrack/metadata"
)

// snapshot is the call as its recorder sees it.
func (c *Call) snapshot() metadata.Snapshot {
	s := metadata.Snapshot{
		ID: c.id, SIPCallID: c.in.CallID, SessionID: c.who.sessionID(), Group: c.srv.links.group(c),
		Caller: c.who.party[sideA], Callee: c.who.party[sideB], Diverted: c.who.diverted, Answer: c.who.answer,
		Started: c.started, Answered: c.answered, Ended: c.ended,
		State: metadata.CallEarly, Reasons: c.reasons, Streams: c.media.said.media(),
	}
	switch {
	case !c.ended.IsZero():
		s.State = metadata.CallEnded
	case !c.answered.IsZero():
		s.State = metadata.CallAnswered
	}
	return s
}

// streams are the media that two descriptions agree on. Who gets them does not change them.
func (c *Call) streams(said [2]*sdp.Session) []metadata.MediaStream {
	a, b := said[sideA].Media(), said[sideB].Media()
	out := make([]metadata.MediaStream, 0, min(len(a), len(b)))
	for i := range cap(out) {
		if !a[i].UDP() || !b[i].UDP() {
			continue // it passes us by
		}
		m := streamOf(i, a[i], b[i])
		if c.security.rule != nil { // what ends here can be copied
			m.Secure, m.Keyed = c.security.encrypts(sideA, i, a[i]) || c.security.encrypts(sideB, i, b[i]), true
		}
		out = append(out, m)
	}
	return out
}

func streamOf(i int, a, b *sdp.Media) metadata.MediaStream {
	callerSends, calleeSends := sdp.Negotiated(a, b)
	_, _, keyed := sdp.SDES(a, b)
	return metadata.MediaStream{
		Index: i, Kind: a.Kind, Secure: a.Secure() || b.Secure() || keyed, Keyed: keyed,
		Caller: metadata.Flow{Formats: formats(callerSends), Sends: sends(a, b), Ptime: attr(b, "ptime"), Extensions: extensions(a, b)},
		Callee: metadata.Flow{Formats: formats(calleeSends), Sends: sends(b, a), Ptime: attr(a, "ptime"), Extensions: extensions(b, a)},
	}
}

func attr(m *sdp.Media, name string) string {
	v, _ := m.Attr(name)
	return v
}

func extensions(sender, receiver *sdp.Media) (out []metadata.HeaderExtension) {
	for _, e := range sdp.NegotiatedExtensions(sender, receiver) {
		out = append(out, metadata.HeaderExtension{ID: uint8(e.ID), URI: e.URI, Attributes: e.Attributes})
	}
	return out
}

func formats(in []sdp.Format) []metadata.Format {
	out := make([]metadata.Format, len(in))
	for i, f := range in {
		out[i] = metadata.Format{PT: f.PT, Name: f.Name, Clock: f.Clock, Channels: f.Channels, Fmtp: f.Fmtp}
	}
	return out
}
