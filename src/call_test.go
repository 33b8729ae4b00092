package src_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// call is a communication session with two talking parties.
type call struct {
	r              *rig
	cs             metadata.Snapshot
	relay          *forker.Relay
	caller, callee *peer.Media

	mu     sync.Mutex
	states []string // as notified
}

var pcmu = metadata.Format{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}
var events = metadata.Format{PT: 101, Name: "telephone-event", Clock: 8000, Channels: 1, Fmtp: "0-15"}

var nextCall atomic.Int32

// newCall makes a call in the state answered, with one audio m-line of PCMU.
func (r *rig) newCall() *call {
	r.t.Helper()
	id := fmt.Sprintf("call%d", nextCall.Add(1))
	c := &call{
		r: r, relay: r.media.Open(),
		caller: peer.NewMedia(r.t, "127.0.0.2", id, "caller"), callee: peer.NewMedia(r.t, "127.0.0.3", id, "callee"),
	}
	if err := c.relay.SetStreams(1); err != nil {
		r.t.Fatal(err)
	}
	c.relay.SetRemote(forker.SideA, 0, forker.Remote{RTP: c.caller.Addr(), Sends: true, RTPKind: true})
	c.relay.SetRemote(forker.SideB, 0, forker.Remote{RTP: c.callee.Addr(), Sends: true, RTPKind: true})
	now := time.Now()
	flow := metadata.Flow{Formats: []metadata.Format{pcmu, events}, Sends: true, Ptime: "20"}
	c.cs = metadata.Snapshot{
		ID: id, SIPCallID: id + "@pbx.test", State: metadata.CallAnswered, Started: now.Add(-time.Second), Answered: now,
		Caller:  metadata.Party{AOR: "sip:alice@pbx.test", Name: `Alice "A" & Söhne <x>`},
		Callee:  metadata.Party{AOR: "sip:bob@pbx.test", Name: "Bob"},
		Streams: []metadata.MediaStream{{Kind: "audio", Caller: flow, Callee: flow}},
	}
	r.t.Cleanup(c.relay.Close)
	return c
}

func (c *call) begin(headers ...policy.Header) (required bool) {
	in := &policy.Invite{
		Method: "INVITE", CallID: c.cs.SIPCallID, From: policy.Address{URI: c.cs.Caller.AOR, User: "alice"},
		To:      policy.Address{URI: c.cs.Callee.AOR, User: "bob"},
		Headers: append([]policy.Header{{Name: "X-Queue", Value: "sales"}}, headers...),
	}
	return c.r.client.Begin(c.cs, in, c.relay, func(state metadata.RecordingState, reason string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.states = append(c.states, string(state))
	})
}

func (c *call) notified() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.states, " ")
}

// hasBeenTold waits until the call has been told of these states, in this order.
func (c *call) hasBeenTold(states string) {
	c.r.t.Helper()
	if !peer.Eventually(func() bool { return c.notified() == states }) {
		c.r.t.Errorf("told of %q, wanted %q", c.notified(), states)
	}
}

// change alters the call and tells the client.
func (c *call) change(alter func(*metadata.Snapshot)) {
	cs := c.cs
	cs.Streams = append([]metadata.MediaStream(nil), cs.Streams...)
	alter(&cs)
	c.cs = cs
	c.r.client.Update(cs)
}

// hold puts the call on hold by the callee, or takes it back.
func (c *call) hold(on bool) {
	c.change(func(cs *metadata.Snapshot) { cs.Streams[0].Caller.Sends = !on })
}

func (c *call) end() {
	c.cs.State, c.cs.Ended = metadata.CallEnded, time.Now()
	c.r.client.End(c.cs)
	c.relay.Close()
}

// talk has both parties talk.
func (c *call) talk() {
	a, _ := c.relay.Local(forker.SideA, 0)
	b, _ := c.relay.Local(forker.SideB, 0)
	c.caller.Talk(a)
	c.callee.Talk(b)
}

// view is the newest recording of the call.
func (c *call) view() src.View {
	var found src.View
	for _, v := range c.r.client.Recordings() {
		if v.CallID == c.cs.ID {
			found = v
		}
	}
	return found
}

// await waits until the recording of the call is in a state.
func (c *call) await(state metadata.RecordingState) src.View {
	c.r.t.Helper()
	if !peer.Eventually(func() bool { return c.view().State == state }) {
		c.r.t.Fatalf("recording is %q (%s), wanted %q", c.view().State, c.view().Reason, state)
	}
	return c.view()
}

// ended waits for the end and checks its result.
func (c *call) ended(result src.Result) src.View {
	c.r.t.Helper()
	v := c.await(metadata.StateEnded)
	if v.Result != result {
		c.r.t.Fatalf("recording ended %q (%s), wanted %q", v.Result, v.Reason, result)
	}
	return v
}

// hears checks that each label carries its party: packets sent from now on.
func hears(t *testing.T, c *call, s *peer.Session) {
	t.Helper()
	for label, party := range map[string]*peer.Media{"1": c.caller, "2": c.callee} {
		stream := s.Streams[label]
		if stream == nil {
			continue
		}
		from := party.Sent()
		got := stream.AwaitFrom(party.Party, from, 5)
		for _, p := range got {
			if p.Party != party.Party {
				t.Fatalf("label %s carries %s", label, p.Party)
			}
		}
	}
}
