// Package probe asks peers by OPTIONS whether they are there (RFC 3261 §11):
// targets of routes and recorders, calls or not. Its nouns are the [Prober],
// which lives on one lane, and the [Question] that it puts to one peer again and
// again; what an answer means is the asker's to judge.
package probe
