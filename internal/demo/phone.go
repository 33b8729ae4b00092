package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// phone is a user agent with one UDP socket. It handles any number of calls.
type phone struct {
	name      string
	transport *transport.Layer
	txn       *txn.Layer
	listener  *transport.Listener
}

func newPhone(name string, log *slog.Logger, h txn.Handler) (*phone, error) {
	p := &phone{name: name}
	p.transport = transport.New(transport.Config{Log: log, OnMessage: func(in transport.Inbound) { p.txn.Receive(in) }})
	p.txn = txn.New(txn.Config{Log: log, Lanes: 1, Transport: p.transport, UserAgent: name})
	var err error
	p.listener, err = p.transport.Listen("udp://127.0.0.1:0", "127.0.0.1")
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	p.txn.Start(h)
	return p, nil
}

func (p *phone) close() {
	p.transport.Close()
	p.txn.Close()
}

// sdp is the phone's description of one G.711 stream.
func (p *phone) sdp(media *media, version uint64, dir sdp.Direction) []byte {
	return sdp.Offer{
		Username: "demo", SessionID: 1, Version: version, Addr: media.addr.Addr(),
		Media: []sdp.OfferMedia{{
			Kind: "audio", Proto: "RTP/AVP", Port: int(media.addr.Port()), Direction: dir, Ptime: "20",
			Formats: []sdp.Format{{PT: 0, Name: "PCMU", Clock: 8000}, {PT: 101, Name: "telephone-event", Clock: 8000, Fmtp: "0-15"}},
		}},
	}.Bytes()
}

// remoteOf is where the peer of an SDP wants its audio.
func remoteOf(m *sip.Message) (netip.AddrPort, sdp.Direction, error) {
	s, err := sdp.Parse(m.Body)
	if err != nil {
		return netip.AddrPort{}, "", err
	}
	if len(s.Media()) == 0 {
		return netip.AddrPort{}, "", errors.New("SDP without media")
	}
	addr, ok := s.Media()[0].Addr()
	if !ok {
		return netip.AddrPort{}, "", errors.New("SDP without an address")
	}
	return addr, s.Media()[0].Direction(), nil
}

// outcome is the end of a request: its final response, or why there is none.
type outcome struct {
	resp *sip.Message
	err  error
}

// waiter hands the final response of a request to whoever waits for it.
type waiter chan outcome

// OnResponse implements txn.ClientHandler.
func (w waiter) OnResponse(_ *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	if resp.Status >= 200 {
		select {
		case w <- outcome{resp: resp}:
		default: // repeated 2xx
		}
	}
}

// OnFail implements txn.ClientHandler.
func (w waiter) OnFail(_ *txn.ClientTx, err error) {
	select {
	case w <- outcome{err: err}:
	default:
	}
}

// answerTime is longer than any transaction of RFC 3261.
const answerTime = 40 * time.Second

// ask sends a request and waits for a 2xx.
func (p *phone) ask(ctx context.Context, lane *txn.Lane, req *sip.Message, to netip.AddrPort) (*sip.Message, error) {
	w := make(waiter, 1)
	lane.Post(func() { lane.Request(req, txn.Target{Proto: "udp", Addr: to, Listener: p.listener}, w) })
	select {
	case o := <-w:
		switch {
		case o.err != nil:
			return nil, fmt.Errorf("%s: %w", req.Method, o.err)
		case o.resp.Status >= 300:
			return nil, fmt.Errorf("%s was answered %d %s", req.Method, o.resp.Status, o.resp.Reason)
		}
		return o.resp, nil
	case <-time.After(answerTime):
		return nil, fmt.Errorf("%s was not answered", req.Method)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// call is one call that a phone placed.
type call struct {
	phone *phone
	lane  *txn.Lane
	proxy netip.AddrPort
	d     *dialog.Dialog
	media *media
	sdp   uint64 // version of our last SDP
}

// place calls number through the proxy and returns once it is answered.
func (p *phone) place(ctx context.Context, number string, proxy netip.AddrPort, m *media) (*call, error) {
	lane := p.txn.Lanes()[0]
	c := &call{phone: p, lane: lane, proxy: proxy, media: m, sdp: 1}
	req := sip.NewRequest("INVITE", fmt.Sprintf("sip:%s@%s", number, proxy))
	req.Set("Max-Forwards", "70")
	req.Set("From", fmt.Sprintf("%q <sip:%s@demo.invalid>;tag=%s", p.name, m.user, sip.NewTag()))
	req.Set("To", fmt.Sprintf("<sip:%s@demo.invalid>", number))
	req.Set("Call-ID", lane.NewCallID("demo.invalid"))
	req.Set("CSeq", "1 INVITE")
	req.Set("Contact", "<"+p.listener.ContactURI(m.user)+">")
	req.SetBody("application/sdp", p.sdp(m, c.sdp, "sendrecv"))
	resp, err := p.ask(ctx, lane, req, proxy)
	if err != nil {
		return nil, err
	}
	c.d = dialog.NewUAC(req, resp)
	return c, c.acknowledge(req, resp)
}

// acknowledge sends the ACK of an answer and follows its SDP.
func (c *call) acknowledge(req, resp *sip.Message) error {
	c.d.Refresh(resp)
	ack := c.d.RequestCSeq("ACK", req.CSeq().Num)
	c.lane.Post(func() { c.lane.SendAck(ack, txn.Target{Proto: "udp", Addr: c.proxy, Listener: c.phone.listener}) })
	remote, _, err := remoteOf(resp)
	if err != nil {
		return fmt.Errorf("answer of the PBX: %w", err)
	}
	c.media.sendTo(remote)
	return nil
}

// offer re-INVITEs with another direction: "sendonly" is hold.
func (c *call) offer(ctx context.Context, dir sdp.Direction) error {
	c.sdp++
	req := c.d.Request("INVITE")
	req.Set("Contact", "<"+c.phone.listener.ContactURI(c.media.user)+">")
	req.SetBody("application/sdp", c.phone.sdp(c.media, c.sdp, dir))
	c.media.talk(dir == "sendrecv")
	resp, err := c.phone.ask(ctx, c.lane, req, c.proxy)
	if err != nil {
		return err
	}
	return c.acknowledge(req, resp)
}

func (c *call) hangUp(ctx context.Context) error {
	c.media.talk(false)
	_, err := c.phone.ask(ctx, c.lane, c.d.Request("BYE"), c.proxy)
	return err
}

// refuse answers requests that a caller of the demo does not expect.
type refuse struct{}

// OnRequest implements txn.Handler.
func (refuse) OnRequest(tx *txn.ServerTx) {
	switch tx.Request.Method {
	case "BYE", "OPTIONS":
		tx.Reply(200, "")
	default:
		tx.Reply(481, "")
	}
}

// OnAck implements txn.Handler.
func (refuse) OnAck(*txn.Lane, *sip.Message, transport.Flow) {}

// OnCancel implements txn.Handler.
func (refuse) OnCancel(tx *txn.ServerTx, _ *sip.Message) { tx.Reply(487, "") }
