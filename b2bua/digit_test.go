package b2bua_test

import (
	"testing"
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// listener is a recorder that wants to hear of keys.
type listener struct {
	relay chan *forker.Relay
	keys  chan forker.Digit
}

func (l *listener) Begin(_ metadata.Snapshot, _ *policy.Invite, relay *forker.Relay, _ func(metadata.RecordingState, string)) bool {
	relay.OnDigit(func(d forker.Digit) { l.keys <- d })
	l.relay <- relay
	return false
}

func (l *listener) Update(metadata.Snapshot) {}
func (l *listener) End(metadata.Snapshot)    {}

func (l *listener) Act(string, metadata.PartyRole, policy.Wish) bool { return false }

// A key in INFO is told and goes on, unless the recorder keeps it: then it is
// answered here and the other party hears nothing of it.
func TestDigitInInfo(t *testing.T) {
	l := &listener{relay: make(chan *forker.Relay, 1), keys: make(chan forker.Digit, 1)}
	s := newStage(t, setup{recorder: l})
	c := s.establish()
	relay := <-l.relay
	press := func(from *peer.Dialog, contentType, text string) *peer.Outgoing {
		return from.Send("INFO", peer.WithBody(contentType, []byte(text)))
	}
	want := func(d forker.Digit) {
		t.Helper()
		if got := <-l.keys; got != d {
			t.Errorf("told %+v, want %+v", got, d)
		}
	}
	out := press(c.left, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")
	c.right.Expect("INFO").Reply(200)
	out.Expect(200)
	want(forker.Digit{Side: forker.SideA, Key: '5', Duration: 160 * time.Millisecond})
	out = press(c.right, "application/dtmf", "#")
	c.left.Expect("INFO").Reply(415) // the other party's word counts
	out.Expect(415)
	want(forker.Digit{Side: forker.SideB, Key: '#'})

	relay.SwallowDigits(forker.SideB, true)
	press(c.right, "application/dtmf-relay", "Signal=*\r\nDuration=100\r\n").Expect(200)
	want(forker.Digit{Side: forker.SideB, Key: '*', Duration: 100 * time.Millisecond})
	out = press(c.right, "application/dtmf-relay", "nonsense") // what is no key goes on
	c.left.Expect("INFO").Reply(200)
	out.Expect(200)
	out = press(c.left, "application/dtmf-relay", "Signal=1\r\nDuration=100\r\n") // so does the other side's
	c.right.Expect("INFO").Reply(200)
	out.Expect(200)
	want(forker.Digit{Side: forker.SideA, Key: '1', Duration: 100 * time.Millisecond})
	c.hangUp()
	s.quiet()
}
