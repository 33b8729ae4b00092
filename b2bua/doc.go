// Package b2bua is the Communication Session: the call that passes through the
// proxy and may be recorded.
//
// Its nouns. A [Server] receives requests and owns the calls of all lanes. A
// [Call] has two legs: leg A towards the originator, where we are the UAS, and
// leg B towards the far side, where we are the UAC. An early or confirmed pair
// of dialogs, one per leg, is a branch; forked answers make several. A request
// that crosses the call, with its responses and its ACK, is an exchange. A
// request outside calls is a passage; a phone that registered through us is a
// binding, reached by a token in our Contact or Path.
//
// The flow of an INVITE, read downwards: Server.OnRequest (sanity, capacity,
// route) → newCall → Call.dial (anchor the offer, ask the next target) →
// exchange.OnResponse (anchor the answer, tell the Recorder, answer leg A) →
// Call.onAck → requests within the dialog by Call.onRequest → Call.end.
//
// Everything of a call happens on the goroutine of its lane (package txn), in
// the order of arrival. Calls are plain data: no locks, no channels, nothing of
// a call waits for its recording unless a rule demands a recording. What calls of
// different lanes must find of each other, registered phones and the names of
// dialogs, stands in two tables whose locks are leaves.
//
// RFC 3261 (UAS §8.2, UAC §8.1, dialogs §12, sessions §13–15), RFC 3264
// (offer/answer), RFC 3262 (100rel), RFC 3311 (UPDATE), RFC 6026 (2xx), RFC
// 3327 and 5626 (registered phones), RFC 3891, 3911 and 4538 (dialogs named), RFC
// 7092 (the roles of a B2BUA: here a media relay).
package b2bua
