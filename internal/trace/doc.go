// Package trace keeps the SIP messages of calls in memory, for the eyes of
// people: the ladder of one call with both its legs and its recording sessions,
// and a packet capture of it.
//
// A [Tracer] is told of every message that passes the sockets. It keeps those
// whose Call-ID began with an INVITE, a bounded number of each dialog and a
// bounded number of bytes in all: those of calls that have ended go first, then
// those that were silent longest. What was refused, or never answered, has a small
// part of it, so that a flood displaces no call. What dialogs have said that are
// silent now is compressed ([Tracer.Run]). A [Ladder] is what several
// Call-IDs have said, in order of time.
//
// Keys of media (SDES, RFC 4568) and answers to challenges (RFC 8760) never leave
// the package readable; numbers and names can be blackened too.
package trace
