// Package sdp reads, edits and writes session descriptions (RFC 8866) for a
// relay that must not break what it does not understand.
//
// A [Session] is the lines of a description with their line endings; a [Media]
// is the lines of one m= section of it. Nothing is ever refused because it is
// unknown, and bytes that were not edited come out as they went in. An [Offer]
// is a description of our own; [MatchAnswer] says what a peer made of it.
//
// Flow of a call: Parse → Media.Anchor per relayed m-line → Bytes; Negotiated
// tells what each side will send. Flow of a recording session: Offer.Bytes →
// Parse the answer → MatchAnswer.
//
// Sections: RFC 8866 §5 (lines), RFC 3264 §5–8 (offer and answer), RFC 3605
// (a=rtcp), RFC 4568 §5, §6, §9.1 (a=crypto), RFC 5761 (rtcp-mux), RFC 4574 (label), RFC 8839 and RFC 8840 (ICE,
// removed when we anchor), RFC 9143 (BUNDLE, dropped when we anchor).
package sdp
