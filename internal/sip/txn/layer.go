package txn

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sidetrack/internal/sip/transport"
)

const maxLookups = 1024 // names being resolved at once

// Layer is the transaction layer: the lanes and what they share.
type Layer struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	lanes   []*Lane
	seed    maphash.Seed // of lanes and keys; random, so that nobody can aim at one
	tcp     outcomes     // which UDP targets take large requests over TCP
	started bool
	guard   guard
	known   atomic.Pointer[func(transport.Flow) Standing]
	handler Handler // set by Start, before any lane runs

	ctx     context.Context // ends with Close; lookups hang on it
	cancel  context.CancelFunc
	workers sync.WaitGroup
	lookups atomic.Int32
	kept    atomic.Int64 // transactions
}

// New returns a layer that collects messages but handles none before Start. It
// registers itself as the transport's watcher.
func New(cfg Config) *Layer {
	cfg = cfg.withDefaults()
	l := &Layer{cfg: cfg, log: cfg.Log, metrics: newMetrics(cfg.Registerer), seed: maphash.MakeSeed()}
	l.SetRates(cfg.Rates)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for i := range cfg.Lanes {
		l.lanes = append(l.lanes, newLane(l, i))
	}
	l.metrics.watch(cfg.Registerer, l)
	cfg.Transport.Watch(transport.Events{
		Failed:    l.pathFailed,
		Rejected:  l.metrics.reject,
		Stateless: l.metrics.stateless,
	})
	return l
}

// Start begins to handle messages. It is called once.
func (l *Layer) Start(h Handler) {
	l.handler, l.started = h, true
	for _, lane := range l.lanes {
		lane.alarm = time.NewTimer(time.Hour)
		go lane.run()
	}
}

// Transactions is how many transactions are kept, those included that only wait
// for repetitions. From any goroutine.
func (l *Layer) Transactions() int { return int(l.kept.Load()) }

// Rejected counts a request that the layer's user refused, under a reason from
// a small fixed set.
func (l *Layer) Rejected(reason string) { l.metrics.reject(reason) }

// LaneFor returns the lane of a Call-ID.
func (l *Layer) LaneFor(callID string) *Lane {
	return l.laneAt(l.place(callID))
}

func (l *Layer) laneAt(place uint64) *Lane { return l.lanes[place%uint64(len(l.lanes))] }

// Lanes returns all lanes. The slice must not be changed.
func (l *Layer) Lanes() []*Lane { return l.lanes }

// Close stops the lanes and waits for them and for the workers. Transactions
// end without a word to their handlers. It must not be called on a lane.
func (l *Layer) Close() {
	l.cancel()
	for _, lane := range l.lanes {
		lane.box.close()
	}
	if l.started {
		for _, lane := range l.lanes {
			<-lane.ended
		}
	}
	l.cfg.Resolver.Close()
	l.workers.Wait()
}

// send gives bytes to the transport and counts them.
func (l *Layer) send(f transport.Flow, b []byte, s slot) error {
	err := l.cfg.Transport.Send(f, b)
	if err == nil {
		l.metrics.sent(s)
	}
	return err
}

// pathFailed tells every lane: any of them may have transactions on that path.
func (l *Layer) pathFailed(f transport.Failure) {
	for _, lane := range l.lanes {
		lane.Post(func() { lane.pathFailed(f) })
	}
}

// key identifies a transaction. It is a keyed hash rather than the strings
// themselves, so that a finished transaction pins no message.
type key struct{ a, b uint64 }

func (l *Layer) hash(number uint64, parts ...string) key {
	var h maphash.Hash
	h.SetSeed(l.seed)
	var octets [8]byte
	binary.NativeEndian.PutUint64(octets[:], number)
	h.Write(octets[:])
	for _, p := range parts {
		h.WriteString(p)
		h.WriteByte(0)
	}
	k := key{a: h.Sum64()}
	h.WriteByte(1)
	k.b = h.Sum64()
	return k
}
