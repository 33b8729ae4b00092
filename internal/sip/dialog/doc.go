// Package dialog keeps the state of one SIP dialog as plain data, without I/O.
//
// A [Dialog] is our side's view: local and remote identity with their tags, remote target, route set and the two
// sequence numbers. NewUAS makes it from a request that we answer, NewUAC from our request and a response with a
// To-tag; each To-tag is a dialog of its own. Request builds what is sent within it, Refresh and AcceptCSeq take in
// what arrives. It is never asked where a message goes; it says which URI to resolve.
//
// # Flow
//
// NewUAC or NewUAS → Request (NextHop is what the request is sent to) → Refresh with each target refresh; AcceptCSeq
// with each request of the peer.
//
// # RFC sections
//
// RFC 3261 §12 (dialogs), §12.2.1.1 (building a request, strict routers), §12.2.2 (order of requests), §13.2.2.4
// (route set of the 2xx), §16.12.1.2 (strict routing by example); RFC 6141 §4.6 (target refresh); RFC 6665 §4.4.1
// (dialogs of NOTIFY).
package dialog
