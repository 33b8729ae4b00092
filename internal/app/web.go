package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sidetrack/internal/api"
	"sidetrack/internal/config"
	"sidetrack/src"
)

// BadFile are the mistakes of a configuration file that cannot be loaded.
type BadFile config.Problems

// Error gives all of them, one per line.
func (b BadFile) Error() string { return config.Problems(b).String() }

// openHTTP begins to serve the API where the configuration wants it.
func (a *App) openHTTP(settings api.Settings) error {
	swap, _, err := a.http.Prepare(settings)
	if err != nil {
		return err
	}
	swap()
	return nil
}

// buildHTTP makes the server of the API, which takes account of control actions
// before it listens.
func (a *App) buildHTTP() (api.Settings, error) {
	settings, err := web(a.cfg.HTTP)
	if err != nil {
		return settings, err
	}
	a.http = api.New(api.Config{Backend: a.backend(), Access: settings.Access, Audit: settings.Audit, Log: a.log, Registerer: a.registry, Conns: a.files / webFiles})
	a.openActs()
	return settings, nil
}

// web is how the API is to be served.
func web(h config.HTTP) (api.Settings, error) {
	s := api.Settings{Access: access(h), Listen: h.Listen, Socket: h.Socket}
	var err error
	if s.TLS, err = loadTLS("http.tls", h.TLS); err != nil {
		return s, err
	}
	if h.Audit != "" {
		if s.Audit, err = api.OpenAudit(h.Audit); err != nil {
			return s, fmt.Errorf("http.audit: %w", err)
		}
	}
	return s, nil
}

var roles = map[config.Role]api.Role{
	config.RoleNone: api.RoleNone, config.RoleRead: api.RoleRead, config.RoleControl: api.RoleControl, config.RoleAdmin: api.RoleAdmin,
}

func access(h config.HTTP) api.Access {
	a := api.Access{Local: roles[h.Local], PublicMetrics: h.PublicMetrics, Rate: h.Rate}
	for _, t := range h.Tokens {
		a.Tokens = append(a.Tokens, api.Token{Name: t.Name, Role: roles[t.Role], Secret: t.Secret})
	}
	return a
}

func (a *App) backend() api.Backend {
	return api.Backend{
		Ready: a.ready, Events: a.events, Journal: a.listJournal, Reasons: a.listReasons,
		Metrics: promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}),
		Calls:   a.listCalls, Call: a.oneCall, Overview: a.showOverview,
		Recordings: a.listRecordings, Recording: a.oneRecording,
		Control: a.control, Move: a.moveRecording, Pause: a.pauseRecording, Mask: a.maskRecording, Tag: a.tagRecording, SRSs: a.listSRSs, Drain: a.drain, Start: a.startRecording,
		Recorders: a.listRecorders, Targets: a.listTargets, Ladder: a.ladder, Capture: a.capture, Rules: a.listRules, Config: a.showConfig, Reload: a.reloadFile,
	}
}

// inForce is a configuration and when it was put in force.
type inForce struct {
	cfg     *config.Config
	at      time.Time
	restart []string // keys that are not, until a restart
}

// shownConfig is inForce as the API shows it.
type shownConfig struct {
	File    string    `json:"file"`
	Loaded  time.Time `json:"loaded"`
	Restart []string  `json:"restart"` // keys whose change waits for one
	Config  any       `json:"config"`
}

func (a *App) showConfig(context.Context) (any, error) {
	f := a.inForce.Load()
	return shownConfig{f.cfg.File, f.at.UTC(), f.restart, f.cfg.Shown()}, nil
}

// reloadFile has the file loaded again by whoever has loaded it first.
func (a *App) reloadFile(ctx context.Context) (any, error) {
	if a.opt.Reload == nil {
		return nil, refusal{errors.New("this proxy has no configuration file"), api.ErrConflict}
	}
	err := a.opt.Reload(ctx)
	var bad BadFile
	switch {
	case errors.As(err, &bad):
		var lines api.Mistakes
		for _, p := range bad {
			lines = append(lines, p.String())
		}
		return nil, lines
	case errors.Is(err, context.DeadlineExceeded):
		return nil, err
	case err != nil:
		return nil, refusal{err, api.ErrConflict}
	}
	return a.showConfig(ctx)
}

func (a *App) listRules(context.Context) ([]api.Item, error) {
	var items []api.Item
	for i, r := range a.inForce.Load().cfg.ShownRules() {
		items = append(items, api.Item{ID: r.Kind + "/" + r.Name, Key: fmt.Sprintf("%06d", i), Value: r})
	}
	return items, nil
}

// recorderView is a recorder of the configuration and how its SRSs are.
type recorderView struct {
	Name     string        `json:"name"`
	Strategy string        `json:"strategy"`
	Timeout  float64       `json:"timeout"` // seconds
	SRS      []src.SRSView `json:"srs"`
}

func (a *App) listRecorders(context.Context) ([]api.Item, error) {
	by := map[string][]src.SRSView{}
	for _, v := range a.recorder.SRSs() {
		by[v.Recorder] = append(by[v.Recorder], v)
	}
	var items []api.Item
	for i, r := range a.inForce.Load().cfg.Recorders {
		v := recorderView{r.Name, string(r.Strategy), r.Timeout.Seconds(), by[r.Name]}
		if v.SRS == nil {
			v.SRS = []src.SRSView{}
		}
		items = append(items, api.Item{ID: r.Name, Key: fmt.Sprintf("%06d", i), Value: v})
	}
	return items, nil
}
