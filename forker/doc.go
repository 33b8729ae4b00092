// Package forker is the media plane: it relays the datagrams of a call between
// its two parties and copies each direction to a Session Recording Server.
//
// An Engine owns a range of UDP ports and the workers that read them. A Relay
// is the media of one call: for each m-line (Stream) an even/odd pair of ports
// towards either Side, and two Flows, AB (caller to callee) and BA. A Tap is
// the copy of one Flow, sent from ports of its own to the address that the
// recorder has signalled. What the parties exchange passes as it is; towards
// the recorder a Tap is an RTP endpoint with its own SSRC, CNAME, sequence and
// timestamp space and its own RTCP (RFC 7866 §8.2.3).
//
// The way of a datagram, all of it on the goroutine that read it:
//
//  1. a driver reads it from a socket and hands it to the socket's route
//  2. route.handle: who may send here (latch), RTP or RTCP (RFC 5761 §4), count
//  3. it is forwarded from the advertised port of the other side (RFC 4961)
//  4. then, and only then, each Tap of the flow numbers its copy, rewrites the
//     header in place, without extensions that the recorder has not taken (extension.go), and sends it; a copy that the kernel does not take at once
//     is dropped and counted
//
// What a party sends as SRTP passes as it is; taps copy it in clear when
// SetRemote has told the key (secure.go), and seal theirs with one of their own
// (seal.go). Or SRTP ends on each leg (terminate.go): then a packet is opened
// after step 2 and sealed for the other side in step 3, and one that is not
// authentic, or comes again, goes nowhere. Keys come with SetRemote, or by DTLS on
// the leg itself, whose handshake has a goroutine of its own (handshake.go).
//
// While a Tap has no address to send to, its packets go into its backlog
// instead and leave later through step 4, as if they had just come (backlog.go,
// catchup.go). By rule telephone-events, or all audio of a pause or a mask, leave
// as the codec's silence, or beeps, on a running clock (mask.go). What a recorder
// does not take is turned into G.711 (transcode.go), and a tap may have both parties
// in one, mixed by a goroutine of its own (duet.go, voice.go). Copies may be collected and
// leave a few at a time (batch.go).
//
// Where a rule asks for it, and only there, a flow has an alteration (alter.go)
// between steps 2 and 3: keys are told and perhaps left out (digits.go), a tone is
// mixed in (tone.go), an announcement is heard in the place of the flow
// (announce.go). Everywhere else what passes passes bit for bit.
//
// Packets of which nothing more is asked than to be sent on and copied, in order,
// take a lane from step 2 on (lane.go): what those steps would decide is data by
// then. A lane closes when anybody takes the relay's lock.
//
// The ports of a call that has ended drain, and then rest, still bound, for a later one (rest.go).
//
// Nothing on this path waits, logs or starts a goroutine, and once the memory
// of backlogs and batches is there nothing allocates. A relay's
// state is guarded by one mutex that is held for the length of one datagram;
// that is what makes Tap.Pause exact and Relay.Close final.
//
// Sections obeyed: RFC 3550 §5.1, §6.2–6.4, §6.6, appendix A.1 (RTP, RTCP),
// RFC 3551 §11 (port pairs), RFC 4733 §2 (telephone-events), RFC 4961
// (symmetric RTP), RFC 3711 (SRTP), RFC 5761 §4 (mux), RFC 7160 (clock changes), RFC 7866 §8
// (RTP of a recording client).
package forker
