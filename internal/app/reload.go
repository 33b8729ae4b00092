package app

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sidetrack/b2bua"
	"sidetrack/forker"
	"sidetrack/internal/config"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// A reload has two steps. First everything that can fail is done beside what
// runs: files are read, sockets bound, queues opened. Then all is swapped, which
// cannot fail: first there is more (networks of before and of now), then what is
// begun goes by the new, then what nobody goes by any more is taken away. So a call
// that begins in between finds what it goes by, be that of before or of now.

// change is a part of a reload whose first step is done. Either undo is called, or
// swap and then settle, each once.
type change struct {
	swap, undo func()
	settle     func() // when all is swapped; nil: nothing is left to do
}

var errNoReload = errors.New("the proxy stops")

// Reload puts cfg in force for what begins from now on; running calls keep their
// rules. When it fails nothing has changed. What cannot change without a restart
// is told in the log, in a metric and by the API.
func (a *App) Reload(cfg *config.Config) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.stops() {
		return errNoReload
	}
	changes, err := a.prepare(cfg)
	if err != nil {
		a.reloads.failed()
		return err
	}
	restart, err := a.swap(cfg, changes)
	if err != nil {
		return err
	}
	for _, key := range restart {
		a.log.Warn("changed, but in force only after a restart", "key", key)
	}
	a.reloads.succeeded()
	a.reloads.waiting.Set(float64(len(restart)))
	a.log.Info("configuration reloaded", "file", cfg.File)
	return nil
}

func (a *App) stops() bool {
	a.swapping.Lock()
	defer a.swapping.Unlock()
	return a.stopping
}

// swap puts what is prepared in force, unless the proxy has begun to stop meanwhile. It
// tells the keys that wait for a restart.
func (a *App) swap(cfg *config.Config, changes []change) (restart []string, err error) {
	a.swapping.Lock()
	defer a.swapping.Unlock()
	if a.stopping {
		undo(changes)
		return nil, errNoReload
	}
	for _, step := range steps(changes) {
		step()
	}
	restart = a.needRestart(cfg)
	a.inForce.Store(&inForce{cfg, time.Now(), restart})
	a.watch.Follow(cfg.Numbers)
	return restart, nil
}

// steps put changes in force, in order.
func steps(changes []change) (list []func()) {
	for _, c := range changes {
		list = append(list, c.swap)
	}
	for _, c := range changes {
		if c.settle != nil {
			list = append(list, c.settle)
		}
	}
	return list
}

func undo(changes []change) {
	for _, c := range slices.Backward(changes) {
		c.undo()
	}
}

// prepare does all of a reload that can fail.
func (a *App) prepare(cfg *config.Config) (changes []change, err error) {
	for _, prepare := range []func(*config.Config) (change, error){a.changeMedia, a.changeSIP, a.changeRules, a.changeHTTP, a.changeHooks, a.changeJournal, a.changeSight} {
		c, err := prepare(cfg)
		if err != nil {
			undo(changes)
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// ReloadFailed notes a file that could not be loaded; nothing has changed.
func (a *App) ReloadFailed() { a.reloads.failed() }

// changeSIP is the sockets, certificates, and bounds of SIP.
func (a *App) changeSIP(cfg *config.Config) (change, error) {
	tlsConfig, err := loadTLS("sip.tls", cfg.SIP.TLS)
	if err != nil {
		return change{}, err
	}
	doors, err := openDoors(&cfg.SIP)
	if err != nil {
		return change{}, err
	}
	if err := transport.CanMark(cfg.SIP.DSCP); err != nil {
		return change{}, fmt.Errorf("sip.dscp: %w", err)
	}
	var put, made []*transport.Listener
	giveUp := func() {
		for _, l := range made {
			l.Abandon()
		}
	}
	had := append(a.transport.Listeners(), a.transport.Retiring()...)
	for _, want := range cfg.SIP.Listeners {
		i := slices.IndexFunc(had, func(l *transport.Listener) bool { return l.URL == want.URL })
		switch {
		case i < 0:
			l, err := a.transport.Bind(want.URL, want.Advertise)
			if err != nil {
				giveUp()
				return change{}, fmt.Errorf("sip.listen: %w", err)
			}
			put, made = append(put, l), append(made, l)
			continue
		case had[i].Advertise != want.Advertise:
			put = append(put, had[i].Advertised(want.Advertise))
		default:
			put = append(put, had[i])
		}
		had = slices.Delete(had, i, i+1)
	}
	swap := func() {
		before := a.inForce.Load().cfg
		a.calls.Set(settings(cfg, doors.until(a.doors, before.SIP.Listen, cfg.SIP.Listen), before)) // a new socket may have a call at once
		a.doors = doors
		a.transport.SetTLS(tlsConfig, doors.serve(tlsConfig))
		a.transport.Replace(put)
		a.transport.SetDSCP(cfg.SIP.DSCP)
		a.txn.SetRates(rates(cfg))
		a.bound(cfg)
		for _, l := range made {
			a.log.Info("listening", "listener", l.URL, "bound", l.Bound.String(), "advertise", l.SentBy())
		}
		a.retire()
	}
	settle := func() { a.calls.Set(settings(cfg, doors, nil)) }
	return change{swap, giveUp, settle}, nil
}

func limits(cfg *config.Config) transport.Limits {
	return transport.Limits{Conns: cfg.SIP.MaxConns, PerSource: cfg.SIP.MaxConnsPerSource}
}

// bound sets how many connections are taken, and tells where the descriptors of the
// process do not suffice for what is configured.
func (a *App) bound(cfg *config.Config) {
	if got := a.transport.SetLimits(limits(cfg)); got.Conns < cfg.SIP.MaxConns {
		a.log.Info("half of the files that the process may open are left to connections: fewer than sip.max_connections",
			"configured", cfg.SIP.MaxConns, "taken", got.Conns)
	}
}

func rates(cfg *config.Config) txn.Rates {
	return txn.Rates{PerSource: cfg.SIP.Rate.PerSource, Total: cfg.SIP.Rate.Total}
}

// settings are what a call begins with, also one that came by a socket of the configuration
// before; nil: there is none.
func settings(cfg *config.Config, doors *doors, before *config.Config) b2bua.Settings {
	return b2bua.Settings{
		Door: doors.all, Doors: doors.by, MaxCalls: cfg.SIP.MaxCalls, Asserted: b2bua.IdentitySource(cfg.SIP.Asserted),
		Identity: b2bua.Identity(cfg.SIP.Identity), Register: b2bua.RegisterMode(cfg.SIP.Register),
		SessionExpires: int(cfg.SIP.SessionExpires / time.Second), Networks: networksOf(cfg, before),
	}
}

func (a *App) changeMedia(cfg *config.Config) (change, error) {
	m := cfg.Media
	to := forker.Settings{
		Listen: m.Listen, Advertise: m.Advertise, PortMin: m.PortMin, PortMax: m.PortMax, DSCP: m.DSCP,
		Interfaces: interfaces(m.Networks), Timeout: m.Timeout, LatchAnywhere: m.LatchAnywhere, MaxRate: m.MaxRate, Batch: batch(m.Batch),
	}
	settle, err := a.media.Prepare(to)
	if err != nil {
		return change{}, fmt.Errorf("media: %w", err)
	}
	all := interfaces(a.inForce.Load().cfg.Media.Networks)
	maps.Copy(all, to.Interfaces)
	to.Interfaces = all
	swap, err := a.media.Prepare(to)
	if err != nil {
		return change{}, fmt.Errorf("media: %w", err)
	}
	return change{swap: swap, undo: func() {}, settle: settle}, nil
}

// changeRules is routes, rules and recorders.
func (a *App) changeRules(cfg *config.Config) (change, error) {
	all, err := recorders(cfg.Recorders)
	if err != nil {
		return change{}, err
	}
	engine := policy.New(cfg.Policy)
	swap, err := a.recorder.Prepare(all, cfg.Media.MaxStreams)
	if err != nil {
		return change{}, fmt.Errorf("recorders: %w", err)
	}
	return change{swap: func() {
		swap(func() { a.policy.Store(engine) })
		a.calls.Probe(cfg.Policy.Routes)
	}, undo: func() {}}, nil
}

func (a *App) changeHTTP(cfg *config.Config) (change, error) {
	to, err := web(cfg.HTTP)
	if err != nil {
		return change{}, err
	}
	swap, undo, err := a.http.Prepare(to)
	return change{swap: swap, undo: undo}, err
}

func (a *App) changeHooks(cfg *config.Config) (change, error) {
	all, err := hooks(cfg.Webhooks)
	if err != nil {
		return change{}, err
	}
	dir := cmp.Or(a.queue, cfg.Webhooks.Queue)
	swap, undo, err := a.hooks.Prepare(all, dir, cfg.Webhooks.MaxSize)
	if err != nil {
		return change{}, fmt.Errorf("webhooks.queue: %w", err)
	}
	return change{swap: func() {
		a.queue = dir
		swap()
	}, undo: undo}, nil
}

// needRestart lists the keys that differ from what is in use and cannot change under it.
func (a *App) needRestart(cfg *config.Config) []string {
	keys := []string{}
	if next := cfg.Webhooks.Queue; next != "" && next != a.queue {
		keys = append(keys, "webhooks.queue")
	}
	return keys
}
