package app

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sidetrack/internal/config"
	"sidetrack/internal/redact"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// Rehearsal is what would become of a call.
type Rehearsal struct {
	Invite     RehearsedInvite      `json:"invite"`
	Routes     []RehearsedRule      `json:"routes"` // in order
	Route      string               `json:"route,omitempty"`
	Rules      []RehearsedRule      `json:"rules"`             // in order
	Refused    string               `json:"refused,omitempty"` // what the caller gets instead of a call
	Outgoing   *Sent                `json:"outgoing,omitempty"`
	Recordings []RehearsedRecording `json:"recordings"`
}

// RehearsedInvite is the INVITE as the rules see it.
type RehearsedInvite struct {
	RequestURI string    `json:"request_uri"`
	CallID     string    `json:"sip_call_id"`
	From       string    `json:"from"`
	To         string    `json:"to"`
	Source     string    `json:"source"`
	Listener   string    `json:"listener"`
	At         time.Time `json:"at"`
}

// RehearsedRule is a route or a rule and what came of it.
type RehearsedRule struct {
	Name    string   `json:"name"`
	Match   []string `json:"match"` // what must hold, in words
	Outcome string   `json:"outcome"`
	State   string   `json:"state"` // matched, missed, or not asked: one before it has decided
	Missed  []Missed `json:"missed,omitempty"`
}

// Missed is a key that did not hold.
type Missed struct {
	Key   string `json:"key"`
	Wants string `json:"wants"`
	Sees  string `json:"sees"`
}

// RehearsedRecording is one recording that the rules want.
type RehearsedRecording struct {
	Recorder string   `json:"recorder"`
	Name     string   `json:"name"`
	Rule     string   `json:"rule"`
	Decide   string   `json:"decide,omitempty"` // URL of the program that is asked about it first
	SRS      []string `json:"srs,omitempty"`    // in the order in which they are tried
	Reason   string   `json:"reason,omitempty"` // why nothing is sent
	Meant    bool     `json:"meant,omitempty"`  // that nothing is sent is as the rule, or the program that decides, will have it
	Sent     *Sent    `json:"sent,omitempty"`   // the INVITE that the first SRS gets
}

// Sent is a request that would leave.
type Sent struct {
	Proto    string `json:"proto"` // udp, tcp or tls
	From     string `json:"from"`  // the listener that it leaves by
	Head     string `json:"head"`  // request line and headers
	SDP      string `json:"sdp,omitempty"`
	Metadata string `json:"metadata,omitempty"`
}

func (r *rehearsal) result() *Rehearsal {
	in := r.invite
	engine, words := r.app.policy.Load(), r.cfg.ShownRules()
	out := &Rehearsal{
		Invite: RehearsedInvite{
			RequestURI: in.RequestURI, CallID: in.CallID, From: in.From.URI, To: in.To.URI,
			Source: in.Source.String(), Listener: in.Listener, At: in.Received,
		},
		Routes: trials(engine.ExplainRoute(in), words, "route"), Route: in.Route,
		Rules: trials(engine.ExplainRules(in), words, "recording"), Recordings: []RehearsedRecording{},
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.sent {
		p := &r.sent[i]
		switch {
		case r.final(*p) && p.msg.Status >= 300 && out.Refused == "":
			out.Refused = fmt.Sprintf("%d %s", p.msg.Status, p.msg.Reason)
		case p.msg.Method == "INVITE" && out.Outgoing == nil:
			out.Outgoing = p.show(r.secretHeaders()...)
		}
	}
	if out.Outgoing == nil {
		return out // no call, no recording
	}
	out.Refused = ""
	out.Recordings = append(out.Recordings, r.recordings(engine.Decide(in))...)
	return out
}

// secretHeaders are those that the route sets and that nobody should see.
func (r *rehearsal) secretHeaders() (names []string) {
	route, ok := r.app.policy.Load().Route(r.invite)
	if !ok {
		return nil
	}
	all := slices.Clone(route.Headers)
	for _, t := range route.Targets {
		all = append(all, t.Headers...)
	}
	for _, h := range all {
		if h.Secret {
			names = append(names, h.Name)
		}
	}
	return names
}

func trials(all []policy.Trial, words []config.ShownRule, kind string) []RehearsedRule {
	words = slices.DeleteFunc(slices.Clone(words), func(w config.ShownRule) bool { return w.Kind != kind })
	out := make([]RehearsedRule, len(all))
	for i, t := range all {
		out[i] = RehearsedRule{Name: t.Name, Match: words[i].Match, Outcome: words[i].Outcome, State: "missed"}
		switch {
		case !t.Asked:
			out[i].State = "not asked"
		case t.Matched():
			out[i].State = "matched"
		}
		for _, m := range t.Missed {
			out[i].Missed = append(out[i].Missed, Missed(m))
		}
	}
	return out
}

// recordings are those that were made, and what the rules want besides.
func (r *rehearsal) recordings(d policy.Decision) (out []RehearsedRecording) {
	asks := map[string]string{}
	for _, w := range d.Wanted {
		if w.Decide != nil {
			asks[w.Rule] = w.Decide.Shown()
		}
	}
	made := map[string]bool{}
	for _, v := range r.app.recorder.Recordings() {
		one := RehearsedRecording{Recorder: v.Recorder, Name: v.Name, Rule: v.Rule, Decide: asks[v.Rule], Reason: v.Reason}
		i := slices.IndexFunc(r.cfg.Recorders, func(c config.Recorder) bool { return c.Name == v.Recorder })
		var secret []string
		if i >= 0 {
			for _, srs := range r.cfg.Recorders[i].SRS {
				one.SRS = append(one.SRS, redact.Passwords(srs))
			}
			for _, h := range r.cfg.Recorders[i].Headers {
				if h.Secret {
					secret = append(secret, h.Name)
				}
			}
		}
		for k := range r.sent {
			if p := &r.sent[k]; one.Sent == nil && p.msg.Method == "INVITE" && p.msg.CallID() == v.SIPCallID {
				one.Sent = p.show(secret...)
			}
		}
		for _, a := range v.Attempts {
			if one.Sent == nil && a.Reason != "" {
				one.Reason = strings.TrimPrefix(one.Reason+"; ", "; ") + a.SRS + ": " + a.Reason
			}
		}
		if one.Sent == nil && one.Reason == "" && v.State == metadata.StateStarting {
			one.Reason = "the call has nothing that can be recorded yet"
		}
		made[v.Recorder] = true
		out = append(out, one)
	}
	for _, w := range d.Wanted {
		if made[w.Recorder] {
			continue
		}
		one := RehearsedRecording{Recorder: w.Recorder, Name: w.Recorder, Rule: w.Rule, Decide: asks[w.Rule], Reason: "nothing is recorded"}
		switch {
		case w.Start == policy.StartManual:
			one.Reason, one.Meant = "begins when somebody asks for it", true
		case one.Decide != "":
			one.Reason, one.Meant = "the program that decides is against it", true
		}
		out = append(out, one)
	}
	return out
}

// show takes a request apart for people, who need not see the values of some
// headers.
func (p *posted) show(secret ...string) *Sent {
	out := &Sent{Proto: p.flow.Proto}
	if p.flow.Listener != nil {
		out.From = p.flow.Listener.URL
	}
	head, _, _ := strings.Cut(string(p.raw), "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		if slices.ContainsFunc(secret, func(s string) bool { return sip.SameName(s, name) }) {
			line = name + ": (hidden)"
		}
		out.Head += redact.Passwords(line) + "\n"
	}
	for _, part := range body.Parts(p.msg) {
		text := strings.ReplaceAll(string(part.Body), "\r\n", "\n")
		if part.ContentType == "application/sdp" {
			out.SDP = text
		} else if strings.HasPrefix(part.ContentType, "application/rs-metadata") {
			out.Metadata = text
		}
	}
	return out
}

func descriptionOf(m *sip.Message) []byte {
	part, ok := body.Find(m, "application/sdp")
	if !ok {
		return nil
	}
	return part.Body
}
