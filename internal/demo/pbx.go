package demo

import (
	"fmt"
	"log/slog"
	"time"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// pbx answers every call with a voice of its own. Its calls are owned by its
// one lane.
type pbx struct {
	phone *phone
	calls map[string]*answered // by Call-ID
	party func(user string) (*media, error)
}

// answered is one call that the PBX took.
type answered struct {
	tag   string
	media *media
	sdp   uint64
	tx    *txn.ServerTx // INVITE whose ACK is awaited
}

const ringTime = 300 * time.Millisecond

func newPBX(log *slog.Logger, party func(user string) (*media, error)) (*pbx, error) {
	p := &pbx{calls: map[string]*answered{}, party: party}
	var err error
	p.phone, err = newPhone("PBX", log, p)
	return p, err
}

// OnRequest implements txn.Handler.
func (p *pbx) OnRequest(tx *txn.ServerTx) {
	c := p.calls[tx.Request.CallID()]
	switch method := tx.Request.Method; {
	case method == "INVITE" && c == nil:
		p.ring(tx)
	case method == "INVITE":
		c.sdp++
		p.answer(tx, c)
	case method == "BYE" && c != nil:
		c.media.talk(false)
		tx.Reply(200, "")
	case method == "OPTIONS":
		tx.Reply(200, "")
	default:
		tx.Reply(481, "")
	}
}

// OnAck implements txn.Handler.
func (p *pbx) OnAck(_ *txn.Lane, ack *sip.Message, _ transport.Flow) {
	if c := p.calls[ack.CallID()]; c != nil && c.tx != nil {
		c.tx.Acked()
		c.tx = nil
	}
}

// OnCancel implements txn.Handler.
func (p *pbx) OnCancel(tx *txn.ServerTx, _ *sip.Message) { tx.Reply(487, "") }

func (p *pbx) ring(tx *txn.ServerTx) {
	u, err := sip.ParseURI(tx.Request.RequestURI)
	if err != nil {
		tx.Reply(400, "")
		return
	}
	m, err := p.party(u.User)
	if err != nil {
		tx.Reply(503, err.Error())
		return
	}
	c := &answered{tag: tx.LocalTag(), media: m, sdp: 1}
	p.calls[tx.Request.CallID()] = c
	tx.Reply(180, "", p.contact(u.User))
	tx.Lane.After(ringTime, func() {
		if tx.Final() == 0 {
			p.answer(tx, c)
		}
	})
}

func (p *pbx) contact(user string) sip.Header {
	return sip.Header{Name: "Contact", Value: fmt.Sprintf("<%s>", p.phone.listener.ContactURI(user))}
}

// answer accepts an offer: the party speaks unless the caller holds.
func (p *pbx) answer(tx *txn.ServerTx, c *answered) {
	remote, dir, err := remoteOf(tx.Request)
	if err != nil {
		tx.Reply(488, "")
		return
	}
	c.media.sendTo(remote)
	c.media.talk(dir == "sendrecv")
	resp := sip.NewResponse(tx.Request, 200, "")
	resp.Set("To", sip.WithTag(resp.Get("To"), c.tag))
	resp.Set("Contact", p.contact(c.media.user).Value)
	resp.SetBody("application/sdp", p.phone.sdp(c.media, c.sdp, sdp.Direction(dir).Reverse()))
	c.tx = tx
	tx.Respond(resp)
}
