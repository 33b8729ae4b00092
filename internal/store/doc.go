// Package store is the journal: what was to be recorded, what was recorded,
// what was missed and why.
//
// Its nouns. A [Verdict] is the story of one recording that a rule or an
// operator wanted, from its beginning on; the journal holds one per recording.
// A [Store] is the journal of a running proxy: one SQLite file with the tables
// recordings, attempts and streams, and the view missed. A [Reader] reads such a
// file, also while a proxy writes it. A [Query] says which verdicts are wanted.
//
// # Flow
//
//	Store.Add → queue (bounded; full: dropped and counted)
//	→ Store.run → batch (256 verdicts or 200 ms) → one transaction → prune
//	Reader.List → recordings, then their attempts and streams
//
// Nothing here is in the way of a call: Add never waits and never fails. While
// the disk refuses, verdicts wait in the queue as long as it has room.
package store
