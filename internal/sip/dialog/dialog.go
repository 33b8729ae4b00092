package dialog

import (
	"math/rand/v2"
	"slices"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// Dialog is one dialog as seen from our side (RFC 3261 §12). Its owner changes it freely; it has no lock.
type Dialog struct {
	CallID              string
	LocalTag, RemoteTag string
	Local, Remote       string   // From and To values of our requests, tags included, bytes as received
	RemoteTarget        string   // URI of the peer's last Contact
	Routes              []string // route set in the order of our Route fields, as name-addr values
	LocalCSeq           uint32   // number of our last request; 0: none yet, the first gets a random one
	RemoteCSeq          uint32   // number of the peer's last request
	HasRemoteCSeq       bool     // RemoteCSeq is set (RFC 3261 §12.1.2 leaves it empty for a UAC)
	Secure              bool     // established over TLS with a sips Request-URI
	Confirmed           bool     // a 2xx has been seen or sent; false while early

	// Flow is the path that the peer was last heard on, for peers behind NAT; zero if unknown. The owner keeps it.
	Flow transport.Flow
}

// maxFirstCSeq bounds our first number so that 2³¹ is never reached by counting (RFC 3261 §8.1.1.5).
const maxFirstCSeq = 1 << 16

// NewUAS makes the dialog of a request that we answer with localTag (RFC 3261 §12.1.1). It is early; the owner sets
// Confirmed with its 2xx. A request without a Contact leaves the target to the From URI, so that an answer like BYE
// still has somewhere to go.
func NewUAS(req *sip.Message, localTag string) *Dialog {
	d := &Dialog{
		CallID:        req.CallID(),
		LocalTag:      localTag,
		RemoteTag:     req.FromTag(),
		Local:         sip.WithTag(req.Get("To"), localTag),
		Remote:        req.Get("From"),
		Routes:        req.List("Record-Route"),
		RemoteCSeq:    req.CSeq().Num,
		HasRemoteCSeq: true,
		Secure:        isSIPS(req.RequestURI) && strings.EqualFold(req.TopVia().Transport, "TLS"),
	}
	d.RemoteTarget = target(req, req.From().URI)
	return d
}

// NewUAC makes the dialog of our request and a response with a To-tag (RFC 3261 §12.1.2); early or confirmed by its
// status. Our own response to a NOTIFY that comes first is the UAS case. What it keeps of the response is copied, so that
// a dialog does not hold a whole message for as long as it lives.
func NewUAC(req, resp *sip.Message) *Dialog {
	d := &Dialog{
		CallID:    req.CallID(),
		LocalTag:  req.FromTag(),
		RemoteTag: strings.Clone(resp.ToTag()),
		Local:     req.Get("From"),
		Remote:    strings.Clone(resp.Get("To")),
		Routes:    routesOf(resp),
		LocalCSeq: req.CSeq().Num,
		Secure:    isSIPS(req.RequestURI),
		Confirmed: resp.Status >= 200,
	}
	d.RemoteTarget = target(resp, req.RequestURI)
	return d
}

// Confirm takes over what the 2xx of our INVITE says about a dialog that was early: the route set is computed again
// from it (RFC 3261 §13.2.2.4) and the target refreshed.
func (d *Dialog) Confirm(resp *sip.Message) {
	if !d.Confirmed {
		d.Routes = routesOf(resp)
	}
	d.Confirmed = true
	d.Refresh(resp)
}

// Refresh sets the remote target from the Contact of a target refresh request (re-INVITE, UPDATE, …) or of a 2xx or
// 1xx to one (RFC 3261 §12.2.1.2, §12.2.2). Without a Contact that can be used nothing changes; the route set never
// does.
func (d *Dialog) Refresh(m *sip.Message) {
	d.RemoteTarget = target(m, d.RemoteTarget)
}

// AcceptCSeq takes in the number of a request of the peer. False means that it is out of order: answer 500
// (RFC 3261 §12.2.2). An ACK and a CANCEL carry the number of their INVITE and are not to be asked about.
func (d *Dialog) AcceptCSeq(n uint32) bool {
	if d.HasRemoteCSeq && n <= d.RemoteCSeq {
		return false
	}
	d.RemoteCSeq, d.HasRemoteCSeq = n, true
	return true
}

// nextCSeq raises our number by one, or starts at a random one.
func (d *Dialog) nextCSeq() uint32 {
	if d.LocalCSeq == 0 {
		d.LocalCSeq = 1 + rand.Uint32N(maxFirstCSeq)
	} else {
		d.LocalCSeq++
	}
	return d.LocalCSeq
}

// target gives the URI of the first Contact, or what was if there is none that can be sent to.
func target(m *sip.Message, was string) string {
	contact, ok := m.Contact()
	if !ok {
		return was
	}
	if _, err := sip.ParseURI(contact.URI); err != nil {
		return was
	}
	return strings.Clone(contact.URI)
}

// routesOf is the route set that a response to a request of ours gives.
func routesOf(resp *sip.Message) []string {
	routes := resp.List("Record-Route")
	for i, r := range routes {
		routes[i] = strings.Clone(r)
	}
	slices.Reverse(routes)
	return routes
}

func isSIPS(uri string) bool {
	return len(uri) > 5 && strings.EqualFold(uri[:5], "sips:")
}
