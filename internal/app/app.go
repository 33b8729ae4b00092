package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sidetrack/b2bua"
	"sidetrack/forker"
	"sidetrack/internal/api"
	"sidetrack/internal/config"
	"sidetrack/internal/decide"
	"sidetrack/internal/hep"
	"sidetrack/internal/otlp"
	"sidetrack/internal/outbox"
	"sidetrack/internal/redact"
	"sidetrack/internal/sip/resolve"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/internal/trace"
	"sidetrack/internal/webhook"
	"sidetrack/policy"
	"sidetrack/src"
)

// Options are what a configuration file does not hold.
type Options struct {
	Log             *slog.Logger // required
	Version, Commit string

	// Collectors are metrics of the program around the proxy.
	Collectors []prometheus.Collector

	// T1 shortens all SIP timers (RFC 3261 §17.1.1.1); 0: 500 ms.
	T1 time.Duration

	// Portable has media moved by the driver that every platform has (forker.Config.Portable).
	Portable bool

	// Files is how many descriptors there are; 0: as many as the system lets the process have.
	Files int

	// Reload loads the configuration file again, for the API, and calls Reload
	// with it. Its error is a BadFile where the file has mistakes. Nil: there is
	// no file.
	Reload func(ctx context.Context) error

	pretend *pretend // nil: the proxy is real
}

// App is one proxy. Its methods may be called from any goroutine; New, Start
// and Stop once each and in this order.
type App struct {
	cfg       *config.Config
	opt       Options
	log       *slog.Logger
	registry  *prometheus.Registry
	transport *transport.Layer
	txn       *txn.Layer
	media     *forker.Engine
	policy    atomic.Pointer[policy.Engine]
	recorder  *src.Client
	calls     *b2bua.Server
	events    *api.Broker
	journal   journal
	hooks     *webhook.Sender // nil before the start
	doors     *doors          // of the sockets in use; guarded by swapping
	queue     string          // folder of hooks: the first that a configuration names; guarded by swapping
	http      *api.Server
	acts      *outbox.Box[*api.Action] // of parties and SRSs, on their way to the audit log; nil before the start
	reloads   *reloads
	watch     *watch
	decider   *decide.Client
	tracer    *trace.Tracer // keeps nothing unless the configuration wants it
	packing   packing
	mirror    *hep.Mirror    // nil before the start, and of a proxy that is not real
	spans     *otlp.Exporter // likewise
	redacted  atomic.Bool    // numbers are masked in the log
	past      past
	captures  *captures
	briefs    briefs
	inForce   atomic.Pointer[inForce]
	serving   atomic.Bool
	files     int // descriptors; 0: no limit

	retirement retirement
	reloading  sync.Mutex // a reload is under way; a disk may have it wait
	swapping   sync.Mutex // a reload is put in force, which waits for nothing; taken after reloading
	stopping   bool       // no reload is put in force any more; guarded by swapping
}

// New builds a proxy that serves cfg. Nothing is bound yet.
func New(cfg *config.Config, opt Options) (*App, error) {
	a := &App{cfg: cfg, opt: opt, log: opt.Log, files: files(opt), registry: prometheus.NewRegistry(), events: api.NewBroker(), briefs: briefs{turn: make(chan struct{}, 1)}, tracer: trace.New(cfg.SIP.Trace)}
	a.redacted.Store(cfg.Log.Redact)
	a.log = slog.New(redact.NewHandler(opt.Log.Handler(), &a.redacted))
	// of the runtime's own figures the one that nothing else tells: what was in use at the last collection, whatever its pace
	live := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/gc/heap/live:bytes$`)}
	a.registry.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(live)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(opt))
	a.registry.MustRegister(opt.Collectors...)
	a.reloads = newReloads(a.registry)
	a.captures = newCaptures(a.registry)
	a.watch = newWatch(a.log, a.registry)
	a.watch.Follow(cfg.Numbers)
	a.policy.Store(policy.New(cfg.Policy))
	a.inForce.Store(&inForce{cfg, time.Now(), []string{}})
	tlsConfig, err := loadTLS("sip.tls", cfg.SIP.TLS)
	if err != nil {
		return nil, err
	}
	doors, err := openDoors(&cfg.SIP)
	if err != nil {
		return nil, err
	}
	a.doors = doors
	all, err := recorders(cfg.Recorders)
	if err != nil {
		return nil, err
	}
	a.media, err = forker.New(forker.Config{
		Listen: cfg.Media.Listen, Advertise: cfg.Media.Advertise,
		PortMin: cfg.Media.PortMin, PortMax: cfg.Media.PortMax, DSCP: cfg.Media.DSCP, LatchAnywhere: cfg.Media.LatchAnywhere, Interfaces: interfaces(cfg.Media.Networks),
		Timeout: cfg.Media.Timeout, MaxRate: cfg.Media.MaxRate, Batch: batch(cfg.Media.Batch), Portable: opt.Portable, Log: a.log, Registerer: a.registry,
	})
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	a.buildSIP(tlsConfig, doors.serve(tlsConfig))
	a.decider = decide.New(a.userAgent())
	a.recorder, err = src.New(src.Config{
		OnDialog:  a.onDialog,
		Recorders: all, UserAgent: a.userAgent(), MaxStreams: cfg.Media.MaxStreams, Layer: a.txn, Transport: a.transport,
		Policy: a.policy.Load, Decide: a.decides(), Log: a.log, Registerer: a.registry, Now: a.clock(), OnEvent: a.onRecordingEvent, OnAction: a.onAction, OnVerdict: a.onVerdict,
	})
	if err != nil {
		a.media.Close()
		return nil, fmt.Errorf("recorders: %w", err)
	}
	a.calls = b2bua.NewServer(b2bua.Config{
		Transport: a.transport, Txn: a.txn, Media: a.media, Networks: networksOf(cfg, nil), Policy: a.policy.Load, Recorder: a.recorder, Asked: a.recorder.OnInvite, Log: a.log,
		Door: doors.all, Doors: doors.by, MaxCalls: cfg.SIP.MaxCalls, Identity: b2bua.Identity(cfg.SIP.Identity),
		SessionExpires: int(cfg.SIP.SessionExpires / time.Second), Asserted: b2bua.IdentitySource(cfg.SIP.Asserted),
		Register: b2bua.RegisterMode(cfg.SIP.Register), Secret: machineSecret("/etc/machine-id"),
		UserAgent: a.userAgent(), Registerer: a.registry, OnEvent: a.onCallEvent, OnTarget: a.onTargetEvent, OnReject: a.txn.Rejected,
		OnMedia: a.onMedia, OnDialog: a.onDialog, Files: a.files,
	})
	return a, nil
}

func (a *App) userAgent() string {
	if a.opt.Version == "" || a.opt.Version == "devel" {
		return "sidetrack"
	}
	return "sidetrack/" + a.opt.Version
}

func (a *App) buildSIP(tlsConfig *tls.Config, serve map[string]*tls.Config) {
	t := transport.Config{
		Log: a.log, TLS: tlsConfig, Serve: serve, DSCP: a.cfg.SIP.DSCP, Limits: limits(a.cfg),
		OnMessage: func(in transport.Inbound) { a.txn.Receive(in) }, Trace: a.observe,
	}
	if a.opt.pretend != nil {
		t.Pretend = a.opt.pretend.send
	}
	a.transport = transport.New(t)
	a.sockets(a.registry)
	a.txn = txn.New(txn.Config{
		Log: a.log, T1: a.opt.T1, Transport: a.transport, Now: a.clock(),
		Rates:    rates(a.cfg),
		Resolver: resolve.New(resolve.Config{Log: a.log, Pretend: t.Pretend != nil}), Registerer: a.registry, UserAgent: a.userAgent(),
	})
}

// Start binds every socket of the configuration and begins to serve. When it
// fails nothing is left bound, and the error is one line that names the key.
func (a *App) Start() error {
	a.txn.Start(a.calls)
	if err := a.bind(); err != nil {
		a.shut()
		return err
	}
	for _, l := range a.transport.Listeners() {
		a.log.Info("listening", "listener", l.URL, "bound", l.Bound.String(), "advertise", l.SentBy())
	}
	a.bound(a.cfg)
	if a.http != nil {
		for _, url := range a.http.URLs() {
			a.log.Info("listening", "listener", url)
		}
	}
	a.calls.Probe(a.cfg.Policy.Routes)
	a.reloads.succeeded()
	a.watch.Start(watchEvery)
	a.packing.start(a.tracer)
	a.serving.Store(true)
	a.log.Info("ready", "version", a.opt.Version, "file", a.cfg.File)
	return nil
}

func (a *App) bind() error {
	if err := a.openJournal(); err != nil {
		return err
	}
	if err := a.openHooks(); err != nil {
		return err
	}
	if err := a.openMirror(); err != nil {
		return err
	}
	if err := a.openSpans(); err != nil {
		return err
	}
	settings, err := a.buildHTTP()
	if err != nil {
		return err
	}
	for _, l := range a.cfg.SIP.Listeners {
		if _, err := a.transport.Listen(l.URL, l.Advertise); err != nil {
			return fmt.Errorf("sip.listen: %w", err)
		}
	}
	return a.openHTTP(settings)
}

// Listeners are the SIP sockets, in the order of the configuration.
func (a *App) Listeners() []*transport.Listener { return a.transport.Listeners() }

// HTTPAddr is where the API listens, invalid when it is off.
func (a *App) HTTPAddr() netip.AddrPort {
	if a.http == nil || a.http.Addr() == nil {
		return netip.AddrPort{}
	}
	addr, _ := netip.ParseAddrPort(a.http.Addr().String())
	return addr
}

// Transactions is how many SIP transactions are kept, those of ended calls
// included.
func (a *App) Transactions() int { return a.txn.Transactions() }

// MediaPorts tells how many RTP port pairs are free, used and draining.
func (a *App) MediaPorts() forker.PortStats { return a.media.Ports() }
