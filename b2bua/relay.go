package b2bua

import (
	"strconv"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// passage is a request outside of any call (REGISTER, SUBSCRIBE, MESSAGE …) on
// its way to the target of its route and its response on the way back. We are
// in its path by Via only: its Contact stays the sender's.
type passage struct {
	srv    *Server
	server *txn.ServerTx
	req    *sip.Message
	uris   []string
	left   []txn.Target
	done   bool
}

// relayRequest passes a request that makes no call along its route.
func (s *Server) relayRequest(tx *txn.ServerTx) {
	if unknown := unknownExtensions(tx.Request); unknown != "" && tx.Request.Method != "REGISTER" {
		s.cfg.OnReject("extension")
		s.reply(tx, 420, "", sip.Header{Name: "Unsupported", Value: unknown})
		return
	}
	in := inviteOf(tx.Request, tx.Flow)
	route, ok := s.cfg.Policy().Route(in)
	if !ok {
		s.reject(tx, 404, "No Route", "no-route")
		return
	}
	p := &passage{srv: s, server: tx, req: tx.Request, uris: route.Targets}
	if route.RequestURI {
		p.uris = []string{tx.Request.RequestURI}
	}
	p.nextURI(503)
}

func (p *passage) nextURI(status int) {
	if len(p.uris) == 0 {
		p.srv.reply(p.server, status, "")
		p.done = true
		return
	}
	uri := p.uris[0]
	p.uris = p.uris[1:]
	p.server.Lane.Resolve(uri, func(found []txn.Target, err error) {
		if err != nil || len(found) == 0 {
			p.nextURI(503)
			return
		}
		p.left = found
		p.send(status)
	})
}

func (p *passage) send(status int) {
	if len(p.left) == 0 {
		p.nextURI(status)
		return
	}
	to := p.left[0]
	p.left = p.left[1:]
	out := sip.NewRequest(p.req.Method, p.req.RequestURI)
	out.Set("Max-Forwards", strconv.Itoa(max(maxForwards(p.req)-1, 0)))
	for _, name := range []string{"From", "To", "Call-ID", "CSeq"} {
		out.Set(name, p.req.Get(name))
	}
	for _, v := range p.req.All("Contact") {
		out.Add("Contact", v)
	}
	mirror(out, p.req)
	p.server.Lane.Request(out, to, p)
}

// OnResponse implements txn.ClientHandler.
func (p *passage) OnResponse(_ *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	if p.done || resp.Status == 100 {
		return
	}
	p.done = resp.Status >= 200
	out := sip.NewResponse(p.server.Request, resp.Status, resp.Reason)
	out.Set("To", resp.Get("To"))
	for _, v := range resp.All("Contact") {
		out.Add("Contact", v)
	}
	mirror(out, resp)
	p.server.Respond(out)
}

// OnFail implements txn.ClientHandler.
func (p *passage) OnFail(_ *txn.ClientTx, err error) {
	if !p.done {
		p.send(statusOf(err))
	}
}
