// Package peer holds scripted callers, PBXs and recorders on plain sockets, for tests.
//
// It shares no code with the product: messages are built and read as text by a small parser of its own, so that a
// mistake in the product's SIP, SDP, multipart or metadata code cannot hide behind the same mistake here.
//
// A Peer is one SIP address with a UDP socket, a TCP listener, or both. It sends requests (Outgoing), awaits requests
// (Incoming) and keeps dialogs (Dialog); a test is straight code: caller.Invite, callee.Expect("INVITE").Reply(200).
// A Media is one m-line: an RTP and an RTCP socket whose packets carry who sent them in which call and as the
// how-manyeth. A Recorder is a Peer that plays the SRS (RFC 7866) and checks what it is sent. A Ladder notes every
// message of all peers and prints them when the test fails.
//
// Everything that waits waits for a condition and gives up after Patience. Methods that can fail the test must be
// called from the test's goroutine, except where said otherwise.
package peer
