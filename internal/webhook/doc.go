// Package webhook tells programs of others what happens: each event is one HTTP
// POST, signed as Standard Webhooks (standardwebhooks.com) says.
//
// A [Hook] is one receiver and what it wants to hear of. Its spool is a folder:
// segments of JSON lines, and how far they have been delivered. A [Sender] owns
// all of them.
//
// Flow: [Sender.Publish] hands an event to each hook that wants it and never
// waits; a writer per hook puts it on disk; a courier per hook takes the oldest,
// posts it until it is taken, and goes on with the next. So events arrive in
// order, each at least once; one that was on its way when the process ended comes
// again under the same webhook-id. What a full queue or a receiver's refusal
// costs is counted, and shows as a gap in Sidetrack-Sequence.
package webhook
