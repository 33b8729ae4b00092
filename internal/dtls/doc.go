// Package dtls agrees on the keys of SRTP by a DTLS handshake on the media path
// (RFC 5763, RFC 5764), over a pipe of datagrams that somebody else moves.
//
// An [Identity] is our self-signed certificate; its fingerprint goes into SDP. A
// [Peer] is what SDP says of the other end. [Peer.Run] shakes hands on a goroutine
// of its caller, off the packet path, and tells the keys once the other end has
// shown a certificate with one of the fingerprints that SDP names (RFC 8122).
// Nothing else of the connection is used.
package dtls
