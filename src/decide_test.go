package src_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// program is one that decides: it tells what it is asked and answers when told.
type program struct {
	asked  chan src.Question
	answer chan func() (src.Answer, error)
}

func newProgram() *program {
	return &program{asked: make(chan src.Question, 8), answer: make(chan func() (src.Answer, error), 8)}
}

func (p *program) Decide(ctx context.Context, _ *policy.Ask, q src.Question) (src.Answer, error) {
	p.asked <- q
	select {
	case f := <-p.answer:
		return f()
	case <-ctx.Done():
		return src.Answer{}, ctx.Err()
	}
}

func (p *program) say(a src.Answer) {
	p.answer <- func() (src.Answer, error) { return a, nil }
}

// decided has the rig's rule ask p.
func decided(p *program, required bool, onError policy.OnError, more ...func(*setup)) func(*setup) {
	return func(s *setup) {
		s.decide, s.rule.Required = p.Decide, required
		s.rule.Decide = &policy.Ask{URL: "https://rules.test/", Timeout: time.Minute, OnError: onError}
		for _, f := range more {
			f(s)
		}
	}
}

// The call is not held up by a program that thinks, and what it says is in the
// recording's INVITE and metadata.
func TestDecidedParticulars(t *testing.T) {
	for form, check := range map[src.Parameters]func(*testing.T, *peer.Session){
		src.ParametersMetadata: func(t *testing.T, rs *peer.Session) {
			want := `<parameters xmlns="urn:sidetrack:metadata:1"><parameter name="agent">7 &lt;Zoë&gt;</parameter><parameter name="team">a</parameter></parameters>`
			if raw := string(rs.Doc().Raw); !strings.Contains(raw, want) {
				t.Errorf("no %s in\n%s", want, raw)
			}
			if got := rs.Invite.Get("X-agent"); got != "" {
				t.Errorf("X-agent: %s", got)
			}
		},
		src.ParametersHeaders: func(t *testing.T, rs *peer.Session) {
			if agent, team := rs.Invite.Get("X-agent"), rs.Invite.Get("X-team"); agent != "7 <Zoë>" || team != "a" {
				t.Errorf("X-agent: %s, X-team: %s", agent, team)
			}
			if strings.Contains(string(rs.Doc().Raw), "parameters") {
				t.Errorf("parameters in\n%s", rs.Doc().Raw)
			}
		},
	} {
		t.Run(string(form), func(t *testing.T) {
			p, srs := newProgram(), newSRS(t, "srs")
			r := newRig(t, []string{srs.URI("")}, decided(p, false, policy.OnErrorRecord, func(s *setup) { s.recorder.Parameters = form }))
			c := r.newCall()
			if c.begin() {
				t.Error("required")
			}
			q := <-p.asked
			if q.Rule != "all" || q.From != c.cs.Caller.AOR || len(q.Recorders) != 1 || q.Recorders[0] != "main" || q.SIPCallID != c.cs.SIPCallID {
				t.Errorf("asked %+v", q)
			}
			if n := recordings(r, c); n != 0 {
				t.Errorf("%d recordings before the answer", n)
			}
			p.say(src.Answer{Record: true, Tracks: policy.TracksCallee, Particulars: src.Particulars{
				Group:      "team a",
				Headers:    map[string]string{"X-Case": "17", "Via": "SIP/2.0/UDP evil", "X-Break": "a\r\nContact: <sip:evil>", "bad name": "x"},
				Parameters: map[string]string{"team": "a", "agent": "7 <Zoë>"},
			}})
			rs := srs.Accept()
			if got := rs.Invite.Get("X-Case"); got != "17" {
				t.Errorf("X-Case: %q", got)
			}
			if raw := string(rs.Invite.Raw); strings.Contains(raw, "evil") || strings.Contains(raw, "bad name") {
				t.Errorf("injected:\n%s", raw)
			}
			if !strings.Contains(string(rs.Doc().Raw), "team a") {
				t.Errorf("no group in\n%s", rs.Doc().Raw)
			}
			if len(rs.Labels) != 1 || rs.Labels[0] != "2" {
				t.Errorf("labels %v, want the callee's alone", rs.Labels)
			}
			check(t, rs)
			c.end()
			rs.End()
		})
	}
}

// What becomes of a call and its recording, by what the program says.
func TestDecisions(t *testing.T) {
	no := false
	fail := func() (src.Answer, error) { return src.Answer{}, errors.New("rules.test is down") }
	say := func(a src.Answer) func() (src.Answer, error) { return func() (src.Answer, error) { return a, nil } }
	for name, tt := range map[string]struct {
		answer   func() (src.Answer, error)
		onError  policy.OnError
		recorded bool
		told     string // what the owner of a call hears whose rule requires the recording
	}{
		"no":                       {say(src.Answer{}), "", false, "none"},
		"yes":                      {say(src.Answer{Record: true}), "", true, "recording"},
		"yes, but need not":        {say(src.Answer{Record: true, Required: &no}), "", true, "none recording"},
		"nothing, recorded":        {fail, policy.OnErrorRecord, true, "recording"},
		"nothing, not recorded":    {fail, policy.OnErrorSkip, false, "ended"},
		"another recorder":         {say(src.Answer{Record: true, Recorders: []string{"other", "other"}}), "", true, "none recording"},
		"a recorder that is there": {say(src.Answer{Record: true, Recorders: []string{"main"}}), "", true, "recording"},
	} {
		t.Run(name, func(t *testing.T) {
			p, srs := newProgram(), newSRS(t, "srs")
			r := newRig(t, []string{srs.URI("")}, decided(p, true, tt.onError, func(s *setup) {
				s.further = []src.Recorder{{Name: "other", SRS: []string{srs.URI("")}, Timeout: time.Second}}
			}))
			c := r.newCall()
			if !c.begin() {
				t.Error("not required")
			}
			<-p.asked
			if got := c.notified(); got != "" {
				t.Errorf("told %q before the answer", got)
			}
			p.answer <- tt.answer
			if tt.recorded {
				rs := srs.Accept()
				if !peer.Eventually(func() bool { return c.notified() == tt.told }) {
					t.Errorf("told %q, want %q", c.notified(), tt.told)
				}
				c.end()
				rs.End()
				return
			}
			if !peer.Eventually(func() bool { return c.notified() == tt.told }) {
				t.Errorf("told %q, want %q", c.notified(), tt.told)
			}
			if n := recordings(r, c); n != 0 {
				t.Errorf("%d recordings", n)
			}
			c.end()
		})
	}
}

// A call that ends, and a client that closes, while a program thinks.
func TestDecisionTooLate(t *testing.T) {
	p, srs := newProgram(), newSRS(t, "srs")
	r := newRig(t, []string{srs.URI("")}, decided(p, false, policy.OnErrorRecord))
	a, b := r.newCall(), r.newCall()
	a.begin()
	<-p.asked
	a.end()
	p.say(src.Answer{Record: true})
	b.begin()
	<-p.asked
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.client.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if n := len(r.client.Recordings()); n != 0 {
		t.Errorf("%d recordings", n)
	}
}

// Somebody who asks for ever more recordings is told when it is enough; what the
// rules want counts.
func TestMaxStreams(t *testing.T) {
	srs := newSRS(t, "srs")
	r := newRig(t, []string{srs.URI("")}, func(s *setup) { s.maxStreams, s.ports = 4, 64 })
	c := r.newCall()
	c.begin()
	sessions := []*peer.Session{srs.Accept()}
	start := func(name, tracks string) error {
		_, err := r.client.Start(t.Context(), c.cs.ID, src.StartRequest{Recorder: "main", Name: name, Tracks: tracks})
		if err == nil {
			sessions = append(sessions, srs.Accept())
		}
		return err
	}
	for _, name := range []string{"a", "b"} {
		if err := start(name, "caller"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := start("c", "caller"); !errors.Is(err, src.ErrState) || !strings.Contains(err.Error(), "more than 4 streams") {
		t.Errorf("a fifth stream: %v", err)
	}
	for _, v := range r.client.Recordings() {
		if v.Name == "main" {
			if _, err := r.client.Stop(t.Context(), v.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	sessions[0].End()
	if err := start("c", "both"); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
	c.end()
	for _, s := range sessions[1:] {
		s.End()
	}
}

// On demand, with particulars of the operator's.
func TestStartWithParameters(t *testing.T) {
	srs := newSRS(t, "srs")
	r := newRig(t, []string{srs.URI("")}, func(s *setup) { s.rule.Recorder = policy.NoRecorder })
	c := r.newCall()
	c.begin()
	for _, bad := range []src.Particulars{
		{Parameters: map[string]string{"": "x"}}, {Headers: map[string]string{"X": strings.Repeat("x", 2000)}}, {Group: strings.Repeat("x", 300)},
	} {
		if _, err := r.client.Start(t.Context(), c.cs.ID, src.StartRequest{Recorder: "main", Particulars: bad}); !errors.Is(err, src.ErrRequest) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	_, err := r.client.Start(t.Context(), c.cs.ID, src.StartRequest{Recorder: "main", Particulars: src.Particulars{Parameters: map[string]string{"agent": "7"}}})
	if err != nil {
		t.Fatal(err)
	}
	rs := srs.Accept()
	if want := `<parameter name="agent">7</parameter>`; !strings.Contains(string(rs.Doc().Raw), want) {
		t.Errorf("no %s in\n%s", want, rs.Doc().Raw)
	}
	c.of("main", metadata.StateRecording)
	c.end()
	rs.End()
}
