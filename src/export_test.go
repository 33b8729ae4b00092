package src

import "time"

// SetBackoff replaces the wait after a 491, which is seconds long by the RFC.
func (c *Client) SetRound(d time.Duration) { c.round = d }

func (c *Client) SetBackoff(d time.Duration) { c.backoff = func() time.Duration { return d } }
