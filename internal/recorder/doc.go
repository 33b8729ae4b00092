// Package recorder is the embedded Session Recording Server (SRS, RFC 7866):
// it answers SIPREC clients, receives their RTP and leaves one folder per
// recording session. It serves labs, demonstrations, tests and small sites.
//
// A [Server] owns its SIP listeners and a range of media ports. A session is one
// SIP dialog with a Session Recording Client (SRC) and the folder that belongs to it; a
// stream is one m= section of it: a pair of sockets and the file
// named by its label. A [Summary] is what there is to tell about a session, at
// any time and when it has ended.
//
// # Flow
//
// INVITE → onInvite (who may, what is offered) → newSession → answer → 200.
// Datagram → stream.readRTP → receiver (which source, in which order) →
// timeline (where on the session's clock) → track (decode and append to
// <label>.wav, or keep as it is in <label>.pcap). Everything that SIP says is plain data on the lane
// (see txn) of the dialog; the media side of a stream is guarded by its mutex.
// All files are written by the clerk, one goroutine, so that a slow disk delays
// neither an answer nor a packet; some seconds wait for it. A write that fails ends
// its session with BYE, and no other is taken until the disk takes
// writes again: the client may have another SRS. What was refused is missing in the
// file, which goes on behind it. At the end of a session its own goroutine takes the files,
// closes them, and writes the report when they are on the disk. What a recorder that was
// killed has left without a report is concluded by the next one (Server.rescue), out of the files
// and of what the session wrote of itself at its beginning.
//
// # One clock
//
// Time zero of all files of a session is the moment of its first 200. A packet's
// place is its RTP timestamp relative to the first one, whose place is its time
// of arrival; loss, hold and gaps become silence. At the end the files
// are aligned by the sender reports, where there are any, and made equally long.
//
// # RFC sections
//
// RFC 7866 §6.2 and §7.2 (SRS), §8 (RTP), §9 (metadata); RFC 7865 (documents,
// through package metadata); RFC 3264 §6 and §8 (answers); RFC 3550 §6.4, A.1, A.3, A.8;
// RFC 4028 §9 (session timers); RFC 4733 (events); RFC 3311 (UPDATE).
package recorder
