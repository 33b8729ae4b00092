package src

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// Question is what a program is told that decides about a call's recording.
type Question struct {
	Rule       string
	Recorders  []string // that the rule names
	CallID     string   // our id of the call
	SIPCallID  string
	From, To   string // addresses of the parties
	RequestURI string
	Source     string // address of the packet's sender
	Route      string
	Started    time.Time
	Headers    []policy.Header // of the INVITE
}

// Answer is what it says. What it leaves open is as the rule says.
type Answer struct {
	Record    bool          // false: not recorded, and the call goes on
	Recorders []string      // nil: the rule's
	Tracks    policy.Tracks // "": the rule's
	Required  *bool         // false lifts what the rule requires; true is heard only where it does
	Particulars
}

// Particulars are what somebody adds to one recording.
type Particulars struct {
	Group      string            // "": the recorder's
	Headers    map[string]string // of INVITE and re-INVITEs; those by which a dialog lives are left out
	Parameters map[string]string // name → value; the recorder says how they go
}

// maxQuestions is how many programs may be thinking at a time. Beyond it a
// question fails at once, so that a slow one costs bounded memory.
const maxQuestions = 256

// errBusy: too many questions wait for an answer.
var errBusy = errors.New("too many decisions are under way")

// inquiry is a question about some of the recordings that the rules want.
type inquiry struct {
	ask    *policy.Ask
	wishes []wish
	before *inquiry // another one of the call that is under way
}

// inquire puts a rule's question. The call goes on meanwhile; it waits only
// where the rule requires its recording, and no longer than the answer may take.
func (k *call) inquire(q *inquiry) {
	c := k.client
	question := k.question(q)
	ctx, done, err := c.beginAsking(q.ask.Timeout)
	if err != nil {
		k.onDecision(q, Answer{}, err)
		return
	}
	if k.ahead == nil {
		k.ahead = &ahead{}
	}
	q.before, k.ahead.asked = k.ahead.asked, q
	go func() {
		defer done()
		a, err := c.cfg.Decide(ctx, q.ask, question)
		k.lane.Post(func() {
			k.answeredTo(q)
			k.onDecision(q, a, err)
		})
	}()
}

// asks is the question under way about the recording of that name; nil: there is
// none.
func (k *call) asks(name string) *inquiry {
	if k.ahead == nil {
		return nil
	}
	for q := k.ahead.asked; q != nil; q = q.before {
		if slices.ContainsFunc(q.wishes, func(w wish) bool { return w.name == name }) {
			return q
		}
	}
	return nil
}

// answeredTo takes a question off the call.
func (k *call) answeredTo(q *inquiry) {
	at := &k.ahead.asked
	for *at != q {
		at = &(*at).before
	}
	*at = q.before
}

// beginAsking takes a place among those who ask; done gives it back.
func (c *Client) beginAsking(timeout time.Duration) (ctx context.Context, done func(), err error) {
	if c.cfg.Decide == nil {
		return nil, nil, errors.New("nobody to decide")
	}
	select {
	case c.questions <- struct{}{}:
	default:
		return nil, nil, errBusy
	}
	c.hold()
	ctx, cancel := context.WithTimeout(c.asking, timeout)
	return ctx, func() {
		cancel()
		<-c.questions
		c.release()
	}, nil
}

// Asking is how many programs are thinking about a call.
func (c *Client) Asking() int { return len(c.questions) }

func (k *call) question(q *inquiry) Question {
	in := k.invite
	out := Question{
		Rule: q.wishes[0].of.Rule, CallID: k.cs.ID, SIPCallID: k.cs.SIPCallID, From: k.cs.Caller.AOR, To: k.cs.Callee.AOR,
		RequestURI: in.RequestURI, Route: in.Route, Started: k.cs.Started, Headers: in.Headers,
	}
	if in.Source.IsValid() {
		out.Source = in.Source.String()
	}
	for _, w := range q.wishes {
		out.Recorders = append(out.Recorders, w.recorderName)
	}
	return out
}

// onDecision makes of a rule's wishes what the answer says.
func (k *call) onDecision(q *inquiry, a Answer, err error) {
	if k.over {
		return
	}
	if k.client.shut() {
		k.giveUp(q.wishes)
		return
	}
	defer k.comply()
	log := k.client.log.With("call", k.cs.ID, "rule", q.wishes[0].of.Rule)
	if err == nil {
		err = k.knows(a.Recorders)
	}
	k.client.metrics.decided(a, err)
	switch {
	case err != nil && q.ask.OnError == policy.OnErrorSkip:
		k.client.trouble.warn(log, q.ask.URL, "no decision, not recorded", "url", q.ask.Shown(), "error", err)
		for _, w := range q.wishes {
			w.tell(metadata.StateEnded, "no decision: "+err.Error())
		}
		return
	case err != nil:
		k.client.trouble.warn(log, q.ask.URL, "no decision, recorded as the rule says", "url", q.ask.Shown(), "error", err)
	case !a.Record:
		log.Debug("decided: not recorded")
		for _, w := range q.wishes {
			w.tell(metadata.StateNone, "")
		}
		return
	default:
		q.wishes = k.revise(q.wishes, a)
	}
	k.pending = append(k.pending, q.wishes...)
	k.applyRules()
}

// knows tells of a recorder that an answer names and that is not there: such an
// answer is not understood.
func (k *call) knows(recorders []string) error {
	for _, name := range recorders {
		if k.recorders[name] == nil {
			return fmt.Errorf("the answer is not understood: there is no recorder %.64q", name)
		}
	}
	return nil
}

// revise is what an answer makes of the wishes.
func (k *call) revise(wishes []wish, a Answer) []wish {
	names := a.Recorders
	if names == nil {
		for _, w := range wishes {
			names = append(names, w.recorderName)
		}
	}
	var out []wish
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		at := slices.IndexFunc(wishes, func(w wish) bool { return w.recorderName == name })
		w := wishes[max(at, 0)]
		if at < 0 { // a recorder that the rule does not name: like its first one, but nobody waits for it
			w.recorder, w.recorderName, w.name, w.required, w.notify = k.recorders[name], name, k.free(name), false, nil
		}
		if a.Tracks != "" {
			w.tracks = a.Tracks
		}
		w.particulars = a.Particulars
		out = append(out, w)
	}
	for _, w := range wishes {
		if !slices.Contains(names, w.recorderName) {
			w.tell(metadata.StateNone, "")
		}
	}
	if a.Required != nil && !*a.Required {
		for i := range out {
			out[i].tell(metadata.StateNone, "")
			out[i].required, out[i].notify = false, nil
		}
	}
	return out
}

// tell lets the call's owner know, where he listens.
func (w *wish) tell(state metadata.RecordingState, reason string) {
	if w.notify != nil {
		w.notify(state, reason)
	}
}

// headers are those of the particulars that may go into an INVITE, and the
// names of those that may not.
func (p *Particulars) headers(form Parameters) (out []sip.Header, left []string) {
	if len(p.Headers)+len(p.Parameters) == 0 {
		return nil, nil
	}
	all := maps.Clone(p.Headers)
	if form == ParametersHeaders && len(p.Parameters) > 0 {
		if all == nil {
			all = map[string]string{}
		}
		for name, value := range p.Parameters {
			all["X-"+name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value := all[name]
		if !sip.IsToken(name) || owned(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			left = append(left, name)
			continue
		}
		out = append(out, sip.Header{Name: name, Value: value})
	}
	return out, left
}

// parameters are those that can be written, in order of their names.
func (p *Particulars) parameters() []metadata.Parameter {
	if len(p.Parameters) == 0 {
		return nil
	}
	var out []metadata.Parameter
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		out = append(out, metadata.Parameter{Name: name, Value: p.Parameters[name]})
	}
	return out
}

// Check bounds what comes from outside. The error wraps ErrRequest.
func (p *Particulars) Check() error {
	const most, longest = 32, 1024
	if len(p.Headers) > most || len(p.Parameters) > most {
		return fmt.Errorf("more than %d headers or parameters: %w", most, ErrRequest)
	}
	for _, m := range []map[string]string{p.Headers, p.Parameters} {
		for name, value := range m {
			if name == "" || len(name) > 64 || len(value) > longest {
				return fmt.Errorf("header or parameter %.64q: names have 1 to 64 bytes, values up to %d: %w", name, longest, ErrRequest)
			}
		}
	}
	if len(p.Group) > 256 {
		return fmt.Errorf("group: more than 256 bytes: %w", ErrRequest)
	}
	return nil
}
