// Package decide asks a program over HTTP whether and how a call is recorded.
//
// One POST with a JSON question, one JSON answer, within the time that the rule
// gives; nothing is asked twice, for a call is waiting. What an answer leaves
// open is as the rule says. An answer that cannot be understood, down to a key
// that is not known, is an error: half understood it might record whom it must not.
//
// Flow: src.Client → [Client.Decide] → the program → src.Answer. A [Client] is
// safe for concurrent use and keeps connections open between questions.
package decide
