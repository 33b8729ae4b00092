package b2bua

import (
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
)

// The Contact that one party of a call gets from us stands for the other one, also
// in requests that are not of the call's dialogs: whoever is transferred sends his
// INVITE to the Contact that was in Refer-To (RFC 5589 §7.1), and a REFER may come
// beside the dialog that it means (RFC 4538). Such a request goes to that party and
// is a call, or a passage, of its own.

// inquiry is an INVITE that waits for what the lane of another call knows.
type inquiry struct{ cancelled bool }

// standsFor takes a request that is for the other party of call id, whose Contact
// side given has, with that key; otherwise is called when there is no such call.
func (s *Server) standsFor(tx *txn.ServerTx, id string, given side, key contactKey, otherwise func()) {
	then := func(to *callee) {
		switch {
		case to == nil:
			otherwise()
		case tx.Request.Method == "INVITE":
			s.onInvite(tx, to)
		default:
			s.relayTo(tx, to)
		}
	}
	owner := s.cfg.Txn.LaneFor(id)
	if owner == tx.Lane {
		then(s.partyOf(owner, id, given, key, maxPasses))
		return
	}
	wait := &inquiry{}
	tx.Data = wait
	owner.Post(func() {
		to := s.partyOf(owner, id, given, key, maxPasses)
		tx.Lane.Post(func() {
			if !wait.cancelled {
				tx.Data = nil
				then(to)
			}
		})
	})
}

// maxPasses bounds how often one call passes us.
const maxPasses = 8

// partyOf is the other party of a call of that lane, nil if there is none that can
// be reached. Where a PBX has sent the call back to us and stays out of its dialog, it
// is that of the next pass.
func (s *Server) partyOf(lane *txn.Lane, id string, given side, key contactKey, passes int) *callee {
	c := s.lanes[lane.Index()].byToken[id]
	if c == nil || c.state == StateEnding || c.legs[given].key != key {
		return nil
	}
	b, far := c.current, other(given)
	if b == nil {
		b = c.latest
	}
	if b == nil {
		return nil
	}
	d := b.dialogs[far]
	if u, err := sip.ParseURI(d.NextHop()); err == nil && passes > 1 && s.ourHost(u) {
		if id, given, key, ok := splitToken(u.User); ok && s.cfg.Txn.LaneFor(id) == lane {
			return s.partyOf(lane, id, given, key, passes-1)
		}
	}
	to := &callee{
		binding: binding{token: c.legs[far].phone, contact: strings.Clone(d.RemoteTarget), flow: d.Flow},
		known:   c.known[far], route: s.registeredRoute(), hop: strings.Clone(d.NextHop()),
	}
	if far == sideB {
		to.login = b.login.again()
		if c.callee == nil {
			to.route = c.route
		}
	}
	if t, ok := c.flowTo(far, d); ok {
		to.at = []txn.Target{t}
	}
	return to
}

// relayTo passes a request outside calls to one party.
func (s *Server) relayTo(tx *txn.ServerTx, to *callee) {
	p := s.passage(tx)
	p.callee, p.uri = to, candidate{uri: to.hop, login: to.login}
	if p.left = to.at; len(p.left) == 0 {
		p.uris = []candidate{p.uri}
	}
	p.next(503)
}

// contactToken takes the token of a call out of a Request-URI outside a dialog.
func (s *Server) contactToken(req *sip.Message, u sip.URI) (id string, given side, key contactKey, ok bool) {
	if req.ToTag() != "" || livesInCall(req.Method, false) || !s.ourHost(u) {
		return "", 0, key, false
	}
	return splitToken(u.User)
}
