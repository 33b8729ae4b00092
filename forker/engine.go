package forker

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Engine owns the port range and the workers. Safe for concurrent use.
type Engine struct {
	// set once
	cfg      Config
	driver   driver
	ports    atomic.Pointer[portSets]
	timeout  atomic.Int64 // Config.Timeout, in nanoseconds
	anywhere atomic.Bool  // Config.LatchAnywhere
	maxRate  atomic.Int64 // Config.MaxRate
	totals   totals
	store    store
	base     time.Time // zero of the engine's monotonic clock
	stop     chan struct{}
	running  sync.WaitGroup // the sweeper and the flusher of batches
	due      dueBatches

	batch atomic.Int64 // copies that leave as one send now; below 2: none are collected
	hasty atomic.Int64 // sends of backlogs at full pace left until the next sweep

	handshakes sync.WaitGroup // DTLS, each with a goroutine of its own
	gate       gate           // for those without keys so far

	// guarded by mu
	mu        sync.Mutex
	relays    map[*Relay]struct{}
	recorders map[string]*recorderTotals
	batches   int  // Config.Batch, where the driver can; batch is what follows from it
	flushes   bool // the flusher runs
	closed    bool
}

// New checks cfg, starts the workers and registers the metrics. The error
// names every mistake of cfg, or the resource that was missing.
func New(cfg Config) (*Engine, error) {
	if err := cfg.normalize(); err != nil {
		return nil, fmt.Errorf("checking the media configuration: %w", err)
	}
	e := &Engine{
		cfg: cfg, base: time.Now(), stop: make(chan struct{}),
		relays: make(map[*Relay]struct{}), recorders: make(map[string]*recorderTotals),
		gate: gate{room: maxHandshakes},
	}
	e.store.limit = cfg.BufferMemory
	e.hasty.Store(catchUpShare * int64(cfg.Workers))
	d, err := newDriver(cfg.Workers, cfg.Portable, e.now)
	if err != nil {
		return nil, fmt.Errorf("starting media workers: %w", err)
	}
	e.driver = d
	e.put(&cfg)
	if cfg.Registerer != nil {
		if err := cfg.Registerer.Register(collector{e}); err != nil {
			return nil, errors.Join(fmt.Errorf("registering media metrics: %w", err), d.stop())
		}
	}
	e.running.Add(1)
	go e.sweep()
	e.collectCopies(cfg.Batch)
	return e, nil
}

// collectCopies puts a Config.Batch in force, where the driver can collect. Who has
// collected already goes on until its batch is full, or the flusher comes.
func (e *Engine) collectCopies(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n != 0 && !e.driver.segments() {
		n = 0
	}
	if e.closed || n == e.batches {
		return
	}
	e.batches = n
	e.batch.Store(int64(max(n, 0))) // adaptive begins without
	if !e.flushes {
		e.flushes = true
		e.running.Add(1)
		go e.flushDue()
	}
}

// now is the engine's clock: nanoseconds since New, never stepping; above 0.
func (e *Engine) now() int64 { return int64(time.Since(e.base)) + 1 }

// wall turns a reading of the engine's clock into a time of day; zero for 0.
func (e *Engine) wall(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(at - e.now())).Round(0)
}

// stepped tells by how much the time of day has been set since New, from both clocks at one moment.
func (e *Engine) stepped(day time.Time, at int64) time.Duration {
	return day.Round(0).Sub(e.base.Round(0)) - time.Duration(at-1)
}

// wall is a reading of the engine's clock as a time of day that is never set while the call lasts: a step
// would have one direction's sender report tell another time than the other's.
func (r *Relay) wall(at int64) time.Time {
	return r.engine.base.Add(r.stepped + time.Duration(at-1))
}

// Open makes the Relay of a new call; it has no stream and holds no port yet.
// After Close the Relay is born closed.
func (e *Engine) Open() *Relay {
	r := &Relay{engine: e, stepped: e.stepped(time.Now(), e.now())}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		r.closed = true
		return r
	}
	r.worker = e.driver.place()
	e.relays[r] = struct{}{}
	return r
}

// Ports tells how the port ranges are used now. Ports that other programs hold
// count as free until they are tried.
func (e *Engine) Ports() PortStats {
	var sum PortStats
	for _, p := range e.pools() {
		s := p.stats()
		sum.Free, sum.Used, sum.Draining = sum.Free+s.Free, sum.Used+s.Used, sum.Draining+s.Draining
	}
	return sum
}

// Close ends every relay and tap (RTCP BYE to the recorders), closes all
// sockets without draining them, waits for the workers and unregisters the
// metrics. Idempotent.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		e.running.Wait()
		return nil
	}
	e.closed = true
	relays := e.list(nil)
	e.mu.Unlock()

	close(e.stop) // 1. the sweeper, so that nobody else closes ports
	e.running.Wait()
	for _, r := range relays { // 2. relays; their ports go to draining
		r.end(true)
	}
	e.handshakes.Wait()
	for _, p := range e.pools() { // 3. the ports
		p.closeAll()
	}
	if e.cfg.Registerer != nil {
		e.cfg.Registerer.Unregister(collector{e})
	}
	return e.driver.stop() // 4. the readers
}

// list appends all relays; the caller holds mu.
func (e *Engine) list(to []*Relay) []*Relay {
	for r := range e.relays {
		to = append(to, r)
	}
	return to
}

// settle has everything counted that lanes have not told yet.
func (e *Engine) settle() {
	e.mu.Lock()
	relays := e.list(nil)
	e.mu.Unlock()
	for _, r := range relays {
		r.settle()
	}
}

func (e *Engine) forget(r *Relay) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.relays[r]; ok {
		delete(e.relays, r)
		e.driver.leave(r.worker)
	}
}

// recorder gives the counters of one metrics label, made on first use.
func (e *Engine) recorder(name string) *recorderTotals {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.recorders[name]
	if t == nil {
		t = &recorderTotals{}
		e.recorders[name] = t
	}
	return t
}
