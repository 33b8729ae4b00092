package hep

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says where to and as whom.
type Config struct {
	Proto    string      // udp, tcp or tls
	Address  string      // host:port
	TLS      *tls.Config // for tls
	ID       uint32      // capture id
	Node     string      // name of this node; "": none is told
	Password string      // "": none is told

	// Clean takes out of a SIP message what nobody may read; nil: nothing. It is
	// called on the sending goroutine, and returns its argument where there is
	// nothing to take out.
	Clean func([]byte) []byte

	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Bounds of what waits to be sent.
const (
	maxQueue      = 8192
	maxQueueBytes = 16 << 20
)

// Mirror sends copies to one receiver. Its methods never wait and may be called
// from any goroutine.
type Mirror struct {
	cfg     Config
	agent   agent
	kin     *kin
	metrics *metrics
	queue   chan Packet
	bytes   atomic.Int64 // of the payloads in queue
	ctx     context.Context
	cut     context.CancelFunc
	running sync.WaitGroup

	mu     sync.RWMutex // queue is closed under it
	closed bool
}

// Open begins to mirror. That nobody listens yet is no error.
func Open(cfg Config) *Mirror {
	m := &Mirror{
		cfg: cfg, agent: agent{cfg.ID, cfg.Node, cfg.Password}, kin: newKin(), metrics: newMetrics(cfg.Registerer), queue: make(chan Packet, maxQueue),
	}
	m.ctx, m.cut = context.WithCancel(context.Background())
	m.running.Go(m.run)
	return m
}

// Relate says that the messages of a dialog belong to a call, both by Call-ID.
func (m *Mirror) Relate(dialog, call string) { m.kin.relate(dialog, call) }

// Forget says that a dialog has ended.
func (m *Mirror) Forget(dialog string) { m.kin.forget(dialog) }

// Send takes a packet; the payload is copied. The CallID of SIP is that of the
// message's own dialog, which is looked up.
func (m *Mirror) Send(p Packet) {
	p.Payload = bytes.Clone(p.Payload)
	m.take(p)
}

// SIP takes a message as the sockets know it.
func (m *Mirror) SIP(from, to netip.AddrPort, stream bool, callID, raw []byte) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return // a keep-alive
	}
	m.Send(Packet{Kind: SIP, At: time.Now(), From: from, To: to, Stream: stream, CallID: m.kin.of(callID), Payload: raw})
}

func (m *Mirror) take(p Packet) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	size := int64(len(p.Payload))
	if m.closed || m.bytes.Add(size) > maxQueueBytes {
		m.bytes.Add(-size)
		m.drop(p.Kind, droppedQueue)
		return
	}
	select {
	case m.queue <- p:
	default:
		m.bytes.Add(-size)
		m.drop(p.Kind, droppedQueue)
	}
}

func (m *Mirror) drop(k Kind, reason string) {
	m.metrics.dropped.WithLabelValues(k.String(), reason).Inc()
}

// Close sends what waits until ctx ends, and no more.
func (m *Mirror) Close(ctx context.Context) {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		close(m.queue)
	}
	m.mu.Unlock()
	stop := context.AfterFunc(ctx, m.cut)
	m.running.Wait()
	stop()
	m.cut()
}

// run sends until the queue is closed and empty.
func (m *Mirror) run() {
	l := &link{cfg: m.cfg, ctx: m.ctx, tell: m.tell}
	defer l.close()
	var b []byte
	for p := range m.queue {
		m.bytes.Add(-int64(len(p.Payload)))
		p, wanted := m.prepare(p)
		if !wanted {
			continue
		}
		var fits bool
		if b, fits = m.agent.appendPacket(b[:0], p); !fits {
			m.drop(p.Kind, droppedSize)
			continue
		}
		l.send(p.Kind, b, len(m.queue) == 0)
	}
}

func (m *Mirror) tell(k Kind, sent bool) {
	if !sent {
		m.drop(k, droppedConnection)
		return
	}
	m.metrics.sent.WithLabelValues(k.String()).Inc()
}

// prepare makes a packet fit to be sent; false when there is nothing to send.
func (m *Mirror) prepare(p Packet) (Packet, bool) {
	switch {
	case p.Kind == SIP && m.cfg.Clean != nil:
		p.Payload = m.cfg.Clean(p.Payload)
	case p.Kind == RTCP:
		p.Payload = reportOf(p.Payload)
	}
	return p, p.Payload != nil
}
