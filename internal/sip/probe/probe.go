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

// maxPlaces bounds how many places of one name are asked in turn.
const maxPlaces = 8

// Question is what one peer is asked. A peer with several places (RFC 3263 §4.3)
// is there when one of them is: they are asked one after the other until one
// says something else than 503. Everything but Host, Login and Heard is required.
type Question struct {
	URI      string        // of the peer
	Host     string        // right of the @ of Call-IDs; may be empty
	Interval time.Duration // from one question to the next
	Timeout  time.Duration // for an answer of one place
	Login    *digest.Credentials

	// Leave says where the question goes, given a place that URI resolves to:
	// the socket may be chosen here.
	Leave func(txn.Target) txn.Target
	// Dress sets From without a tag, Contact and what else the request is to
	// bear; To, Call-ID, CSeq and Max-Forwards are set.
	Dress func(req *sip.Message, to txn.Target)
	// Answered hears of the final code of the place that answered or, where none
	// did, of the last one asked, silence and failure included; err is the cause,
	// where there is one. It is called on the prober's lane.
	Answered func(code int, err error)
	// Heard hears, before that, of each place asked whether it said anything.
	Heard func(to txn.Target, any bool)
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
	a := &asking{p: p, q: q}
	p.asking[q] = a
	a.await()
	p.lane.Resolve(q.URI, func(found []txn.Target, err error) {
		switch {
		case a.over:
		case err != nil || len(found) == 0:
			a.done(CodeTransport, err)
		default:
			a.left = found[:min(len(found), maxPlaces)]
			a.next()
		}
	})
}

// asking is one OPTIONS outside of any dialog, put to one place after the other,
// and sent again to one that wants to know who we are.
type asking struct {
	p     *Prober
	q     *Question
	left  []txn.Target // places that have not been asked
	timer *txn.Timer
	over  bool

	// Of the place being asked.
	to          txn.Target
	tx          *txn.ClientTx
	callID, tag string
	cseq        uint32
	challenge   *digest.Challenge
}

// await gives the place being asked, or the lookup before it, its time.
func (a *asking) await() {
	a.timer.Stop()
	a.timer = a.p.lane.After(a.q.Timeout, func() { a.silent(CodeTimeout, nil) })
}

// next asks the next place.
func (a *asking) next() {
	a.to, a.left = a.q.Leave(a.left[0]), a.left[1:]
	a.callID, a.tag = a.p.lane.NewCallID(a.q.Host), sip.NewTag()
	a.cseq, a.challenge = 0, nil
	a.await()
	a.send()
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
	a.tx = a.p.lane.Request(req, a.to, a)
}

// OnResponse takes the answer (txn.ClientHandler).
func (a *asking) OnResponse(tx *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	switch {
	case resp.Status < 200 || a.over || tx != a.tx:
	case a.cseq == 1 && a.challenged(resp):
		a.send()
	case resp.Status == CodeTransport && len(a.left) > 0: // RFC 3263 §4.3
		a.heard(true)
		a.next()
	default:
		a.heard(true)
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
func (a *asking) OnFail(tx *txn.ClientTx, err error) {
	switch {
	case a.over || tx != a.tx:
	case errors.Is(err, txn.ErrTimeout):
		a.silent(CodeTimeout, err)
	default:
		a.silent(CodeTransport, err)
	}
}

// silent moves on from a place that said nothing.
func (a *asking) silent(code int, err error) {
	if a.over {
		return
	}
	if a.tx != nil {
		a.heard(false)
	}
	if len(a.left) > 0 {
		a.next()
		return
	}
	a.done(code, err)
}

func (a *asking) heard(any bool) {
	if a.q.Heard != nil {
		a.q.Heard(a.to, any)
	}
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
