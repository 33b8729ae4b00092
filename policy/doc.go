// Package policy decides: where a request that starts a dialog goes, and
// whether, where and how a call is recorded.
//
// An [Invite] is the request as the rules see it. A [Match] is a set of
// conditions that must all hold; a [Route] joins one to targets, a [Rule] joins
// one to a recorder. An [Engine] holds both lists and answers with the first
// that matches; the answer of the rules is a [Decision], to which several may add
// when they let it go on. A [Template] makes a
// text (a header, a group name, an XML fragment) out of an Invite.
//
// Flow: configuration → [Config] → [New] → per call [Engine.Route], then the
// chosen route's name into [Invite.Route], then [Engine.Decide]. Why it came out so
// [Engine.ExplainRoute] and [Engine.ExplainRules] tell, by the same conditions.
//
// The package is pure: no clock, no I/O, no SIP types, nothing global. Whatever
// a rule may ask for comes in with the Invite. An Engine is immutable and safe
// for concurrent use; a changed configuration is a new Engine.
//
// RFC sections: a recording is decided by policy of the SRC, RFC 7245 §3.1 and
// RFC 7866 §6.1; compact header forms are those of RFC 3261 §7.3.3 and §20.
package policy
