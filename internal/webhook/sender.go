package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a Sender needs.
type Config struct {
	Hooks      []Hook // names are unique
	Dir        string // holds a folder for each hook
	MaxSize    int64  // bytes on disk, of each hook
	UserAgent  string
	Log        *slog.Logger
	Registerer prometheus.Registerer // may be nil

	// Backoff is the wait after the n-th failure in a row, from 1. Nil: 1 s,
	// doubled each time up to a minute, give or take a fifth.
	Backoff func(n int) time.Duration
}

const backlog = 4096 // events of a hook on their way to the disk

// Sender delivers events to all hooks. Its methods are safe for concurrent use.
type Sender struct {
	cfg     Config
	metrics *metrics

	mu       sync.RWMutex
	couriers []*courier
	leaving  sync.WaitGroup // of hooks that are no more
}

// courier serves one hook: a writer and a postman, each a goroutine.
type courier struct {
	name    string
	post    atomic.Pointer[post] // who the hook is now
	backoff func(n int) time.Duration
	log     *slog.Logger
	spool   *spool
	metrics *metrics

	in      chan record
	written chan struct{} // capacity 1: there is something on disk
	changed chan struct{} // capacity 1: the hook has, try at once
	stop    context.CancelFunc
	lost    atomic.Uint64 // numbers to leave out: events that found in full
	oldest  atomic.Int64  // time of the record at hand, in Unix nanoseconds; 0: none
	failing atomic.Bool
	wg      sync.WaitGroup // the postman
	writer  sync.WaitGroup
}

// Open reads what is left on disk and begins to deliver it. The error is one line
// that names the folder.
func Open(cfg Config) (*Sender, error) {
	if cfg.Backoff == nil {
		cfg.Backoff = backoff
	}
	s := &Sender{cfg: cfg}
	s.metrics = newMetrics(s)
	swap, _, err := s.Prepare(cfg.Hooks, cfg.Dir, cfg.MaxSize)
	if err != nil {
		return nil, err
	}
	swap()
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(s.metrics)
	}
	return s, nil
}

func backoff(n int) time.Duration {
	d := min(time.Second<<min(n-1, 6), time.Minute)
	return d*4/5 + rand.N(d*2/5)
}

// Wants tells whether any hook is to hear of events of that type.
func (s *Sender) Wants(kind string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.ContainsFunc(s.couriers, func(c *courier) bool { return c.post.Load().hook.wants(kind) })
}

// Publish gives an event to the hooks that want it. It never waits; data is kept.
func (s *Sender) Publish(id uint64, kind string, data []byte) {
	rec := record{ID: id, Type: kind, Time: time.Now().UTC(), Data: json.RawMessage(data)}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.couriers {
		if !c.post.Load().hook.wants(kind) {
			continue
		}
		select {
		case c.in <- rec:
		default:
			c.lost.Add(1)
			c.metrics.dropped(c.name, droppedBacklog)
		}
	}
}

// Close writes what has been published to disk and lets deliveries go on until
// all is delivered, a receiver fails, or ctx ends. What is left is delivered
// after the next Open. Publish must not be called any more.
func (s *Sender) Close(ctx context.Context) error {
	s.mu.Lock()
	couriers := s.couriers
	s.couriers = nil
	s.mu.Unlock()
	var err error
	for _, c := range couriers {
		close(c.in)
	}
	for _, c := range couriers {
		err = errors.Join(err, c.finish(ctx))
	}
	s.leaving.Wait()
	return err
}

func (c *courier) start() {
	c.writer.Go(c.write)
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	c.wg.Go(func() { c.deliver(ctx) })
}

// finish ends a courier whose in is closed.
func (c *courier) finish(ctx context.Context) error {
	c.writer.Wait()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.spool.depth() > 0 && !c.failing.Load() && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	c.stop()
	c.wg.Wait()
	c.post.Load().client.CloseIdleConnections()
	return c.spool.close()
}

// write puts events on disk.
func (c *courier) write() {
	trouble := false // told
	full := 0        // how many waited when it was told that there is no room; 0: it was not
	for rec := range c.in {
		for range c.lost.Swap(0) {
			c.spool.skipped()
		}
		switch err := c.spool.append(rec); {
		case err == nil:
			trouble = false
			if full > 0 && c.spool.depth() <= full/2 { // not at each event of a queue that stays nearly full
				full = 0
				c.log.Info("the queue of a webhook has room again")
			}
			select {
			case c.written <- struct{}{}:
			default:
			}
		case errors.Is(err, errFull):
			c.metrics.dropped(c.name, droppedFull)
			if full == 0 {
				full = c.spool.depth()
				c.log.Error("the queue of a webhook is full: events are lost to it", "waiting", full)
			}
		default:
			c.metrics.dropped(c.name, droppedDisk)
			if !trouble {
				c.log.Error("events cannot be kept on disk", "error", err)
			}
			trouble = true
		}
	}
}

// deliver posts one record after the other until ctx ends.
func (c *courier) deliver(ctx context.Context) {
	for {
		rec, ok, err := c.spool.next()
		switch {
		case err != nil:
			c.log.Error("events cannot be read from disk", "error", err)
			if !c.pause(ctx, c.backoff(1)) {
				return
			}
			continue
		case !ok:
			select {
			case <-c.written:
				continue
			case <-ctx.Done():
				return
			}
		}
		c.oldest.Store(rec.Time.UnixNano())
		if !c.insist(ctx, rec) {
			return
		}
		c.oldest.Store(0)
		if err := c.spool.done(rec); err != nil {
			c.log.Error("what was delivered cannot be noted", "error", err)
		}
	}
}

// insist posts a record until it is taken or given up; false when ctx has ended
// before.
func (c *courier) insist(ctx context.Context, rec record) bool {
	for n := 1; ; n++ {
		p := c.post.Load()
		// Its age counts when it cannot be delivered, not before it was tried.
		err := p.send(ctx, rec)
		var re *refused
		switch {
		case err == nil:
			if c.failing.Swap(false) {
				c.log.Info("webhook delivers again", "tries", n)
			}
			c.metrics.sent(c.name, sentDelivered)
			return true
		case ctx.Err() != nil:
			return false
		case errors.As(err, &re) && re.final():
			c.log.Warn("webhook has refused an event", "id", rec.ID, "type", rec.Type, "status", re.status)
			c.metrics.sent(c.name, sentFailed)
			c.metrics.dropped(c.name, droppedRefused)
			return true
		}
		c.metrics.sent(c.name, sentFailed)
		if !c.failing.Swap(true) {
			c.log.Warn("webhook does not deliver; tried again until it does", "error", err)
		}
		if time.Since(rec.Time) > p.hook.GiveUp {
			c.metrics.dropped(c.name, droppedOld)
			return true
		}
		wait := c.backoff(n)
		if re != nil {
			wait = max(wait, re.after)
		}
		if !c.pause(ctx, wait) {
			return false
		}
	}
}

// pause waits; less when the hook changes. It is false when ctx has ended.
func (c *courier) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.changed:
		return true
	case <-ctx.Done():
		return false
	}
}
