package src

import (
	"regexp"
	"slices"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// Probe says how the SRSs of a recorder are asked by OPTIONS whether they are
// there, calls or not. What they answer counts for the order in which sessions
// ask them.
type Probe struct {
	Interval time.Duration  // 0: they are not asked
	Codes    *regexp.Regexp // final codes of one that is there; nil: every answer but 408 and 5xx
}

// prober asks the SRSs of one set of recorders, until it is stopped. It lives on
// one lane.
type prober struct {
	c       *Client
	lane    *txn.Lane
	stopped bool
	timers  map[srsKey]*txn.Timer
	asking  map[srsKey]*probe
}

// startProbes begins to ask the SRSs of recorders, in the place of those before.
func (c *Client) startProbes(recorders map[string]*Recorder) {
	lane := c.cfg.Layer.Lanes()[0]
	p := &prober{c: c, lane: lane, timers: map[srsKey]*txn.Timer{}, asking: map[srsKey]*probe{}}
	c.mu.Lock()
	before := c.prober
	c.prober = p
	c.mu.Unlock()
	before.stop()
	lane.Post(func() {
		for _, r := range recorders {
			for _, srs := range slices.Compact(slices.Sorted(slices.Values(r.SRS))) {
				if r.Probe.Interval > 0 && !p.stopped {
					p.ask(r, srs)
				}
			}
		}
	})
}

// stop ends the asking; nil is none. Any goroutine.
func (p *prober) stop() {
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

// ask puts one question and sees to the next.
func (p *prober) ask(r *Recorder, srs string) {
	k := srsKey{r.Name, srs}
	p.timers[k] = p.lane.After(r.Probe.Interval, func() { p.ask(r, srs) })
	if p.asking[k] != nil {
		return
	}
	a := &probe{p: p, r: r, srs: srs, key: k, auth: &authority{who: r.Auth}, callID: p.lane.NewCallID(p.c.host()), tag: sip.NewTag()}
	p.asking[k] = a
	a.timer = p.lane.After(r.Timeout, func() { a.done(codeTimeout) })
	p.lane.Resolve(srs, func(found []txn.Target, err error) {
		switch {
		case a.over:
		case err != nil || len(found) == 0:
			a.done(codeTransport)
		default:
			a.to = r.leaving(p.c.cfg.Transport, found[0])
			a.send()
		}
	})
}

// probe is one OPTIONS outside of any dialog (RFC 3261 §11).
type probe struct {
	p           *prober
	r           *Recorder
	srs         string
	key         srsKey
	auth        *authority
	to          txn.Target
	callID, tag string
	cseq        uint32
	timer       *txn.Timer
	over        bool
}

func (a *probe) send() {
	a.cseq++
	req := sip.NewRequest("OPTIONS", a.srs)
	req.Add("Max-Forwards", "70")
	from, _ := a.r.parties(a.srs)
	req.Add("From", "<"+from+">;tag="+a.tag)
	req.Add("To", "<"+a.srs+">")
	req.Add("Call-ID", a.callID)
	req.Add("CSeq", sip.CSeq{Num: a.cseq, Method: "OPTIONS"}.String())
	req.Add("Contact", a.p.c.contact(a.r, a.to))
	req.Add("Accept", accept)
	if agent := a.p.c.cfg.UserAgent; agent != "" {
		req.Add("User-Agent", agent)
	}
	a.auth.sign(req)
	a.p.lane.Request(req, a.to, a)
}

// OnResponse takes the answer (txn.ClientHandler).
func (a *probe) OnResponse(_ *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	switch {
	case resp.Status < 200 || a.over:
	case a.cseq == 1 && a.auth.take(resp):
		a.send()
	default:
		a.done(resp.Status)
	}
}

// OnFail is told that there is none (txn.ClientHandler).
func (a *probe) OnFail(_ *txn.ClientTx, err error) {
	a.p.c.noteCertificate(a.r, a.srs, err)
	a.done(codeTransport)
}

func (a *probe) end() {
	a.over = true
	a.timer.Stop()
}

// done draws the consequences. One failed probe is enough: nobody was kept
// waiting by it, and the next may take it back.
func (a *probe) done(code int) {
	if a.over {
		return
	}
	a.end()
	delete(a.p.asking, a.key)
	alive := !blames(code)
	if codes := a.r.Probe.Codes; codes != nil {
		alive = codes.MatchString(decimal(code))
	}
	h, m := a.p.c.health, a.p.c.metrics
	m.reached(a.r.Name, a.srs, alive)
	if was := h.probed(a.r.Name, a.srs, alive); was != alive {
		a.p.c.log.Warn("SRS probed", "recorder", a.r.Name, "srs", a.srs, "code", code, "alive", alive)
	}
}
