package b2bua

import (
	"strings"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
)

// A REFER makes a subscription in the call's dialogs, and that outlives the call:
// whoever transfers hangs up at once and is told afterwards how the transfer went
// (RFC 3515 §2.4.4, RFC 5057 §4.1, RFC 5359 §2.4). So the dialogs of an ended call
// stay, for NOTIFY alone, until the last one came.
type afterlife struct {
	open  int // subscriptions
	clock *txn.Timer
}

const (
	// maxSubscriptions bounds the REFERs of one call that we wait for.
	maxSubscriptions = 16
	// lastNotify is how long we wait for the next NOTIFY: who is transferred to
	// may ring for so long.
	lastNotify = 3 * time.Minute
)

// referred notes a REFER that was accepted. Refer-Sub: false means that no
// NOTIFY will come (RFC 4488).
func (c *Call) referred(resp *sip.Message) {
	if !strings.EqualFold(strings.TrimSpace(resp.Get("Refer-Sub")), "false") && c.after.open < maxSubscriptions {
		c.after.open++
	}
}

// notified takes a NOTIFY that passed: the last one of a subscription says so.
func (c *Call) notified(req *sip.Message) {
	event, _, _ := strings.Cut(req.Get("Event"), ";")
	state, _, _ := strings.Cut(req.Get("Subscription-State"), ";")
	if c.after.open == 0 || !strings.EqualFold(strings.TrimSpace(event), "refer") {
		return
	}
	if strings.EqualFold(strings.TrimSpace(state), "terminated") {
		c.after.open--
	}
	if c.state == StateEnding {
		c.linger()
	}
}

// lives tells whether a request belongs to a subscription of an ended call.
func (a *afterlife) lives(method string) bool { return a.open > 0 && method == "NOTIFY" }

// linger keeps the dialogs of an ended call for a while, from now.
func (c *Call) linger() {
	c.after.clock.Stop()
	c.after.clock = nil
	if c.after.open == 0 {
		return
	}
	c.after.clock = c.lane.After(lastNotify, func() {
		c.after.open = 0
		c.forget()
	})
}
