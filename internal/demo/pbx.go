package demo

import (
	"fmt"
	"log/slog"
	"sync"
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
	mu    sync.Mutex // media are closed from another goroutine
	calls map[string]*answered
	voice func(user string) int
}

// answered is one call that the PBX took.
type answered struct {
	tag   string
	media *media
	sdp   uint64
	tx    *txn.ServerTx // INVITE whose ACK is awaited
}

const ringTime = 300 * time.Millisecond

func newPBX(log *slog.Logger, voice func(user string) int) (*pbx, error) {
	p := &pbx{calls: map[string]*answered{}, voice: voice}
	var err error
	p.phone, err = newPhone("PBX", log, p)
	return p, err
}

func (p *pbx) close() {
	p.phone.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.calls {
		c.media.close()
	}
}

func (p *pbx) find(callID string) *answered {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[callID]
}

// OnRequest implements txn.Handler.
func (p *pbx) OnRequest(tx *txn.ServerTx) {
	c := p.find(tx.Request.CallID())
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
	if c := p.find(ack.CallID()); c != nil && c.tx != nil {
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
	m, err := newMedia(u.User, p.voice(u.User))
	if err != nil {
		tx.Reply(503, err.Error())
		return
	}
	c := &answered{tag: tx.LocalTag(), media: m, sdp: 1}
	p.mu.Lock()
	p.calls[tx.Request.CallID()] = c
	p.mu.Unlock()
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
