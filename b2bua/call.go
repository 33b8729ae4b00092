package b2bua

import (
	"log/slog"
	"time"

	"sidetrack/forker"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// side names a leg: A is the originator's, B the far side's.
type side = forker.Side

const (
	sideA = forker.SideA
	sideB = forker.SideB
)

func other(s side) side { return 1 - s }

func sideName(s side) string {
	if s == sideA {
		return "caller"
	}
	return "callee"
}

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
	invite  *sip.Message // leg A's INVITE as received
	relay   *forker.Relay
	started time.Time

	state    State
	answered time.Time
	ended    time.Time
	legs     [2]leg
	branches []*branch // early dialogs, then only the confirmed one
	current  *branch   // the confirmed one, nil before the answer
	initial  *exchange // the INVITE that made the call
	open     []*exchange
	media    negotiation
	rec      recording

	verdict   verdict
	announced bool                       // call.start was told
	pending   map[*txn.ClientTx]struct{} // must end before the call is forgotten
	late      map[string]*txn.Sent       // ACKs of 2xx that came too late, by To-tag
}

// leg is what is known of one side beyond its dialogs.
type leg struct {
	contact  string // our Contact URI towards this side
	callID   string
	localTag string // our tag in rewrite mode; "" in preserve mode
	listener *transport.Listener
	flow     transport.Flow // where its last message came from
	sender   sender

	// unacked is our 2xx that this side has not acknowledged yet; no BYE may
	// be sent to it before (RFC 3261 §15).
	unacked *exchange
	byeDue  *sip.Message // BYE to be sent once it has
	gone    bool         // this side ended its dialog, or was told to
}

// branch is one dialog of leg B (one To-tag) with its mirror on leg A.
type branch struct {
	dialogs [2]*dialog.Dialog
}

func newCall(s *Server, tx *txn.ServerTx, in *policy.Invite, route *policy.Route, received time.Time) *Call {
	req := tx.Request
	c := &Call{
		id: newToken(), srv: s, lane: tx.Lane, in: in, route: route, invite: req,
		started: received, state: StateTrying, relay: s.cfg.Media.Open(),
		pending: map[*txn.ClientTx]struct{}{},
	}
	c.log = s.cfg.Log.With("call", c.id, "sip_call_id", req.CallID())
	a, b := &c.legs[sideA], &c.legs[sideB]
	a.callID, a.flow, a.listener = req.CallID(), tx.Flow, tx.Flow.Listener
	if a.listener != nil {
		a.contact = a.listener.ContactURI(contactUser(c.id, sideA))
	}
	b.callID = req.CallID()
	if s.cfg.Identity == IdentityRewrite {
		b.callID = c.lane.NewCallID("")
		a.localTag, b.localTag = sip.NewTag(), sip.NewTag()
	}
	c.initial = &exchange{call: c, from: sideA, method: req.Method, server: tx, cseqIn: req.CSeq().Num}
	c.open = append(c.open, c.initial)
	tx.Data = c.initial
	s.lanes[c.lane.Index()].byToken[c.id] = c
	s.active.Add(1)
	c.relay.OnTimeout(func() { c.lane.Post(c.onMediaTimeout) })
	c.log.Info("call arrived", "from", in.From.URI, "to", in.To.URI, "source", tx.Flow.Remote.String(), "route", route.Name)
	return c
}

// onMediaTimeout ends a call whose parties both fell silent without hold.
func (c *Call) onMediaTimeout() {
	if c.state == StateAnswered {
		c.log.Warn("no RTP, call is ended", "timeout", "media.timeout")
		c.hangUp(verdict{result: failed, reason: "media timeout", status: 408}, nil)
	}
}

// branchOf returns the branch of a dialog that leg s shows with this remote tag
// and local tag.
func (c *Call) branchOf(s side, localTag, remoteTag string) *branch {
	for _, b := range c.branches {
		if d := b.dialogs[s]; d.LocalTag == localTag && d.RemoteTag == remoteTag {
			return b
		}
	}
	return nil
}

// branchFor returns the branch of a response of leg B to the initial INVITE,
// made new when its To-tag is new.
func (c *Call) branchFor(req, resp *sip.Message, flow transport.Flow) *branch {
	tag := resp.ToTag()
	for _, b := range c.branches {
		if b.dialogs[sideB].RemoteTag == tag {
			return b
		}
	}
	b := &branch{}
	d := dialog.NewUAC(req, resp)
	d.Flow = flow
	b.dialogs[sideB] = d
	b.dialogs[sideA] = dialog.NewUAS(c.invite, c.tagTowardsA(tag))
	b.dialogs[sideA].Flow = c.legs[sideA].flow
	c.branches = append(c.branches, b)
	calls := c.srv.lanes[c.lane.Index()].byDialog
	for _, d := range b.dialogs {
		calls[keyOf(d)] = c
	}
	return b
}

// tagTowardsA is the To-tag leg A sees for a To-tag of leg B: the same one, or
// ours when identities are rewritten (RFC 3261 §13.3.1.1: one dialog then).
func (c *Call) tagTowardsA(tag string) string {
	if t := c.legs[sideA].localTag; t != "" {
		return t
	}
	return tag
}

func keyOf(d *dialog.Dialog) dialogKey { return dialogKey{d.CallID, d.LocalTag, d.RemoteTag} }

// sideOf tells which leg a dialog key belongs to.
func (c *Call) sideOf(key dialogKey) side {
	for _, b := range c.branches {
		if keyOf(b.dialogs[sideB]) == key {
			return sideB
		}
	}
	return sideA
}

// confirm makes b the dialog pair of the call; the other branches end.
func (c *Call) confirm(b *branch) {
	calls := c.srv.lanes[c.lane.Index()].byDialog
	for _, o := range c.branches {
		if o != b {
			for _, d := range o.dialogs {
				if k := keyOf(d); k != keyOf(b.dialogs[sideA]) && k != keyOf(b.dialogs[sideB]) {
					delete(calls, k)
				}
			}
		}
	}
	c.branches = []*branch{b}
	c.current = b
}

// forget removes the call from its lane when nothing of it is under way.
func (c *Call) forget() {
	if c.state != StateEnding || len(c.pending) > 0 || c.legs[sideA].byeDue != nil || c.legs[sideB].byeDue != nil {
		return
	}
	calls := &c.srv.lanes[c.lane.Index()]
	if calls.byToken[c.id] != c {
		return
	}
	delete(calls.byToken, c.id)
	for _, b := range c.branches {
		for _, d := range b.dialogs {
			if calls.byDialog[keyOf(d)] == c {
				delete(calls.byDialog, keyOf(d))
			}
		}
	}
	c.srv.active.Add(-1)
}

// recording is what the call knows of its being recorded.
type recording struct {
	begun    bool
	required bool
	ran      bool // it was active at some time
	state    metadata.RecordingState
}
