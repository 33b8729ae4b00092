// Package lint judges SIPREC messages with the eyes of a strict recorder: an INVITE, re-INVITE, UPDATE or BYE of a recording
// session, captured or generated, or a metadata document alone.
//
// [Read] takes a file apart, whatever it is (pcap, pcapng, SIP as text, XML), into [Item]s; [Item.Judge] gives the
// [Finding]s of one, each with the rule that it breaks and the line where it stands. Flow: Read → Judge → printed by
// `sidetrack lint`. What is judged came from somewhere: each reader is bounded and none trusts a length.
//
// RFC 7866 §6–9, RFC 7865 §5–6, RFC 9806 (media type), RFC 4574 (labels), RFC 3264, RFC 8866 (SDP), RFC 5621 (bodies).
package lint
