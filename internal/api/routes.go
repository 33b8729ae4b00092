package api

import (
	"context"
	_ "embed"
	"net/http"
	"slices"
	"strings"
)

// OpenAPI is the description of this interface, an OpenAPI 3.1 document.
//
//go:embed openapi.yaml
var OpenAPI []byte

// operation is one entry of the interface; openapi.yaml has each under its id.
type operation struct {
	id, method, path string
	role             Role // at least
	serve            http.HandlerFunc
}

func (op operation) changes() bool { return op.method != http.MethodGet }

// lasting tells whether an answer goes on for as long as the asker may have it.
func (op operation) lasting() bool { return op.id == "followEvents" || op.id == "captureMedia" }

// operations is the whole interface.
func (s *Server) operations() []operation {
	b := s.backend
	const get, post = http.MethodGet, http.MethodPost
	ops := []operation{
		{"getHealth", get, "/healthz", RoleNone, func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }},
		{"getReadiness", get, "/readyz", RoleNone, b.readiness},
		{"getPage", get, "/{$}", RoleRead, pageFile("index.html", "text/html")},
		{"getPageScript", get, "/page.js", RoleRead, pageFile("page.js", "text/javascript")},
		{"getPageLadder", get, "/ladder.js", RoleRead, pageFile("ladder.js", "text/javascript")},
		{"getPageStyle", get, "/style.css", RoleRead, pageFile("style.css", "text/css")},
		{"getDescription", get, "/api/v1/openapi.yaml", RoleRead, description},
		{"getOverview", get, "/api/v1/overview", RoleRead, squeezed(b.overview)},
		{"listCalls", get, "/api/v1/calls", RoleRead, list(b.Calls)},
		{"getCall", get, "/api/v1/calls/{id}", RoleRead, one(b.Call)},
		{"getLadder", get, "/api/v1/calls/{id}/ladder", RoleRead, squeezed(b.ladder(false))},
		{"getCapture", get, "/api/v1/calls/{id}/pcap", RoleRead, b.ladder(true)},
		{"captureMedia", post, "/api/v1/calls/{id}/pcap", RoleAdmin, b.capture},
		{"startRecording", post, "/api/v1/calls/{id}/recordings", RoleControl, b.start},
		{"listRecordings", get, "/api/v1/recordings", RoleRead, list(b.Recordings)},
		{"getRecording", get, "/api/v1/recordings/{id}", RoleRead, one(b.Recording)},
		{"pauseRecording", post, "/api/v1/recordings/{id}/pause", RoleControl, b.pause},
		{"resumeRecording", post, "/api/v1/recordings/{id}/resume", RoleControl, b.control("resume")},
		{"maskRecording", post, "/api/v1/recordings/{id}/mask", RoleControl, b.mask(true)},
		{"unmaskRecording", post, "/api/v1/recordings/{id}/unmask", RoleControl, b.mask(false)},
		{"stopRecording", post, "/api/v1/recordings/{id}/stop", RoleControl, b.control("stop")},
		{"tagRecording", post, "/api/v1/recordings/{id}/tag", RoleControl, b.tag},
		{"moveRecording", post, "/api/v1/recordings/{id}/move", RoleControl, b.move},
		{"listVerdicts", get, "/api/v1/journal", RoleRead, b.journal},
		{"listReasons", get, "/api/v1/journal/reasons", RoleRead, b.reasons},
		{"listSRSs", get, "/api/v1/srs", RoleRead, list(b.SRSs)},
		{"drainSRS", post, "/api/v1/srs/{recorder}/{index}/drain", RoleAdmin, b.drain(true)},
		{"enableSRS", post, "/api/v1/srs/{recorder}/{index}/enable", RoleAdmin, b.drain(false)},
		{"listRecorders", get, "/api/v1/recorders", RoleRead, list(b.Recorders)},
		{"listTargets", get, "/api/v1/targets", RoleRead, list(b.Targets)},
		{"listRules", get, "/api/v1/rules", RoleRead, list(b.Rules)},
		{"getConfig", get, "/api/v1/config", RoleAdmin, whole(b.Config)},
		{"reloadConfig", post, "/api/v1/reload", RoleAdmin, whole(b.Reload)},
	}
	if b.Events != nil {
		ops = append(ops, operation{"followEvents", get, "/api/v1/events", RoleRead, b.Events.serve})
	}
	if b.Metrics != nil {
		ops = append(ops, operation{"getMetrics", get, "/metrics", RoleRead, b.Metrics.ServeHTTP})
	}
	return ops
}

func (s *Server) routes(t *terms) *http.ServeMux {
	mux := http.NewServeMux()
	for _, op := range s.operations() {
		if op.path == "/metrics" && t.access.PublicMetrics {
			op.role = RoleNone
		}
		mux.HandleFunc(op.method+" "+op.path, s.operate(op))
	}
	return mux
}

// health are the paths that anybody may ask for, as often as he likes: they cost nothing.
func health(path string) bool { return path == "/healthz" || path == "/readyz" }

// within tells whether a request is within the rate of its address; the unix socket has none.
func (t *terms) within(r *http.Request) bool {
	_, socket := r.Context().Value(socketKey{}).(Caller)
	return socket || t.sources.allow(source(r))
}

// guard lets pass who may ask at all, and tells the operations who it is. A web
// page from elsewhere cannot use the browser of somebody who may, to change
// anything.
func (s *Server) guard(t *terms) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.metrics.refused.WithLabelValues(refusedOrigin).Inc()
		problem(w, http.StatusForbidden, "a page of another origin may not do this")
	}))
	inner := origin.Handler(problems(s.routes(t)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		switch {
		case health(r.URL.Path):
			inner.ServeHTTP(w, r)
			return
		case !t.within(r):
			s.metrics.refused.WithLabelValues(refusedRate).Inc()
			w.Header().Set("Retry-After", "1")
			problem(w, http.StatusTooManyRequests, "too many requests from this address")
			return
		case t.access.PublicMetrics && r.URL.Path == "/metrics":
			inner.ServeHTTP(w, r)
			return
		}
		c, wrong := t.identify(r)
		if wrong != "" {
			s.metrics.refused.WithLabelValues(refusedLogin).Inc()
			s.log.Warn("HTTP request without valid credentials", "remote", c.Source, "method", r.Method, "path", r.URL.Path)
			w.Header().Set("WWW-Authenticate", challenge(r))
			problem(w, http.StatusUnauthorized, wrong)
			return
		}
		inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

// Audit writes down a control action, refused or not, whoever has asked for it:
// in the log, and in the audit file where there is one. It waits for the disk.
func (s *Server) Audit(a Action) {
	s.log.Info("control", "action", a.Action, "target", a.Target, "call", a.Call, "body", string(a.Body), "who", a.Who, "role", a.Role,
		"remote", a.Source, "status", a.Status, "reason", a.Detail)
	trail := s.terms.Load().trail
	if trail == nil {
		return
	}
	if err := trail.Write(a); err != nil {
		s.Unaudited(err)
	}
}

// Unaudited counts a control action that could not be written down.
func (s *Server) Unaudited(err error) {
	s.metrics.unaudited.Inc()
	s.log.Error("control action not in the audit file", "error", err)
}

func (b Backend) readiness(w http.ResponseWriter, _ *http.Request) {
	if err := b.Ready(); err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error()+"\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

func description(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(OpenAPI)
}

func (b Backend) control(verb string) http.HandlerFunc {
	return one(func(ctx context.Context, id string) (any, error) { return b.Control(ctx, id, verb) })
}

// whole answers with a value that needs no name.
func whole(get func(ctx context.Context) (any, error)) http.HandlerFunc {
	return one(func(ctx context.Context, _ string) (any, error) { return get(ctx) })
}

// Operations lists what is served as "METHOD PATH ID ROLE", for the check of
// the papers.
func (s *Server) Operations() []string {
	var all []string
	for _, op := range s.operations() {
		all = append(all, op.method+" "+strings.TrimSuffix(op.path, "{$}")+" "+op.id+" "+op.role.String())
	}
	slices.Sort(all)
	return all
}
