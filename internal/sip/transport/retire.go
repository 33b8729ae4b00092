package transport

import "time"

// retiredTime is how long a connection that is retired may be silent: longer than
// an INVITE may ring on it.
const retiredTime = 4 * time.Minute

// Retire takes a connection that we have made out of use for new requests, because
// one had no answer on it for as long as quiet. One on which something else has come
// in this time stays: its peer lives, and does not answer everything. So does one
// that the peer has made, which may be the only way to him. Find does not find what
// is retired; what is under way on it goes on, and when it is silent it is closed.
func (t *Layer) Retire(f Flow, quiet time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.conns[f.Conn]
	if c == nil || c.inbound || c.retired.Load() {
		return
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.heard) < quiet {
		return
	}
	c.retired.Store(true)
	if key, ok := c.path(); ok && t.reusable[key] == c {
		delete(t.reusable, key)
	}
	_ = c.nc.SetReadDeadline(now.Add(min(retiredTime, t.cfg.IdleTimeout)))
}
