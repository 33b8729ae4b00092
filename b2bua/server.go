package b2bua

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sidetrack/internal/dtls"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// Methods we put into Allow when we answer for ourselves.
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY, SUBSCRIBE, MESSAGE, PUBLISH, REGISTER"

// Server is the near side of the proxy: it takes requests from the transaction
// layer (it is its txn.Handler) and hands them to calls.
type Server struct {
	cfg      Config
	lanes    []laneCalls  // by lane index; each owned by its lane
	active   atomic.Int64 // calls, until nothing of them is under way
	live     atomic.Int64 // those that have not ended; sip.max_calls bounds these
	sockets  atomic.Int64 // that these will have for their media
	drained  atomic.Bool
	settings atomic.Pointer[Settings]
	metrics  *metrics

	bindings   *bindings   // phones that registered through us
	penalties  penalties   // endpoints that did not answer
	health     *health     // targets that do not answer probes
	strangers  strangers   // who is asked who they are
	vouchers   vouchers    // whose certificate has been seen
	references *references // dialogs of one leg, by those of the other
	links      *links      // which calls belong together

	identity func() *dtls.Identity // made when a route first asks for DTLS; nil where the system has no randomness
}

// laneCalls are the calls of one lane, by their token.
type laneCalls struct {
	byToken  map[string]*Call
	byDialog dialogs
	numbers  numbers
}

// NewServer returns a server that is ready to be given to txn.Layer.Start.
func NewServer(cfg Config) *Server {
	cfg.defaults()
	s := &Server{cfg: cfg, lanes: make([]laneCalls, len(cfg.Txn.Lanes())), bindings: newBindings(cfg.Secret), references: newReferences(), links: newLinks(), health: newHealth(cfg.Registerer)}
	s.settings.Store(cfg.settings())
	for i := range s.lanes {
		s.lanes[i] = laneCalls{byToken: map[string]*Call{}, byDialog: newDialogs()}
	}
	cfg.Txn.SetKnown(s.standing)
	s.metrics = newMetrics(cfg.Registerer, &s.active, s.bindings)
	s.identity = sync.OnceValue(func() *dtls.Identity {
		id, err := dtls.NewIdentity()
		if err != nil {
			cfg.Log.Error("no certificate for DTLS", "error", err)
		}
		return id
	})
	return s
}

// OnRequest handles a request that is neither ACK nor CANCEL (txn.Handler).
func (s *Server) OnRequest(tx *txn.ServerTx) {
	req := tx.Request
	if c, sd := s.find(tx.Lane, req, tx.Flow); c != nil {
		tx.Request = s.stripped(req, c, sd, tx.Flow.Listener)
		c.onRequest(sd, tx)
		return
	}
	req = s.loosened(req)
	tx.Request = req
	if l := tx.Flow.Listener; l != nil && l.Retiring() && req.ToTag() == "" {
		s.cfg.OnReject("retiring")
		tx.Refuse(503, "", sip.Header{Name: "Retry-After", Value: "5"}, sip.Header{Name: "Server", Value: s.cfg.UserAgent})
		return
	}
	if req.Method == "INVITE" && s.cfg.Asked != nil && req.ToTag() == "" && s.cfg.Asked(tx) {
		return // who may ask is not a question of who may call
	}
	if !s.admits(tx) {
		return
	}
	req = tx.Request // without what it has shown to us alone
	if maxForwards(req) == 0 {
		s.onHopLimit(tx)
		return
	}
	u, err := sip.ParseURI(req.RequestURI)
	if id, given, key, ok := s.contactToken(req, u); ok {
		s.standsFor(tx, id, given, key, func() { s.dispatch(tx, u, err) })
		return
	}
	s.dispatch(tx, u, err)
}

// dispatch takes a request that belongs to no call, whose URI is u.
func (s *Server) dispatch(tx *txn.ServerTx, u sip.URI, err error) {
	req := tx.Request
	inDialog := req.ToTag() != ""
	token, routed := s.addressed(req, u)
	switch {
	case token != "" && !livesInCall(req.Method, inDialog):
		s.onRegistered(tx, token, routed)
	case inDialog && s.ends(req.Method, u):
		s.refuse(tx, 481, "")
	case err != nil || !routable(u.Scheme):
		s.cfg.OnReject("scheme")
		s.refuse(tx, 416, "")
	case req.Method == "INVITE":
		s.onInvite(tx, nil)
	case req.Method == "REGISTER":
		s.onRegister(tx)
	case req.Method == "OPTIONS" && u.User == "" && s.ourHost(u):
		s.onPing(tx)
	case livesInCall(req.Method, inDialog):
		s.refuse(tx, 481, "")
	default:
		s.relayRequest(tx)
	}
}

// onHopLimit: OPTIONS that ran out of hops is answered as if sent to us
// (RFC 3261 §16.3), anything else is 483.
func (s *Server) onHopLimit(tx *txn.ServerTx) {
	if tx.Request.Method == "OPTIONS" {
		s.onPing(tx)
		return
	}
	s.reject(tx, 483, "", "hops")
}

// ends tells whether a request within a dialog that no call knows ends here. It
// does when it is addressed to us, or when its dialog would be a call. Others,
// of a subscription for one, were made by a request that we passed, with only
// our Via on it, and come by us because we are somebody's outbound proxy.
func (s *Server) ends(method string, u sip.URI) bool {
	return livesInCall(method, true) || s.ourHost(u)
}

// livesInCall lists the requests that only a call can have: some at all (RFC
// 3261 §15.1.2, 3262 §3, 3311 §5.1), INVITE within a dialog.
func livesInCall(method string, inDialog bool) bool {
	switch method {
	case "BYE", "PRACK", "UPDATE":
		return true
	case "INVITE":
		return inDialog
	}
	return false
}

// OnAck handles the ACK of a 2xx (txn.Handler).
func (s *Server) OnAck(lane *txn.Lane, ack *sip.Message, flow transport.Flow) {
	if c, side := s.find(lane, ack, flow); c != nil {
		c.onAck(side, s.stripped(ack, c, side, flow.Listener), flow)
	}
}

// OnCancel handles a CANCEL whose INVITE has no final response yet
// (txn.Handler).
func (s *Server) OnCancel(tx *txn.ServerTx, cancel *sip.Message) {
	switch x := tx.Data.(type) {
	case *exchange:
		x.onCancel(s.stripped(cancel, x.call, x.from, tx.Flow.Listener))
	case *inquiry:
		x.cancelled = true
		s.reply(tx, 487, "")
	}
}

// find returns the call that a request within a dialog belongs to, and the
// side it came from. The token in our Contact decides; a peer that put another
// URI of ours there is found by the dialog's identifiers, and so is one of
// RFC 2543, which has no tag.
func (s *Server) find(lane *txn.Lane, req *sip.Message, flow transport.Flow) (*Call, side) {
	calls := &s.lanes[lane.Index()]
	if u, err := sip.ParseURI(req.RequestURI); err == nil && req.ToTag() != "" {
		if id, sd, key, ok := splitToken(u.User); ok {
			if c := calls.byToken[id]; c != nil && c.legs[sd].key == key {
				return c, sd
			}
		}
	}
	return calls.byDialog.find(req, flow)
}

// ourHost tells whether a URI's host and port are one of our listeners.
func (s *Server) ourHost(u sip.URI) bool {
	port := u.Port
	if port == 0 {
		port = 5060
		if u.Scheme == "sips" || u.Transport() == "tls" {
			port = 5061
		}
	}
	for _, l := range s.cfg.Transport.Listeners() {
		if l.Port != port && int(l.Bound.Port()) != port {
			continue
		}
		if strings.EqualFold(l.Advertise, u.Host) {
			return true
		}
		if a, ok := u.Addr(); ok && a == l.Bound.Addr().Unmap() {
			return true
		}
	}
	return false
}

// onPing answers an OPTIONS for ourselves as an INVITE would be answered
// (RFC 3261 §11.2).
func (s *Server) onPing(tx *txn.ServerTx) {
	if s.drained.Load() {
		s.overload(tx)
		return
	}
	if unknown := unknownExtensions(tx.Request, "Require"); unknown != "" {
		s.badExtension(tx, unknown)
		return
	}
	s.reply(tx, 200, "",
		sip.Header{Name: "Allow", Value: allowed},
		sip.Header{Name: "Accept", Value: "application/sdp, multipart/mixed"},
		sip.Header{Name: "Supported", Value: "100rel, timer, replaces"})
}

func (s *Server) overload(tx *txn.ServerTx) {
	s.reply(tx, 503, "", sip.Header{Name: "Retry-After", Value: "5"})
}

func (s *Server) badExtension(tx *txn.ServerTx, unknown string) {
	s.cfg.OnReject("extension")
	s.reply(tx, 420, "", sip.Header{Name: "Unsupported", Value: unknown})
}

func (s *Server) reject(tx *txn.ServerTx, status int, phrase, reason string) {
	s.cfg.OnReject(reason)
	s.reply(tx, status, phrase)
}

func (s *Server) reply(tx *txn.ServerTx, status int, phrase string, headers ...sip.Header) {
	tx.Reply(status, phrase, append(headers, sip.Header{Name: "Server", Value: s.cfg.UserAgent})...)
}

// refuse answers a request that leads to nothing here. Nothing is kept of it, and the
// answer is not repeated: anybody can send any number, in whoever's name.
func (s *Server) refuse(tx *txn.ServerTx, status int, phrase string) {
	tx.Refuse(status, phrase, sip.Header{Name: "Server", Value: s.cfg.UserAgent})
}

// onInvite starts a call (RFC 3261 §13.3.1), to a phone that registered through
// us or, when to is nil, by the rules.
func (s *Server) onInvite(tx *txn.ServerTx, to *callee) {
	received := tx.Lane.Now()
	req := tx.Request
	if unknown := unknownExtensions(req, "Require"); unknown != "" {
		s.badExtension(tx, unknown)
		return
	}
	offer, unread := described(req)
	in := inviteOf(req, tx.Flow, received, offer)
	var route *policy.Route
	ok := to != nil
	if ok {
		route = to.route
	} else {
		route, ok = s.cfg.Policy().Route(in)
	}
	if !ok {
		s.cfg.OnReject("no-route")
		s.metrics.result(refused)
		s.refuse(tx, 404, "No Route")
		return
	}
	in.Route = route.Name
	sockets := s.socketsFor(in)
	if !s.admit(sockets) {
		s.cfg.OnReject("capacity")
		s.metrics.result(refused)
		tx.Shed()
		return
	}
	newCall(s, tx, in, route, to, sockets, offer).dial(unread)
}

func routable(scheme string) bool { return scheme == "sip" || scheme == "sips" || scheme == "tel" }

// Drain makes the server refuse new calls with 503; running ones go on.
func (s *Server) Drain() { s.drained.Store(true) }

// Draining tells whether new calls are refused.
func (s *Server) Draining() bool { return s.drained.Load() }

// Active is the number of calls, from their INVITE to the end of their last
// transaction.
func (s *Server) Active() int { return int(s.active.Load()) }

// HangUp ends every call with BYE (or CANCEL) on both legs and returns at
// once; Active tells when they are gone.
func (s *Server) HangUp(reason string) {
	for i, lane := range s.cfg.Txn.Lanes() {
		lane.Post(func() {
			for _, c := range s.lanes[i].byToken {
				v := verdict{result: completed, reason: reason, status: 503}
				if c.state != StateAnswered {
					v.result = refused
				}
				c.hangUp(v, nil)
			}
		})
	}
}

// since is a helper for durations on a lane's clock.
func since(lane *txn.Lane, t time.Time) time.Duration { return lane.Now().Sub(t) }
