package src

import (
	"context"

	"sidetrack/internal/sip/transport"
	"sidetrack/metadata"
)

// Using counts the sessions whose dialog goes by the socket of l. One that still
// looks for its SRS counts, too. It gives up with ctx.
func (c *Client) Using(ctx context.Context, l *transport.Listener) (int, error) {
	c.mu.Lock()
	live := make([]*Session, 0, len(c.live))
	for _, s := range c.live {
		live = append(live, s)
	}
	c.mu.Unlock()
	used := make(chan bool, len(live))
	for _, s := range live {
		s.lane.Post(func() { used <- s.uses(l) })
	}
	sum := 0
	for range live {
		select {
		case yes := <-used:
			if yes {
				sum++
			}
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return sum, nil
}

func (s *Session) uses(l *transport.Listener) bool {
	switch s.state {
	case metadata.StateStarting, metadata.StateMoving:
		return true
	}
	return s.leg != nil && (l.Shares(s.leg.target.Listener) || l.Shares(s.leg.dialog.Flow.Listener))
}
