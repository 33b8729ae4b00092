package src

import (
	"regexp"
	"slices"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/probe"
	"sidetrack/internal/sip/txn"
)

// Probe says how the SRSs of a recorder are asked by OPTIONS whether they are
// there, calls or not. What they answer counts for the order in which sessions
// ask them.
type Probe struct {
	Interval time.Duration  // 0: they are not asked
	Codes    *regexp.Regexp // final codes of one that is there; nil: every answer but 408 and 5xx
}

// startProbes begins to ask the SRSs of recorders, in the place of those before.
func (c *Client) startProbes(recorders map[string]*Recorder) {
	var questions []*probe.Question
	for _, r := range recorders {
		if r.Probe.Interval == 0 {
			continue
		}
		for i, srs := range r.SRS {
			if slices.Index(r.SRS, srs) == i {
				questions = append(questions, c.question(r, i))
			}
		}
	}
	var p *probe.Prober
	if len(questions) > 0 {
		p = probe.Start(c.cfg.Layer.Lanes()[0], questions)
	}
	c.mu.Lock()
	before := c.prober
	c.prober = p
	c.mu.Unlock()
	before.Stop()
}

// question is what the SRS at a place of the list is asked.
func (c *Client) question(r *Recorder, i int) *probe.Question {
	uri, srs := r.uris[i], r.SRS[i]
	return &probe.Question{
		URI: uri, Host: c.host(), Interval: r.Probe.Interval, Timeout: r.Timeout, Login: r.Auth,
		Leave: func(to txn.Target) txn.Target { return r.leaving(c.cfg.Transport, to) },
		Dress: func(req *sip.Message, to txn.Target) {
			from, _ := r.parties(uri)
			req.Add("From", "<"+from+">")
			req.Add("Contact", c.contact(r, to))
			req.Add("Accept", accept)
			if agent := c.cfg.UserAgent; agent != "" {
				req.Add("User-Agent", agent)
			}
		},
		Answered: func(code int, err error) {
			if err != nil {
				c.noteCertificate(r, srs, err)
			}
			c.probed(r, srs, code)
		},
	}
}

// probed draws the consequences. One failed probe is enough: nobody was kept
// waiting by it, and the next may take it back.
func (c *Client) probed(r *Recorder, srs string, code int) {
	alive := !blames(code)
	if codes := r.Probe.Codes; codes != nil {
		alive = codes.MatchString(decimal(code))
	}
	c.metrics.reached(r.Name, srs, alive)
	if was := c.health.probed(r.Name, srs, alive); was != alive {
		c.log.Warn("SRS probed", "recorder", r.Name, "srs", srs, "code", code, "alive", alive)
	}
}
