package txn

import (
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
)

const maxEchoes = 32 // dialogs of one INVITE

// Conclude takes an answered INVITE out of its owner's hands when all its dialogs
// are over, so that what the owner held is not kept until 64*T1 have passed: a 2xx
// that comes again gets the ACK that acks has for its To-tag, and one of another
// fork, too late by now, an ACK and a BYE (RFC 3261 §13.2.2.4). acks is not
// changed. Of a transaction in any other state nothing is taken.
func (tx *ClientTx) Conclude(acks map[string]*Sent) {
	c := tx.core
	if c.state != accepted || c.handler == nil {
		return
	}
	e := &echo{lane: c.lane, acks: make([]echoed, 0, len(acks))}
	for tag, ack := range acks {
		e.acks = append(e.acks, echoed{clone(tag), ack})
	}
	c.handler = e
}

// echo is what is left of the owner of an INVITE.
type echo struct {
	lane *Lane
	acks []echoed // one for each dialog
}

type echoed struct {
	tag string
	ack *Sent // nil: on its way
}

// OnResponse implements ClientHandler.
func (e *echo) OnResponse(tx *ClientTx, resp *sip.Message, flow transport.Flow) {
	tag, at := resp.ToTag(), len(e.acks)
	for _, known := range e.acks {
		if known.tag == tag {
			if known.ack != nil {
				known.ack.Resend()
			}
			return
		}
	}
	if at >= maxEchoes {
		return
	}
	e.acks = append(e.acks, echoed{tag: clone(tag)})
	d := dialog.NewUAC(tx.Request(), resp)
	e.lane.Resolve(d.NextHop(), func(found []Target, err error) {
		to := FlowTarget(flow)
		if err == nil {
			to = found[0]
		}
		e.acks[at].ack = e.lane.SendAck(d.RequestCSeq("ACK", resp.CSeq().Num), to)
		e.lane.Request(d.Request("BYE"), to, nil)
	})
}

// OnFail implements ClientHandler.
func (e *echo) OnFail(*ClientTx, error) {}
