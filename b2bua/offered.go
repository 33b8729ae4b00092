package b2bua

import (
	"sync"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/policy"
)

// offeredCodecs gives the codecs that the request's offer names, read when a
// rule first asks: most rules do not.
func offeredCodecs(req *sip.Message) func() []string {
	return sync.OnceValue(func() []string {
		s := sdpOf(req)
		if s == nil {
			return nil
		}
		var names []string
		for _, m := range s.Media() {
			for _, f := range m.RTP() {
				if f.Name != "" {
					names = append(names, f.Name)
				}
			}
		}
		return names
	})
}

// InviteOf is a request that came by flow as rules see it.
func InviteOf(req *sip.Message, flow transport.Flow, received time.Time) *policy.Invite {
	in := &policy.Invite{
		Method: req.Method, RequestURI: req.RequestURI, CallID: req.CallID(),
		From: addressOf(req.From()), To: addressOf(req.To()),
		Source:  flow.Remote.Addr().Unmap(),
		Headers: make([]policy.Header, len(req.Headers)), Received: received, Codecs: offeredCodecs(req),
	}
	if flow.Listener != nil {
		in.Listener = flow.Listener.URL
	}
	for i, h := range req.Headers {
		in.Headers[i] = policy.Header{Name: h.Name, Value: h.Value}
	}
	return in
}

func addressOf(n sip.NameAddr) policy.Address {
	a := policy.Address{URI: n.URI, Display: n.Display}
	if u, err := sip.ParseURI(n.URI); err == nil {
		a.User, a.Host = u.User, u.Host
	}
	return a
}
