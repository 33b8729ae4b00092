// Package srtp opens and seals SRTP (RFC 3711, RFC 6188, RFC 7714) for parties
// that stand beside a stream rather than at its end.
//
// A [Key] is what an a=crypto line of SDES (RFC 4568) says of one direction. An
// [Opener] authenticates and decrypts what one party sends; it follows the
// rollover counters itself, also while nobody listens, and keeps the former key
// around a rekeying. A [Sealer] encrypts one source. Neither allocates once its
// buffers are there, and neither is for concurrent use. Keys hide themselves
// from logs and from JSON.
//
// Sections: RFC 3711 §3.3.1 (packet index), §3.3.2 (replay), §3.4 (SRTCP),
// §8 (rekeying), RFC 4568 §6 (suites).
package srtp
