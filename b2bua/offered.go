package b2bua

import (
	"slices"
	"time"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/policy"
)

// InviteOf is a request that came by flow as rules see it.
func InviteOf(req *sip.Message, flow transport.Flow, received time.Time) *policy.Invite {
	return inviteOf(req, flow, received, sdpOf(req))
}

// inviteOf is InviteOf for who has read the offer; nil: there is none.
func inviteOf(req *sip.Message, flow transport.Flow, received time.Time, offer *sdp.Session) *policy.Invite {
	in := &policy.Invite{
		Method: req.Method, RequestURI: req.RequestURI, CallID: req.CallID(),
		From: addressOf(req.From()), To: addressOf(req.To()),
		Source:  flow.Remote.Addr().Unmap(),
		Headers: make([]policy.Header, len(req.Headers)), Received: received, Codecs: codecsOf(offer),
	}
	if flow.Listener != nil {
		in.Listener = flow.Listener.URL
	}
	for i, h := range req.Headers {
		in.Headers[i] = policy.Header(h)
	}
	return in
}

// codecsOf gives the codecs that an offer names.
func codecsOf(offer *sdp.Session) (names []string) {
	if offer == nil {
		return nil
	}
	for _, m := range offer.Media() {
		formats := m.RTP()
		names = slices.Grow(names, len(formats))
		for _, f := range formats {
			if f.Name != "" {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

func addressOf(n sip.NameAddr) policy.Address {
	a := policy.Address{URI: n.URI, Display: n.Display}
	if u, err := sip.ParseURI(n.URI); err == nil {
		a.User, a.Host = u.User, u.Host
	}
	return a
}
