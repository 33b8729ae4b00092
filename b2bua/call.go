package b2bua

import (
	"crypto/rand"
	"log/slog"
	"maps"
	"slices"
	"time"

	"sidetrack/forker"
	"sidetrack/internal/logs"
	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// State is where a call stands.
type State string

// The states of a call, in their order.
const (
	StateTrying   State = "trying"   // no 1xx with a To-tag yet
	StateEarly    State = "early"    // leg B rings or plays early media
	StateAnswered State = "answered" // leg B sent its 2xx
	StateEnding   State = "ending"   // BYE or CANCEL is under way
)

// Call is one Communication Session. All fields are owned by its lane.
type Call struct {
	// Set once.
	id      string
	srv     *Server
	lane    *txn.Lane
	log     *slog.Logger
	in      *policy.Invite
	route   *policy.Route
	callee  *callee      // the phone it goes to; nil: the route's targets
	invite  *sip.Message // leg A's INVITE as received; without anything once its answer is acknowledged
	relay   *forker.Relay
	started time.Time
	set     *Settings // those of its beginning
	network string    // that leg B is bound to by route or socket; "": the target decides
	known   [2]bool   // sides that are trusted, not only let in (Server.knows)
	sockets int16     // it will have so many for its media (Server.socketsFor)

	left      bool // its Call-IDs are no longer expected
	announced bool // call.start was told

	state    State
	answered time.Time
	ended    time.Time
	legs     [2]leg
	branches []*branch      // early dialogs, then only the confirmed one
	latest   *branch        // the early dialog that leg B showed something in last
	preview  *branch        // the early dialog whose SDP leg A was shown first
	current  *branch        // the confirmed one, nil before the answer
	single   *dialog.Dialog // in rewrite mode: leg A's one dialog, of all branches
	initial  *exchange      // the INVITE that made the call
	open     []*exchange
	answers  []*exchange // the INVITEs of leg B or A that got a 2xx, while one may come again
	media    negotiation
	security *security
	who      who
	aware    awareness
	rec      recording
	logins   map[*txn.ClientTx]*login // towards the targets that the first INVITE asked
	session  session                  // its timer
	ringing  ringing
	after    afterlife

	reasons  []metadata.Reason    // of its end
	pending  []any                // transactions and lookups that must end before the call is forgotten
	late     map[string]*txn.Sent // ACKs of 2xx that came too late, by To-tag
	reliable []reliable           // reliable 1xx that leg A has seen, in rewrite mode
}

// maxForks bounds the early dialogs of a call, and the answers that come too
// late: a far side that invents more of them is not heard.
const maxForks = 32

// branch is one dialog of leg B (one To-tag) with its mirror on leg A. In
// rewrite mode the mirrors of all branches are one dialog.
type branch struct {
	dialogs [2]*dialog.Dialog
	asked   *txn.ClientTx  // the INVITE whose response made it
	login   *login         // towards leg B
	offer   *sdp.Session   // of a reliable 1xx, until the PRACK with its answer has its 2xx
	offerer side           // whose it is
	said    *agreement     // what was agreed in it
	firm    bool           // and, since the last INVITE, by a message that is not repeated with another SDP
	party   metadata.Party // who leg B says that it is in this branch
	session string         // its half of the Session-ID
}

func newCall(s *Server, tx *txn.ServerTx, in *policy.Invite, route *policy.Route, to *callee, sockets int, offer *sdp.Session) *Call {
	req := tx.Request
	c := &Call{
		id: newTokenOn(tx.Lane, s.cfg.Txn), srv: s, lane: tx.Lane, in: in, route: route, callee: to, invite: req,
		started: in.Received, sockets: int16(sockets), state: StateTrying, relay: s.cfg.Media.Open(), set: s.settings.Load(),
		security: newSecurity(route.SRTP, s.identity),
	}
	c.log = logs.About(s.cfg.Log, func(line *slog.Record) {
		line.AddAttrs(slog.String("call", c.id), slog.String("sip_call_id", c.in.CallID))
	})
	a, b := &c.legs[sideA], &c.legs[sideB]
	rand.Read(a.key[:]) // never fails (crypto/rand)
	rand.Read(b.key[:])
	a.callID, b.callID = req.CallID(), req.CallID()
	if c.rewrites() {
		b.callID = c.lane.NewCallID("")
		a.localTag, b.localTag = sip.NewTag(), sip.NewTag()
	}
	c.initial = &exchange{call: c, from: sideA, method: req.Method, server: tx, cseqIn: req.CSeq().Num, offer: offer}
	c.open = append(c.open, c.initial)
	tx.Data = c.initial
	c.expect(c.lane.Enter)
	s.lanes[c.lane.Index()].byToken[c.id] = c
	defer c.rescued() // from here on there is a call that can end
	c.meet(tx)
	s.cfg.made(c)
	c.chooseInterfaces()
	c.introduce()
	s.links.enter(c)
	c.relay.OnTimeout(func() { c.lane.Post(c.onMediaTimeout) })
	c.log.Info("call arrived", "from", in.From.URI, "to", in.To.URI, "source", tx.Flow.Remote.String(), "route", route.Name)
	c.announce(EventInitiated, verdict{})
	return c
}

// meet takes what is known of the two sides by the flows that lead to them.
func (c *Call) meet(tx *txn.ServerTx) {
	s, to := c.srv, c.callee
	a, b := &c.legs[sideA], &c.legs[sideB]
	a.flow, a.heard, a.listener = tx.Flow, tx.Lane.Now(), tx.Flow.Listener
	if a.listener == nil { // it came by a connection that we had opened
		a.listener = s.cfg.Transport.Pick("", tx.Flow.Remote.Addr())
	}
	if a.listener != nil {
		a.contact = a.listener.ContactURI(contactUser(c.id, sideA, a.key))
	}
	a.phone = s.bindings.of(tx.Flow)
	if to != nil {
		b.phone = to.token
	}
	c.known = [2]bool{s.knows(c.set.door(tx.Flow.Listener), tx.Flow, tx.Lane.Now()), to == nil || to.known || s.knows(c.set.door(to.flow.Listener), to.flow, tx.Lane.Now())}
}

// rewrites tells whether each leg has identifiers of its own.
func (c *Call) rewrites() bool { return c.set.Identity == IdentityRewrite }

// branchOf returns the branch of a dialog that leg s shows with this remote tag
// and local tag. Of several that are one dialog there, it is the latest.
func (c *Call) branchOf(s side, localTag, remoteTag string) *branch {
	is := func(b *branch) bool {
		d := b.dialogs[s]
		return d.LocalTag == localTag && d.RemoteTag == remoteTag
	}
	if c.latest != nil && is(c.latest) {
		return c.latest
	}
	for _, b := range c.branches {
		if is(b) {
			return b
		}
	}
	return nil
}

// branchTo returns the branch that has this tag of leg B, nil if it is new.
func (c *Call) branchTo(tag string) *branch {
	for _, b := range c.branches {
		if b.dialogs[sideB].RemoteTag == tag {
			return b
		}
	}
	return nil
}

// branchFor returns the branch of a response of leg B to the initial INVITE,
// made new when its To-tag is new.
func (c *Call) branchFor(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) *branch {
	if b := c.branchTo(resp.ToTag()); b != nil {
		b.dialogs[sideB].Flow = flow
		return b
	}
	b := &branch{asked: tx, login: c.logins[tx]}
	d := dialog.NewUAC(tx.Request(), resp)
	d.Flow = flow
	b.dialogs[sideB] = d
	if b.dialogs[sideA] = c.single; c.single == nil {
		b.dialogs[sideA] = dialog.NewUAS(c.invite, c.tagTowardsA(resp.ToTag()))
		b.dialogs[sideA].Flow = c.legs[sideA].flow
	}
	if c.legs[sideA].localTag != "" {
		c.single = b.dialogs[sideA]
	}
	c.branches = append(c.branches, b)
	c.refer(b)
	c.srv.links.put(c, b)
	for _, d := range b.dialogs {
		c.srv.lanes[c.lane.Index()].byDialog.add(keyOf(d), c)
	}
	return b
}

// refer notes a branch for those who name its dialogs, where each leg has others.
func (c *Call) refer(b *branch) {
	if c.rewrites() {
		c.srv.references.put(b)
	}
}

// tagTowardsA is the To-tag leg A sees for a To-tag of leg B: the same one, or
// ours when identities are rewritten (RFC 3261 §13.3.1.1: one dialog then) and
// when leg B, of RFC 2543, has none.
func (c *Call) tagTowardsA(tag string) string {
	if t := c.legs[sideA].localTag; t != "" {
		return t
	}
	if tag == "" {
		return c.initial.server.LocalTag()
	}
	return tag
}

// confirm makes b the dialog pair of the call; the other branches end.
func (c *Call) confirm(b *branch) {
	c.drop(func(o *branch) bool { return o != b })
	c.current, c.latest = b, b
}

// prune ends the early dialogs of an INVITE that has failed.
func (c *Call) prune(tx *txn.ClientTx) {
	c.drop(func(b *branch) bool { return b.asked == tx })
}

// drop takes the branches out for which gone holds.
func (c *Call) drop(gone func(*branch) bool) {
	if !slices.ContainsFunc(c.branches, gone) {
		return
	}
	calls := &c.srv.lanes[c.lane.Index()].byDialog
	var kept, dropped []*branch
	for _, b := range c.branches {
		if gone(b) {
			dropped = append(dropped, b)
		} else {
			kept = append(kept, b)
		}
	}
	for _, b := range dropped {
		c.srv.references.drop(b)
		c.srv.links.drop(c, b)
		for _, d := range b.dialogs {
			calls.remove(keyOf(d), c)
		}
		if c.latest == b {
			c.latest = nil
		}
		if c.preview == b { // what the next one plays is to be heard
			c.preview = nil
		}
	}
	c.branches = kept
	for _, b := range kept { // dialogs that were shared with a dropped one
		c.refer(b)
		c.srv.links.put(c, b)
		for _, d := range b.dialogs {
			calls.add(keyOf(d), c)
		}
	}
}

// track notes something that the call waits for at its end.
func (c *Call) track(what any) {
	if !slices.Contains(c.pending, what) {
		c.pending = append(c.pending, what)
	}
}

// settled notes its end.
func (c *Call) settled(what any) {
	if i := slices.Index(c.pending, what); i >= 0 {
		c.pending = slices.Delete(c.pending, i, i+1)
	}
	c.forget()
}

// forget removes the call from its lane when nothing of it is under way. The
// dialogs of one that transferred somebody stay until that is settled.
func (c *Call) forget() {
	if c.state != StateEnding || len(c.pending) > 0 || c.legs[sideA].byeDue != nil || c.legs[sideB].byeDue != nil {
		return
	}
	calls := &c.srv.lanes[c.lane.Index()]
	if calls.byToken[c.id] == c {
		delete(calls.byToken, c.id)
		c.srv.links.leave(c)
		c.srv.active.Add(-1)
	}
	if c.after.open == 0 {
		c.after.clock.Stop()
		c.drop(func(*branch) bool { return true })
		c.conclude()
		if !c.left {
			c.left = true
			c.expect(c.lane.Leave)
		}
	}
}

// expect tells the lane, by Enter or Leave, of the Call-IDs that the call has.
func (c *Call) expect(tell func(callID string)) {
	a, b := c.legs[sideA].callID, c.legs[sideB].callID
	if tell(a); b != a {
		tell(b)
	}
}

// conclude lets go of the call's answered INVITEs, which hold the whole of it
// until 64*T1 have passed.
func (c *Call) conclude() {
	for _, x := range c.answers {
		acks := map[string]*txn.Sent{x.chosen: x.ack}
		maps.Copy(acks, c.late)
		x.client.Conclude(acks)
	}
	c.answers = nil
}

// noteAnswer notes the 2xx of an INVITE, and forgets those that cannot come again.
func (c *Call) noteAnswer(x *exchange) {
	c.answers = append(slices.DeleteFunc(c.answers, func(o *exchange) bool { return o.client.Terminated() }), x)
}
