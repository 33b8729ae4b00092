// Package resolve turns SIP URIs into the addresses to try (RFC 3263 §4).
//
// A [Resolver] asks the system's name servers and keeps what they say for its
// time to live. A lookup derives from a URI which questions it needs (NAPTR,
// SRV, A, AAAA) and from their answers the [Endpoint]s in order; it is repeated
// from what is in the cache until no question is open, all open questions of a
// round going out at once. Equal questions of several lookups are asked once.
// Names of the hosts file, and localhost, need no name server. When none
// answers, what it said within the last hour stands.
package resolve
