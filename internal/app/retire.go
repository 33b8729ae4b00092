package app

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/sip/transport"
)

// How often it is looked whether a retiring socket is still used, and how long
// that may take.
const (
	retireEvery = 500 * time.Millisecond
	retireTime  = 5 * time.Second
)

// retirement closes the sockets that a reload has taken out of use, each when no
// call and no recording goes by it any more.
type retirement struct {
	mu      sync.Mutex
	cancel  context.CancelFunc // nil: nobody looks
	running sync.WaitGroup
}

// retire begins to look after retiring sockets, unless somebody does.
func (a *App) retire() {
	r := &a.retirement
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range a.transport.Retiring() {
		a.log.Info("not listening any more, but for what runs", "listener", l.URL)
	}
	if r.cancel != nil || len(a.transport.Retiring()) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.running.Go(func() { a.awaitRetirement(ctx) })
}

func (a *App) awaitRetirement(ctx context.Context) {
	tick := time.NewTicker(retireEvery)
	defer tick.Stop()
	for !a.retired(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// retired closes what is not used any more; true when nothing is left to look after.
func (a *App) retired(ctx context.Context) bool {
	for _, l := range a.transport.Retiring() {
		if n, err := a.using(ctx, l); err == nil && n == 0 {
			a.transport.Drop(l)
			a.log.Info("socket closed", "listener", l.URL)
		}
	}
	r := &a.retirement
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(a.transport.Retiring()) > 0 {
		return false
	}
	r.cancel()
	r.cancel = nil
	return true
}

// using counts the calls and recordings that go by a socket.
func (a *App) using(ctx context.Context, l *transport.Listener) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, retireTime)
	defer cancel()
	calls, err := a.calls.Using(ctx, l)
	if err != nil || calls > 0 {
		return calls, err
	}
	return a.recorder.Using(ctx, l)
}

// stop ends the looking.
func (r *retirement) stop() {
	r.mu.Lock()
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	r.running.Wait()
}

// sockets counts the sockets for SIP.
func (a *App) sockets(reg prometheus.Registerer) {
	for state, list := range map[string]func() []*transport.Listener{"serving": a.transport.Listeners, "retiring": a.transport.Retiring} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sidetrack_sip_sockets", Help: "Sockets for SIP: those in use, and those that a reload has taken out and that wait for calls to end.",
			ConstLabels: prometheus.Labels{"state": state},
		}, func() float64 { return float64(len(list())) }))
	}
}
