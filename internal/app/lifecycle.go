package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How long the BYEs of the last calls, and then of the last recordings, may
// take; and how long once ctx has ended, because somebody is in a hurry.
const (
	byeTime  = 5 * time.Second
	rushTime = time.Second
)

// Stop refuses new calls, lets running ones last for sip.drain or until ctx
// ends, hangs up the rest, ends all recordings, and releases everything. Each
// step waits for what it ended, and all of them happen whatever ctx says: once
// it has ended they only wait less.
func (a *App) Stop(ctx context.Context) error {
	// 0. The configuration stays what it is: a reload that hangs on a disk is not waited for.
	a.swapping.Lock()
	a.stopping = true
	a.swapping.Unlock()
	// 1. No new calls; readiness says so.
	a.calls.Drain()
	drain, cancel := context.WithTimeout(ctx, a.inForce.Load().cfg.SIP.Drain)
	defer cancel()
	a.await(drain)
	// 2. BYE to the calls that are left.
	if n := a.calls.Active(); n > 0 {
		a.log.Info("hanging up", "calls", n)
		a.calls.HangUp("the proxy stops")
		bye, cancel := goodbye(ctx)
		defer cancel()
		a.await(bye)
	}
	// 3. BYE to the SRSs.
	rec, cancel := goodbye(ctx)
	defer cancel()
	err := a.recorder.Close(rec)
	// 4. Sockets, in the order from outside to inside.
	err = errors.Join(err, a.shut())
	a.log.Info("stopped")
	return err
}

// goodbye bounds a wait for answers to BYE: byeTime, or rushTime from when ctx ends.
func goodbye(ctx context.Context) (context.Context, context.CancelFunc) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), byeTime)
	var mu sync.Mutex
	var rush *time.Timer
	hurry := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		rush = time.AfterFunc(rushTime, cancel)
	})
	return bounded, func() {
		hurry()
		mu.Lock()
		defer mu.Unlock()
		if rush != nil {
			rush.Stop()
		}
		cancel()
	}
}

// within has f end something in the time that it may take, and rushTime more; what hangs then, as on a
// disk that does not answer, is left behind for the process to end. f gets a context of that time.
func within(limit time.Duration, what string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	late := time.NewTimer(limit + rushTime)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return fmt.Errorf("%s: nothing answers, such as a disk; what was not written is lost", what)
	}
}

// await returns when no call is left or ctx ends.
func (a *App) await(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for a.calls.Active() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// shut releases what New and Start have taken.
func (a *App) shut() error {
	var err error
	a.watch.Stop(rushTime)
	a.packing.stop()
	a.retirement.stop()
	a.decider.Close()
	a.events.Close()
	if a.http != nil {
		err = within(time.Second, "http", a.http.Close)
	}
	err = errors.Join(err, a.transport.Close())
	a.txn.Close()
	err = errors.Join(err, a.closeActs(), a.media.Close(), a.closeHooks(), a.closeJournal()) // the last verdicts have been told
	a.closeMirror()
	a.closeSpans()
	return err
}

// ready is nil while new calls are taken.
func (a *App) ready() error {
	switch {
	case !a.serving.Load():
		return errors.New("starting")
	case a.calls.Draining():
		return errors.New("draining: no new calls")
	case len(a.transport.Listeners()) == 0:
		return errors.New("no listener")
	}
	return nil
}

func buildInfo(opt Options) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sidetrack_build_info",
		Help: "Always 1; its labels tell what runs.",
	}, []string{"version", "commit"})
	g.WithLabelValues(opt.Version, opt.Commit).Set(1)
	return g
}
