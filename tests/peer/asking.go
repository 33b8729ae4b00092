package peer

import "net/netip"

// Ask sends the INVITE by which an SRS asks for a recording (RFC 7866 §6.1.1): both tags, no description.
func (r *Recorder) Ask(to netip.AddrPort, uri string, opts ...Opt) *Outgoing {
	return r.AskOver("udp", to, uri, opts...)
}

// AskOver is Ask over another transport.
func (r *Recorder) AskOver(network string, to netip.AddrPort, uri string, opts ...Opt) *Outgoing {
	return r.Invite(to, Call{Network: network, URI: uri, From: "<sip:" + r.Name + "@recorders.test>", Opts: append([]Opt{
		With("Contact", r.Contact(network)+";+sip.srs"), With("Require", "siprec"),
		With("Accept", "application/sdp, application/rs-metadata+xml"),
	}, opts...)})
}

// Asked judges the 200 to such an INVITE, acknowledges it with an answer to the offer in it, and gives the session.
func (r *Recorder) Asked(out *Outgoing) *Session {
	r.t.Helper()
	ok := out.Expect(200)
	s := &Session{Recorder: r, Dialog: out.Dialog(ok), Streams: map[string]*Media{}}
	s.note(&Incoming{Message: ok, Peer: r.Peer})
	s.Dialog.Ack(ok, WithSDP(s.Answer()))
	return s
}
