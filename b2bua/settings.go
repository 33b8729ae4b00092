package b2bua

import (
	"context"

	"sidetrack/internal/sip/transport"
)

// Settings are what may change while calls run. A call keeps those it began with.
type Settings struct {
	Door           Door            // as in Config, and so the others
	Doors          map[string]Door //
	Asserted       IdentitySource  //
	MaxCalls       int             //
	Identity       Identity        //
	Register       RegisterMode    //
	SessionExpires int             // seconds
	Networks       Networks        //
}

// settings are those of a Config.
func (c *Config) settings() *Settings {
	return &Settings{
		Door: c.Door, Doors: c.Doors, Asserted: c.Asserted, MaxCalls: c.MaxCalls, Identity: c.Identity, Register: c.Register,
		SessionExpires: c.SessionExpires, Networks: c.Networks,
	}
}

// Set puts settings in force for what begins from now on.
func (s *Server) Set(to Settings) { s.settings.Store(&to) }

// door is that of a listener.
func (s *Settings) door(l *transport.Listener) Door {
	if l != nil {
		if own, ok := s.Doors[l.URL]; ok {
			return own
		}
	}
	return s.Door
}

// Using counts the calls that have a leg by the socket of l. It asks each lane in
// turn and gives up with ctx.
func (s *Server) Using(ctx context.Context, l *transport.Listener) (int, error) {
	sum := 0
	for i, lane := range s.cfg.Txn.Lanes() {
		got := make(chan int, 1)
		lane.Post(func() {
			n := 0
			for _, c := range s.lanes[i].byToken {
				if c.legs[sideA].uses(l) || c.legs[sideB].uses(l) {
					n++
				}
			}
			got <- n
		})
		select {
		case n := <-got:
			sum += n
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return sum, nil
}

func (l *leg) uses(socket *transport.Listener) bool {
	return socket.Shares(l.listener) || socket.Shares(l.flow.Listener)
}
