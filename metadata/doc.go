// Package metadata is the recording metadata of SIPREC (RFC 7865): what a
// recording session tells the recorder about the call it records.
//
// A [Snapshot] is the communication session as the call's owner sees it at one
// instant. A [Builder] owns the identifiers and times of one recording session
// and turns snapshots into a [Recording], the RFC's model with the RFC's names.
// A Recording is written by [Recording.XML], read by [Parse], compared by
// [Diff] and checked by [Recording.Verify], which returns a list of [Problem]s.
// An [Extension] is an operator's own element inside the document.
//
// Flow: Snapshot → Builder.Complete → (Diff) → XML on the sending side;
// Parse → Verify → Merge on the receiving side. The package is pure: no clock,
// no I/O, identifiers come from an injected source.
//
// Sections: RFC 7865 §5 (format), §6 (elements), §7 (snapshot request), §9
// (schema); RFC 8068 (call flows); RFC 7989 §5 (Session-ID); RFC 9562 (UUIDs);
// RFC 3339 (times).
package metadata
