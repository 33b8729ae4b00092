package src_test

import (
	"testing"

	"sidetrack/metadata"
	"sidetrack/policy"
)

// A conversation that passes twice is recorded in its first pass; when that is
// over, a new pass is a call like any other.
func TestOnce(t *testing.T) {
	const end, other = "ab30317f1a784dc48ff824d0d3715d86", "47755a9de7794ba387653f2099600ef2"
	header := func(name, value string) policy.Header { return policy.Header{Name: name, Value: value} }
	for name, tt := range map[string]struct {
		first, second []policy.Header // of the two INVITEs
		mark          string          // header of the second that holds the first one's Call-ID
		callID        string          // of the second, when not its own; "same": the first one's
		apart         bool            // two conversations
	}{
		"same Call-ID":              {callID: "same"},
		"Session-ID":                {first: []policy.Header{header("Session-ID", end+";remote="+other)}, second: []policy.Header{header("session-id", other+";remote="+end)}},
		"half of the Session-ID":    {first: []policy.Header{header("Session-ID", end+";remote=00000000000000000000000000000000")}, second: []policy.Header{header("Session-ID", other+";remote="+end)}},
		"our mark":                  {mark: "X-Sidetrack-Call"},
		"another's mark":            {mark: "X-Other", apart: true},
		"nothing in common":         {apart: true},
		"no Session-ID yet":         {first: []policy.Header{header("Session-ID", "00000000000000000000000000000000")}, second: []policy.Header{header("Session-ID", "00000000000000000000000000000000")}, apart: true},
		"a Session-ID that is none": {first: []policy.Header{header("Session-ID", "x")}, second: []policy.Header{header("Session-ID", "x")}, apart: true},
	} {
		t.Run(name, func(t *testing.T) {
			srs := newSRS(t, "srs")
			r := newRig(t, []string{srs.URI("")}, func(s *setup) { s.rule.Once, s.rule.Required, s.ports = true, true, 64 })
			a, b := r.newCall(), r.newCall()
			if tt.callID == "same" {
				b.cs.SIPCallID = a.cs.SIPCallID
			}
			if tt.mark != "" {
				tt.second = append(tt.second, header(tt.mark, a.cs.SIPCallID))
			}
			if !a.begin(tt.first...) {
				t.Error("the first pass may go on without a recording")
			}
			one := srs.Accept()
			if needed := b.begin(tt.second...); needed != tt.apart {
				t.Errorf("second pass: recording required %v, want %v", needed, tt.apart)
			}
			if tt.apart {
				two := srs.Accept()
				b.end()
				two.End()
				a.end()
				one.End()
				return
			}
			if got := recordings(r, b); got != 0 {
				t.Errorf("the second pass has %d recordings", got)
			}
			a.end()
			one.End()
			a.of("main", metadata.StateEnded)
			b.end()
			c := r.newCall()
			c.cs.SIPCallID = a.cs.SIPCallID
			c.begin(tt.second...)
			three := srs.Accept()
			c.end()
			three.End()
		})
	}
}

func recordings(r *rig, c *call) int {
	n := 0
	for _, v := range r.client.Recordings() {
		if v.CallID == c.cs.ID {
			n++
		}
	}
	return n
}

// Of a rule's recorders each is asked by itself: what the first pass is not
// recorded by, the second is.
func TestOncePerRecorder(t *testing.T) {
	one, two := newSRS(t, "compliance"), newSRS(t, "analytics")
	r := newRig(t, []string{one.URI("")}, also(two.URI(""), func(s *setup) { s.rule.Once = true }))
	a, b := r.newCall(), r.newCall()
	b.cs.SIPCallID = a.cs.SIPCallID
	a.begin()
	x, y := one.Accept(), two.Accept()
	b.begin()
	b.end()
	if got := recordings(r, b); got != 0 {
		t.Errorf("the second pass has %d recordings", got)
	}
	a.end()
	x.End()
	y.End()
	a.of("analytics", metadata.StateEnded)
}
