package config

import (
	"regexp"
	"time"

	"sidetrack/policy"
)

// Strategy says which SRS of a recorder is asked first.
type Strategy string

// The strategies.
const (
	StrategyOrdered       Strategy = "ordered"
	StrategyRoundRobin    Strategy = "round-robin"
	StrategyWeighted      Strategy = "weighted"
	StrategyLeastSessions Strategy = "least-sessions"
	StrategyHash          Strategy = "hash"
)

// Probe says how SRSs are asked whether they are there, calls or not.
type Probe struct {
	Interval time.Duration  // 0: they are not asked
	Codes    *regexp.Regexp // of one that is there; nil: all but 408 and 5xx
}

// probe reads it; further keys are those of one kind of peer.
func (c cursor) probe(further ...field) (p Probe) {
	c.read(append(fields{
		{"interval", func(c cursor) {
			if v, ok := c.duration(0, time.Hour, "30s"); ok {
				if v > 0 && v < time.Second {
					c.failf("%s is too often; write 1s or more, or 0s for never", c.show())
				}
				p.Interval = v
			}
		}},
		{"codes", func(c cursor) { p.Codes = c.regex("(?i)") }},
	}, further...))
	return p
}

// routeProbe reads how the targets of a route are asked.
func (c cursor) routeProbe() (p policy.Probe) {
	own := c.probe(field{"timeout", func(c cursor) { p.Timeout, _ = c.duration(100*time.Millisecond, time.Minute, "4s") }})
	p.Interval, p.Codes = own.Interval, own.Codes
	if p.Timeout > p.Interval && p.Interval > 0 {
		c.warnf("timeout is longer than interval (%s): a target that is silent is asked less often", short(p.Interval))
	}
	return p
}

// weights reads one weight for each SRS.
func (d *decoder) weights(c cursor, r *Recorder) {
	for _, item := range c.items("weights, one for each SRS") {
		if n, ok := item.integer(0, 1000); ok {
			r.Weights = append(r.Weights, n)
		}
	}
	d.later(func() {
		switch {
		case len(r.Weights) != len(r.SRS):
			c.failf("has %d weights for %d SRSs; write one for each", len(r.Weights), len(r.SRS))
		case r.Strategy != StrategyWeighted:
			c.warnf("has no effect without strategy: %s", StrategyWeighted)
		}
	})
}
