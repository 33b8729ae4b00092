// Package hep mirrors what passes the proxy to a Homer, or another receiver of
// the Homer Encapsulation Protocol, version 3 (HEPv3): SIP messages, RTCP and the
// verdicts on recordings.
//
// A [Mirror] takes packets without waiting and has one goroutine send them, over
// UDP, TCP or TLS. What its queue does not hold, or no connection takes, is
// dropped and counted. [Mirror.Redirect] turns it to another receiver, or to none.
// All packets of a call, those of its legs and of its recording sessions, carry the
// call's Call-ID as correlation identifier: who makes a dialog for a call tells
// [Mirror.Relate] before its first message.
//
// HEPv3 is big-endian: the letters HEP3, the length of the whole in 16 bits, then
// chunks, each with a vendor (0), a type and its own length in 16 bits each.
package hep
