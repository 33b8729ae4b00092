package src

import (
	"fmt"
	"slices"
	"strings"

	"sidetrack/internal/redact"
)

// Codes that stand for what is no response: the operator's regular expression
// and the metrics see these.
const (
	codeTimeout   = 408 // no final answer in time (RFC 3261 §8.1.3.1)
	codeTransport = 503 // could not be sent: refused, unreachable, unresolvable (the same)
	codeUnusable  = 488 // a 2xx without a description that we can work with
	codeGaveUp    = 487 // we did: the call ended first
)

// order is in which order the SRSs are asked for a new session.
func (s *Session) order() []int {
	return s.client.health.sort(s.recorder, s.client.health.choose(s.recorder, s.cs.SIPCallID))
}

// next asks the next SRS of the plan.
func (s *Session) next() { s.ask(false) }

// ask is next; early tells that the one before has not answered yet.
func (s *Session) ask(early bool) {
	s.target, s.plan = s.plan[0], s.plan[1:]
	s.srs = s.recorder.SRS[s.target]
	s.readyKeys()
	a := newAttempt(s, s.srs)
	s.attempt, s.rivals = a, append(s.rivals, a)
	s.sipCallID = ""
	s.publish()
	a.early = early
	s.hedge(a)
	a.begin()
}

// onAttemptFailed goes on with the list: in order, until one takes the session,
// or until a final code matches skip_failover_codes, which leaves the call
// unrecorded on purpose.
func (s *Session) onAttemptFailed(a *attempt, code int, reason string) {
	reason = redact.Passwords(reason)
	s.rivals = s.rivals.without(a)
	s.countHedge(a, "failed")
	s.note(a, code, reason)
	s.client.trouble.warn(s.logger(), a.srs, "SRS did not take the session", "srs", a.srs, "sip_call_id", a.callID, "code", code, "reason", reason)
	skip := s.recorder.SkipFailoverCodes
	s.retry.hope = s.retry.hope || blames(code)
	switch {
	case s.fallBack(a, code):
	case s.taken:
		s.onMoveFailed()
	case skip != nil && skip.MatchString(decimal(code)):
		s.finish(Skipped, fmt.Sprintf("%d of %s is one of skip_failover_codes", code, a.srs))
	case len(s.plan) > 0:
		s.client.metrics.failovers.WithLabelValues(s.recorder.Name).Inc()
		s.next()
	case len(s.rivals) > 0: // one of them may take it still
	case s.retries():
		s.again()
	default:
		s.finish(Failed, "no SRS took the session: "+s.story())
	}
}

// keptAttempts bounds what is kept of a session that looks for an SRS for hours:
// its beginning and the newest.
const keptAttempts = 100

// note keeps what came of an attempt.
func (s *Session) note(a *attempt, code int, reason string) {
	if len(s.attempts) >= keptAttempts {
		s.attempts = slices.Concat(s.attempts[:keptAttempts/2], s.attempts[keptAttempts/2+1:]) // a new one, for what is published stays
	}
	s.attempts = append(s.attempts, Attempt{
		SRS: a.srs, Code: code, Reason: reason, At: a.began.UTC(), Took: Seconds(s.now().Sub(a.began)), SIPCallID: a.callID,
	})
	s.judge(a.srs, code)
	if code != codeGaveUp {
		s.client.metrics.attempt(s.recorder.Name, a.srs, code)
	}
	s.publish()
}

// story is all attempts in one line; of many, what each SRS has said last. Where none
// has been made it is why.
func (s *Session) story() string {
	if len(s.attempts) == 0 {
		return s.moving.why
	}
	told, more := s.attempts, ""
	if len(told) > 2*len(s.recorder.SRS) {
		more = fmt.Sprintf(" (the last of %d attempts)", len(told))
		told = nil
		for i := len(s.attempts) - 1; i >= 0; i-- {
			same := func(a Attempt) bool { return a.SRS == s.attempts[i].SRS }
			if !slices.ContainsFunc(told, same) {
				told = slices.Insert(told, 0, s.attempts[i])
			}
		}
	}
	var b strings.Builder
	for i, a := range told {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %d", a.SRS, a.Code)
		if a.Reason != "" {
			b.WriteString(" " + a.Reason)
		}
	}
	return b.String() + more
}
