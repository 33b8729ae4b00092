// Package demo is a whole telephone system in one process on loopback: callers,
// a PBX, the proxy and two SRSs, the first of which refuses every session.
//
// Its nouns. A [System] is started, places its calls, and is asked for its
// [Report], which it makes by listening to the files that the second SRS left:
// each party's voice must be in its own file and in no other, the hold must be
// silent in both, and the metadata must be right. A phone is one user agent;
// callers and PBX are phones. They speak real SIP and RTP over real sockets.
package demo
