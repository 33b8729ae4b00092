package config

import (
	"strings"
	"time"
)

// SessionTimer says what is asked of and granted to an SRS by RFC 4028.
type SessionTimer struct {
	Expires   time.Duration // asked for in INVITEs; 0: nothing is
	Min       time.Duration // the shortest that an SRS may ask for
	Refresher string        // RefresherSRC or RefresherSRS; "": as the SRS likes
	ByUpdate  bool          // we refresh by UPDATE without a body
}

// The values of SessionTimer.Refresher that name somebody.
const (
	RefresherSRC = "src"
	RefresherSRS = "srs"
)

// leastSession is the shortest interval that may be demanded (RFC 4028 §5).
const leastSession = 90 * time.Second

func (c cursor) sessionTimer(t *SessionTimer) {
	c.read(fields{
		{"expires", func(c cursor) {
			v, ok := c.duration(0, 24*time.Hour, "30m")
			if ok && v > 0 && v < leastSession {
				c.failf("%s is too short; write 90s or more, or 0s to ask for none", c.show())
			}
			t.Expires = v
		}},
		{"min", func(c cursor) {
			if v, ok := c.duration(leastSession, 24*time.Hour, "90s"); ok {
				t.Min = v
			}
		}},
		{"refresher", func(c cursor) {
			if v, ok := c.oneOf("any", RefresherSRC, RefresherSRS); ok && v != "any" {
				t.Refresher = v
			}
		}},
		{"refresh_by", func(c cursor) {
			v, ok := c.oneOf("invite", "update")
			t.ByUpdate = ok && v == "update"
		}},
	})
}

// words tells what is not as by default.
func (t SessionTimer) words() string {
	var parts []string
	if t.Expires > 0 {
		parts = append(parts, short(t.Expires)+" asked for")
	}
	if t.Min > leastSession {
		parts = append(parts, "not below "+short(t.Min))
	}
	switch t.Refresher {
	case RefresherSRC:
		parts = append(parts, "refreshed by us")
	case RefresherSRS:
		parts = append(parts, "refreshed by the SRS")
	}
	if t.ByUpdate {
		parts = append(parts, "our refreshes by UPDATE")
	}
	return strings.Join(parts, ", ")
}
