// Package resolve turns SIP URIs into the addresses to try (RFC 3263 §4).
//
// A [Resolver] asks the system's name servers and keeps what they say for its
// time to live. A lookup derives from a URI which questions it needs (NAPTR,
// SRV, A, AAAA) and from their answers the [Endpoint]s in order; it is repeated
// from what is in the cache until no question is open, all open questions of a
// round going out at once. Equal questions of several lookups are asked once.
// Names of the hosts file, and localhost, need no name server.
//
// When no name server answers, what was said within the last hour stands
// (RFC 8767): a Lookup gives it after a second, [Resolver.Known] at once from then
// on, and [Resolver.Refresh] asks again now and then while nobody waits. A question
// goes on when nobody waits for it any more, so that an answer that comes late, or
// the trouble with it, is known to the next one who asks.
package resolve
