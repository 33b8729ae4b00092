package config

import "time"

// Auth is what an SRS that asks is told (HTTP digest).
type Auth struct{ User, Password string }

// auth reads the credentials for a recorder.
func (c cursor) auth() *Auth {
	a := &Auth{}
	text := func(into *string, want string) func(cursor) {
		return func(c cursor) {
			if s, ok := c.text(want); ok {
				*into = s
			}
		}
	}
	if !c.read(fields{
		{"user", text(&a.User, "the user name")},
		{"password", text(&a.Password, "the password, best as ${NAME} of the environment")},
	}) {
		return nil
	}
	for _, key := range []string{"user", "password"} {
		if c.n.get(key) == nil {
			c.failf("has no %s; add %s: …", key, key)
		}
	}
	return a
}

// replay reads how much of what was sent is kept.
func (d *decoder) replay(r *Recorder) func(cursor) {
	return func(c cursor) {
		if v, ok := c.duration(0, time.Minute, "10s"); ok {
			r.Replay = v
		}
	}
}

// finishReplay gives replay its default: as much as is kept of what has not been
// sent, where there is another SRS to send it to.
func (r *Recorder) finishReplay(c cursor) {
	n := c.n.get("replay")
	switch moves := r.MidCall == MidCallMove; {
	case n == nil && moves && len(r.SRS) > 1:
		r.Replay = r.Buffer
	case r.Replay > 0 && (r.Buffer == 0 || !moves):
		c.d.warnf(n.line, join(c.path, "replay"), "has no effect without buffer and midcall: move")
		r.Replay = 0
	}
}

// hedge reads when the next SRS is asked as well.
func (c cursor) hedge(r *Recorder) {
	if v, ok := c.duration(0, 5*time.Minute, "300ms"); ok {
		r.Hedge = v
	}
}

// checkHedge warns of a hedge that never comes to be.
func (r *Recorder) checkHedge(c cursor) {
	n := c.n.get("hedge")
	switch {
	case r.Hedge == 0:
	case len(r.SRS) < 2:
		c.d.warnf(n.line, join(c.path, "hedge"), "has no effect: there is no second SRS")
	case r.Hedge >= r.Timeout:
		c.d.warnf(n.line, join(c.path, "hedge"), "has no effect: after timeout (%s) the next SRS is asked anyway", short(r.Timeout))
	}
}
