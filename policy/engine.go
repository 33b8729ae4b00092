package policy

// Engine answers for routes and recording rules. It is immutable and safe for
// concurrent use.
type Engine struct {
	registered *SRTP
	aware      Awareness
	routes     []compiledRoute
	rules      []compiledRule
}

type compiledRoute struct {
	conditions
	route Route
}

type compiledRule struct {
	conditions
	name   string
	wanted []Wanted
	goesOn bool
}

// New builds an Engine. It takes the slices and maps of cfg over: the caller
// must not change them afterwards.
func New(cfg Config) *Engine {
	e := &Engine{
		registered: cfg.Registered,
		aware:      cfg.Aware,
		routes:     make([]compiledRoute, 0, len(cfg.Routes)),
		rules:      make([]compiledRule, 0, len(cfg.Rules)),
	}
	for _, r := range cfg.Routes {
		e.routes = append(e.routes, compiledRoute{r.Match.compile(), r})
	}
	for _, r := range cfg.Rules {
		e.rules = append(e.rules, compiledRule{r.Match.compile(), r.Name, r.wanted(), r.Continue})
	}
	return e
}

// Route returns the first route that matches in, and false when none does. The
// route belongs to the Engine and must not be changed.
func (e *Engine) Route(in *Invite) (*Route, bool) {
	for i := range e.routes {
		if e.routes[i].hold(in) {
			return &e.routes[i].route, true
		}
	}
	return nil, false
}

// Registered tells where the SRTP of calls to registered phones ends; nil: it
// passes.
func (e *Engine) Registered() *SRTP { return e.registered }

// Aware says how registered phones, and who calls them, are told of recording.
func (e *Engine) Aware() Awareness { return e.aware }

// Decide returns what the first recording rule that matches in says, with what
// further ones say while these let it go on (Rule.Continue). A recorder that
// several name records once, as the first of them says. The zero Decision, which
// records nothing, is for a call that no rule matches. Rules that ask for the
// route need in.Route, so ask Route first.
func (e *Engine) Decide(in *Invite) Decision {
	var d Decision
	for i := range e.rules {
		r := &e.rules[i]
		if !r.hold(in) {
			continue
		}
		if d.Rule == "" {
			d.Rule = r.name
		}
		if d.Wanted == nil && !r.goesOn {
			d.Wanted = r.wanted // the usual case shares the rule's own
			break
		}
		for _, w := range r.wanted {
			if !d.Records(w.Recorder) {
				d.Wanted = append(d.Wanted[:len(d.Wanted):len(d.Wanted)], w)
			}
		}
		if !r.goesOn {
			break
		}
	}
	return d
}
