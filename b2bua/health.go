package b2bua

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
	"sidetrack/internal/sip/probe"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// health knows what the targets of routes say when they are asked by OPTIONS,
// calls or not. A call looks at it and never waits for it. The lock is a leaf.
type health struct {
	down atomic.Int32 // targets: 0 costs a call nothing
	up   *prometheus.GaugeVec

	mu      sync.Mutex
	asked   *probe.Prober
	targets map[targetKey]*TargetView
	shown   []*TargetView // in the order of the routes
}

type targetKey struct{ route, uri string }

// TargetState is what is known of a target.
type TargetState string

// The states of a target.
const (
	TargetUnprobed TargetState = "unprobed" // it is not asked, or has not answered yet
	TargetUp       TargetState = "up"
	TargetDown     TargetState = "down" // asked after the others
)

// TargetView is a target of a route as the API shows it.
type TargetView struct {
	Route  string      `json:"route"`
	Index  int         `json:"index"` // place in the route, from 0
	Target string      `json:"target"`
	State  TargetState `json:"state"`
	Code   int         `json:"code,omitempty"` // what it said last; 408: nothing, 503: it could not be reached
	Since  *time.Time  `json:"since,omitempty"`
}

// TargetEvent tells that a target has gone down or come up.
type TargetEvent struct {
	Time   time.Time
	Target TargetView
}

func newHealth(reg prometheus.Registerer) *health {
	h := &health{up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sidetrack_target_up",
		Help: "Whether a target of a route that is probed answered last time (1) or did not (0).",
	}, []string{"route", "target"}), targets: map[targetKey]*TargetView{}}
	if reg != nil {
		reg.MustRegister(h.up)
	}
	return h
}

// defaultProbeTimeout is how long a target has for an answer where the route
// does not say.
const defaultProbeTimeout = 4 * time.Second

// Probe begins to ask the targets of routes that want it, in the place of those
// before; what is known of those that stay is kept. Any goroutine.
func (s *Server) Probe(routes []policy.Route) {
	h := s.health
	var questions []*probe.Question
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.targets
	h.targets, h.shown = map[targetKey]*TargetView{}, nil
	h.up.Reset()
	for i := range routes {
		r := &routes[i]
		for k := range r.Targets {
			v := &TargetView{Route: r.Name, Index: k, Target: withoutUser(r.Targets[k].URI), State: TargetUnprobed}
			key := targetKey{r.Name, r.Targets[k].URI}
			if r.Probe.Interval > 0 && h.targets[key] == nil {
				if was := before[key]; was != nil {
					v.State, v.Code, v.Since = was.State, was.Code, was.Since
				}
				h.targets[key] = v
				h.show(v)
				questions = append(questions, s.question(r, &r.Targets[k], v))
			}
			h.shown = append(h.shown, v)
		}
	}
	h.count()
	h.asked.Stop()
	h.asked = nil
	if len(questions) > 0 {
		h.asked = probe.Start(s.cfg.Txn.Lanes()[0], questions)
	}
}

// question is what a target is asked.
func (s *Server) question(r *policy.Route, t *policy.Target, v *TargetView) *probe.Question {
	uri, _, _ := strings.Cut(t.URI, "?")
	q := &probe.Question{URI: uri, Interval: r.Probe.Interval, Timeout: r.Probe.Timeout, Leave: func(to txn.Target) txn.Target { return to }}
	if q.Timeout == 0 {
		q.Timeout = defaultProbeTimeout
	}
	who := t.Auth
	if who == nil {
		who = r.Auth
	}
	if who != nil {
		q.Login = &digest.Credentials{User: who.User, Password: who.Password}
	}
	q.Dress = func(req *sip.Message, to txn.Target) {
		us := "sip:sidetrack.invalid"
		if l := s.cfg.Txn.Leaving(to); l != nil {
			us = l.ContactURI("")
		}
		req.Add("From", "<"+us+">")
		req.Add("Contact", "<"+us+">")
		req.Add("Accept", "application/sdp")
		req.Add("User-Agent", s.cfg.UserAgent)
	}
	q.Heard = func(to txn.Target, any bool) { // of several places, calls go to those that answer
		if any {
			s.penalties.forgive(to)
		} else {
			s.penalties.punish(to, s.cfg.Txn.Lanes()[0].Now())
		}
	}
	codes := r.Probe.Codes
	q.Answered = func(code int, _ error) {
		alive := code != probe.CodeTimeout && code < 500 || code >= 600
		if codes != nil {
			alive = codes.MatchString(strconv.Itoa(code))
		}
		s.judged(targetKey{r.Name, t.URI}, v, code, alive)
	}
	return q
}

// judged notes what a target has said.
func (s *Server) judged(key targetKey, v *TargetView, code int, alive bool) {
	h, now := s.health, time.Now().UTC()
	h.mu.Lock()
	if h.targets[key] != v { // asked for a configuration that is gone
		h.mu.Unlock()
		return
	}
	was := v.State
	v.Code, v.State = code, TargetUp
	if !alive {
		v.State = TargetDown
	}
	if v.State != was {
		v.Since = &now
	}
	h.show(v)
	h.count()
	told := *v
	h.mu.Unlock()
	if told.State == was || was == TargetUnprobed && alive {
		return
	}
	s.cfg.Log.Warn("target probed", "route", v.Route, "target", v.Target, "code", code, "alive", alive)
	s.cfg.OnTarget(TargetEvent{now, told})
}

// show and count keep what is read without the lock. The caller holds mu.
func (h *health) show(v *TargetView) {
	if v.State == TargetUnprobed {
		return
	}
	up := 0.0
	if v.State == TargetUp {
		up = 1
	}
	h.up.WithLabelValues(v.Route, v.Target).Set(up)
}

func (h *health) count() {
	n := 0
	for _, v := range h.targets {
		if v.State == TargetDown {
			n++
		}
	}
	h.down.Store(int32(n))
}

// order puts the targets of a route that are down behind the others; those rung
// together leave them out. Where all are down they stay as they are.
func (h *health) order(route *policy.Route, all []candidate) []candidate {
	if h.down.Load() == 0 || len(all) != len(route.Targets) {
		return all
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var up, down []candidate
	for i, to := range all {
		if v := h.targets[targetKey{route.Name, route.Targets[i].URI}]; v != nil && v.State == TargetDown {
			down = append(down, to)
		} else {
			up = append(up, to)
		}
	}
	if route.Parallel && len(up) > 0 {
		return up
	}
	return append(up, down...)
}

// Targets are those of all routes, in their order.
func (s *Server) Targets() []TargetView {
	h := s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]TargetView, len(h.shown))
	for i, v := range h.shown {
		out[i] = *v
	}
	return out
}

// withoutUser is a URI without user, password and headers: for people and
// metrics.
func withoutUser(uri string) string {
	uri, _, _ = strings.Cut(uri, "?")
	scheme, rest, _ := strings.Cut(uri, ":")
	return scheme + ":" + rest[strings.LastIndexByte(rest, '@')+1:]
}
