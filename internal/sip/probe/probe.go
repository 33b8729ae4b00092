package probe

import (
	"errors"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// Codes that stand for what was not said.
const (
	CodeTimeout   = 408 // silence
	CodeTransport = 503 // the peer could not be reached, or its name does not resolve
)

// Question is what one peer is asked. Everything but Host and Login is required.
type Question struct {
	URI      string        // of the peer
	Host     string        // right of the @ of Call-IDs; may be empty
	Interval time.Duration // from one question to the next
	Timeout  time.Duration // for an answer
	Login    *digest.Credentials

	// Leave says where the question goes, given the first place that URI
	// resolves to: the socket may be chosen here.
	Leave func(txn.Target) txn.Target
	// Dress sets From without a tag, Contact and what else the request is to
	// bear; To, Call-ID, CSeq and Max-Forwards are set.
	Dress func(req *sip.Message, to txn.Target)
	// Answered hears of each final code, silence and failure included, whose
	// cause is err, where there is one. It is called on the prober's lane.
	Answered func(code int, err error)
}

// Prober puts questions until it is stopped. The zero value is not of use.
type Prober struct {
	lane    *txn.Lane
	stopped bool // owned by the lane, as are those that follow
	timers  map[*Question]*txn.Timer
	asking  map[*Question]*asking
}

// Start puts each question now and then at its interval, all on one lane.
func Start(lane *txn.Lane, questions []*Question) *Prober {
	p := &Prober{lane: lane, timers: map[*Question]*txn.Timer{}, asking: map[*Question]*asking{}}
	lane.Post(func() {
		for _, q := range questions {
			if !p.stopped {
				p.ask(q)
			}
		}
	})
	return p
}

// Stop ends the asking; nothing is heard of what is under way. A nil Prober asks
// nothing. From any goroutine.
func (p *Prober) Stop() {
	if p == nil {
		return
	}
	p.lane.Post(func() {
		p.stopped = true
		for _, t := range p.timers {
			t.Stop()
		}
		for _, a := range p.asking {
			a.end()
		}
	})
}

// ask puts one question and sees to the next. One that is not answered yet is
// not put again.
func (p *Prober) ask(q *Question) {
	p.timers[q] = p.lane.After(q.Interval, func() { p.ask(q) })
	if p.asking[q] != nil {
		return
	}
	a := &asking{p: p, q: q, callID: p.lane.NewCallID(q.Host), tag: sip.NewTag()}
	p.asking[q] = a
	a.timer = p.lane.After(q.Timeout, func() { a.done(CodeTimeout, nil) })
	p.lane.Resolve(q.URI, func(found []txn.Target, err error) {
		switch {
		case a.over:
		case err != nil || len(found) == 0:
			a.done(CodeTransport, err)
		default:
			a.to = q.Leave(found[0])
			a.send()
		}
	})
}

// asking is one OPTIONS outside of any dialog, sent again when the peer wants to
// know who we are.
type asking struct {
	p           *Prober
	q           *Question
	to          txn.Target
	callID, tag string
	cseq        uint32
	challenge   *digest.Challenge
	timer       *txn.Timer
	over        bool
}

func (a *asking) send() {
	a.cseq++
	req := sip.NewRequest("OPTIONS", a.q.URI)
	req.Add("Max-Forwards", "70")
	req.Add("To", "<"+a.q.URI+">")
	req.Add("Call-ID", a.callID)
	req.Add("CSeq", sip.CSeq{Num: a.cseq, Method: "OPTIONS"}.String())
	a.q.Dress(req, a.to)
	req.Set("From", sip.WithTag(req.Get("From"), a.tag))
	if a.challenge != nil {
		a.challenge.Sign(req, *a.q.Login)
	}
	a.p.lane.Request(req, a.to, a)
}

// OnResponse takes the answer (txn.ClientHandler).
func (a *asking) OnResponse(_ *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	switch {
	case resp.Status < 200 || a.over:
	case a.cseq == 1 && a.challenged(resp):
		a.send()
	default:
		a.done(resp.Status, nil)
	}
}

func (a *asking) challenged(resp *sip.Message) (ok bool) {
	if a.q.Login == nil {
		return false
	}
	a.challenge, ok = digest.Of(resp)
	return ok
}

// OnFail is told that there is none (txn.ClientHandler).
func (a *asking) OnFail(_ *txn.ClientTx, err error) {
	if errors.Is(err, txn.ErrTimeout) {
		a.done(CodeTimeout, err)
		return
	}
	a.done(CodeTransport, err)
}

func (a *asking) end() {
	a.over = true
	a.timer.Stop()
}

func (a *asking) done(code int, err error) {
	if a.over {
		return
	}
	a.end()
	delete(a.p.asking, a.q)
	a.q.Answered(code, err)
}
