// Package src is the Session Recording Client of RFC 7866: "src" is the RFC's
// abbreviation, not "sources".
//
// A [Client] hears of every communication session (CS), asks the policy whether
// it is to be recorded, and holds one [Session] per recording: our dialog (RS)
// with one Session Recording Server (SRS). A Session keeps the wish to record;
// each attempt at one SRS is born and dies on its own, so that failover is one
// loop in one place. A stream is one m-line of the RS: a tap on one direction
// of the call's media and what the SRS has agreed to about it. A [View] is what
// the outside sees of a Session.
//
// # Flow
//
//	Client.Begin → call.applyRule → Session.start → streams.follow, fork
//	→ Session.next → attempt.begin → offer + document → INVITE
//	→ 2xx: attempt.onSuccess → Session.onUp → stream.agree → tap.SendTo
//	→ anything else: Session.onAttemptFailed → next target, or the end
//	watch.tick, check, BYE … → Session.lose → depart → round → Session.next → onMoved
//	Client.Update → Session.onSnapshot → steer the taps → flush → re-INVITE
//	Client.End → Session.finish → taps closed → BYE
//
// Everything about one call happens on one lane (txn.Lane), in the order in
// which it happened: a Session is plain data, its methods are event handlers,
// and no handler waits. Names are resolved and connections opened elsewhere.
// Other goroutines post to the lane or read what the Session has published.
//
// # Sections
//
// RFC 7866 §6.1, §7.1, §9.1 (what a client does, its SDP, its metadata), RFC
// 9806 (media type), RFC 7865 (documents), RFC 8068 (call flows), RFC 3264
// (offer and answer), RFC 3261 §9, §12–15 (CANCEL, dialogs, INVITE, BYE), RFC
// 3311 (UPDATE), RFC 4028 (session timer), RFC 4568 §5, §8.3 (keys of SRTP), RFC
// 4574 (labels), RFC 7616 and RFC 8760 (digest).
package src
