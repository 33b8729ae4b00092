package src

import (
	"time"

	"sidetrack/internal/sip"
)

// speaks tells whether a response is the SRS's own, and so a sign of its life. A
// 1xx may be any proxy's on the way (RFC 3261 §16.2); 408, 502, 503 and 504 speak
// for somebody behind; 481 is of one who has lost the dialog.
func speaks(status int) bool {
	switch status {
	case codeTimeout, 481, 502, codeTransport, 504:
		return false
	}
	return status >= 200
}

// mostTries bounds how often a document is told again that the SRS refuses, where
// neither a stream nor the session's life hangs on it.
const mostTries = 5

// repeats is how long to wait before a refused re-INVITE is repeated; 0: it is not.
// What waits for the next change otherwise is a stream that is deaf, the refresh
// of the session, and a document that was refused for a time only.
func (s *Session) repeats(resp *sip.Message, deaf bool) time.Duration {
	t, tries := &s.timer, s.updates.tries
	if !deaf && !t.due() && (!temporary(resp) || tries >= mostTries) {
		return 0
	}
	wait := min(max(firstRetry<<min(tries, 8), retryAfter(resp)), lastRetry)
	if t.ours && t.interval > 0 {
		wait = min(wait, t.interval/4) // so that the session lives to see it
	}
	return wait
}

// temporary tells whether a refusal may be none a while later.
func temporary(resp *sip.Message) bool {
	switch resp.Status {
	case 501, 505, 513:
		return false
	}
	return resp.Status >= 500 && resp.Status < 600 || retryAfter(resp) > 0
}
