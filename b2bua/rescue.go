package b2bua

import (
	"slices"

	"sidetrack/internal/sip/txn"
)

// A fault of ours in the handling of a message costs that message: the lane logs and
// counts it and goes on. What is left of the call then goes on too, as long as
// there is something that will end it: an answer to come, a lookup, a party that can
// hang up. Else it would be counted for ever, and its caller never be told.

// rescued is deferred by whatever can leave a call like that.
func (c *Call) rescued() {
	if v := recover(); v != nil {
		c.lane.Post(c.salvage) // not on top of what has just failed
		panic(v)               // for the lane to tell of
	}
}

// salvage ends what nothing else would end.
func (c *Call) salvage() {
	for _, x := range slices.Clone(c.open) {
		if x != c.initial && x.stuck() {
			c.srv.reply(x.server, 500, "")
			x.abort()
		}
	}
	if c.stuck() {
		c.collapse()
	}
	if c.state == StateEnding {
		c.pending = slices.DeleteFunc(c.pending, func(what any) bool {
			tx, ok := what.(*txn.ClientTx)
			return ok && tx.Concluded()
		})
		c.forget()
	}
}

// stuck tells whether who asked waits for an answer that cannot come any more.
func (x *exchange) stuck() bool {
	switch {
	case x.done || x.server.Final() != 0 || x.held != nil:
		return false
	case x.client != nil:
		return x.client.Concluded()
	}
	return len(x.call.legs[other(x.from)].sender.waiting) == 0
}

// stuck tells whether nothing will end the call.
func (c *Call) stuck() bool {
	x := c.initial
	switch final := x.server.Final(); {
	case c.state == StateEnding:
		return false
	case final == 0:
		return x.held == nil && !x.asking()
	case final >= 300:
		return true
	}
	return c.legs[sideA].gone || c.legs[sideB].gone
}

// asking tells whether somebody has yet to answer the first INVITE, or is being looked up.
func (x *exchange) asking() bool {
	if x.client != nil && !x.client.Concluded() {
		return true
	}
	if x.hunt == nil {
		return false
	}
	if f := x.hunt.fan; f != nil {
		for tx := range f.open {
			if !tx.Concluded() {
				return true
			}
		}
		return f.lookups > 0
	}
	return x.hunt.looking
}

// collapse ends the call, whatever state it is in.
func (c *Call) collapse() {
	v := verdict{result: failed, status: 500, reason: "internal error"}
	defer func() {
		fault := recover()
		if fault == nil {
			return
		}
		if x := c.initial; x.server.Final() == 0 {
			c.srv.reply(x.server, v.status, "")
		}
		c.over(v)
		panic(fault)
	}()
	c.hangUp(v, nil)
}
