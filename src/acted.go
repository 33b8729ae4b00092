package src

import (
	"cmp"
	"errors"
	"time"

	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// Action is what a party or an SRS has asked of a recording, or the limit of a pause has
// brought about, for who keeps account of it; what is asked by the methods of Client is known to who calls them.
type Action struct {
	Time      time.Time
	Door      string // by what it came: keys, recordpref, timer, or the SIP method
	Role      string // caller, callee, srs or limit
	Who       string // the party's AOR, the SRS, or limit
	Action    policy.Action
	CallID    string // our id of the call; "": no call was found
	Recording string // "": there is none
	Err       error  // why it was not carried out; nil: it was
}

// acted tells of a party's action, for each session that it was about.
func (k *call) acted(about []*Session, action policy.Action, door string, party metadata.PartyRole, err error) {
	who := k.cs.Caller.AOR
	if party == metadata.Callee {
		who = k.cs.Callee.AOR
	}
	act := Action{Time: k.client.cfg.Now(), Door: door, Role: string(party), Who: who, Action: action, CallID: k.cs.ID, Err: err}
	if len(about) == 0 {
		k.client.cfg.OnAction(act)
	}
	for _, s := range about {
		act.Recording = s.id
		k.client.cfg.OnAction(act)
	}
}

// acted tells of an action of the SRS that has the session, or has asked for it.
func (s *Session) acted(action policy.Action, door string) {
	s.client.cfg.OnAction(Action{
		Time: s.now(), Door: door, Role: "srs", Who: s.srs, Action: action, CallID: s.cs.ID, Recording: s.id,
	})
}

// actedInVain tells of the INVITE of an SRS that does not get what it asks for.
func (c *Client) actedInVain(tx *txn.ServerTx, why string) {
	c.cfg.OnAction(Action{
		Time: c.cfg.Now(), Door: "INVITE", Role: "srs", Who: tx.Flow.Remote.String(), Action: policy.ActionStart, Err: errors.New(why),
	})
}

// doorOf names the door of a party's wish.
func doorOf(w policy.Wish) string { return cmp.Or(w.Door, "signalling") }

// silenced is how many streams the SRS does not want for now.
func (s *Session) silenced() (n int) {
	for _, st := range s.streams.all {
		if st.waits || st.refused {
			n++
		}
	}
	return n
}
