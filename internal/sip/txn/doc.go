// Package txn is the SIP transaction layer: the four machines of RFC 3261 §17
// with RFC 6026, and the lanes on which all SIP state of the process lives.
//
// A [Lane] is a mailbox in order of arrival, a heap of timers, and a turn that
// one goroutine at a time has: the lane's own or, when the lane is idle, the
// transport reader that brings a message. Everything of one Call-ID runs on one
// lane, so that calls are plain data without locks. A [ServerTx] is a request
// that we were asked; a [ClientTx] is one that we ask. Both belong to their lane,
// on which also the [Handler], the [DialogHandler] that a dialog was bound to, and
// the [ClientHandler] are called.
//
//	transport reader ──Receive──▶ mailbox of hash(Call-ID) ──▶ who has the turn
//	                                                           │ known transaction? absorb, resend
//	                                                           │ CANCEL? answer, tell the INVITE's handler
//	                                                           ▼ else bound dialog, else Handler
//
// What belongs to something that runs is known when it is read: a request by its
// Call-ID, which its lane has entered (Lane.Enter), a response by the branch, which bears
// a seal of ours. It comes first. What begins something waits behind it, and so does
// what only looks as if it belonged to a dialog; who is not known waits behind both. ACKs
// and responses to nothing end at the reader.
//
// Server INVITE transactions (§17.2.1, RFC 6026 §7.1):
//
//	            1xx           300–699                ACK
//	INVITE ▶ Proceeding ──────────────▶ Completed ──────▶ Confirmed ──I──▶ gone
//	              │ 2xx                  G resends, H ends
//	              ▼
//	          Accepted ──L──▶ gone       the 2xx is resent until Acked, §13.3.1.4
//
// Client INVITE transactions (§17.1.1, RFC 6026 §7.2):
//
//	             1xx            300–699, ACK sent
//	Calling ──▶ Proceeding ──────────────▶ Completed ──D──▶ gone
//	 A resends   C ends    │ 2xx
//	 B ends                ▼
//	                    Accepted ──M──▶ gone    every 2xx goes up
//
// The others (§17.1.2, §17.2.2) wait in Trying and Proceeding (E resends, F
// ends) and in Completed (K, J).
//
// No transaction has a goroutine or a channel. What is left of one after its
// final response is its key and the stored bytes that a retransmission needs.
// DNS and connecting happen in workers that post their result to the lane.
package txn
