// Package sip holds SIP messages as the B2BUA needs them: header fields in arrival order with their bytes kept.
//
// A [Message] is a start line, a list of [Header] fields and a body; nothing in it is rewritten unless somebody asks for it.
// [NameAddr], [URI] and [Via] are read-only views of a field's value, made on demand and never written back whole.
// [WithTag] and [WithURI] edit a From, To or Contact value in place and leave its other bytes alone.
// A [ParseError] says whether a wrong message is answered (and with what) or dropped.
//
// # Flow
//
// Parse: precheck (sizes, counts, stray control bytes) → start line → header fields (sipgo's parser, with every field
// left generic) → body by Content-Length → check of meaning (RFC 3261 §8.1.1, §18.3). Message.Bytes is the way back;
// it alone writes Content-Length.
//
// # RFC sections
//
// RFC 3261 §7 (messages), §8.1.1 (mandatory fields), §8.2.6.2 (fields of a response), §18.3 (framing), §19.1 (URIs),
// §20 (header fields), §25 (grammar); RFC 4475 and RFC 5118 (torture messages); RFC 3841, 3892, 4028, 6665, 8224
// (compact forms).
package sip
