package hep

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/outbox"
)

// Config is what a Mirror has for life.
type Config struct {
	// Clean takes out of a SIP message what nobody may read; nil: nothing. It is
	// called on the sending goroutine, and returns its argument where there is
	// nothing to take out.
	Clean func([]byte) []byte

	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Receiver says where to and as whom.
type Receiver struct {
	Proto    string      // udp, tcp or tls
	Address  string      // host:port
	TLS      *tls.Config // for tls
	ID       uint32      // capture id
	Node     string      // name of this node; "": none is told
	Password string      // "": none is told
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
	kin     *kin
	metrics *metrics
	to      atomic.Pointer[Receiver] // nil: nothing is mirrored
	turned  chan struct{}            // to has changed
	box     *outbox.Box[*Packet]
	bytes   atomic.Int64 // of the payloads in box
}

// Open begins to mirror. That nobody listens yet is no error; to nil: nothing is
// mirrored until Redirect names a receiver.
func Open(cfg Config, to *Receiver) *Mirror {
	m := &Mirror{cfg: cfg, kin: newKin(), metrics: newMetrics(cfg.Registerer), turned: make(chan struct{}, 1)}
	m.to.Store(to)
	m.box = outbox.Open(maxQueue, m.run)
	return m
}

// Redirect has copies go to another receiver, nil to none, from now on. What waits
// goes there too. A connection to the same address stays.
func (m *Mirror) Redirect(to *Receiver) {
	m.to.Store(to)
	if to == nil {
		m.kin.clear()
	}
	select {
	case m.turned <- struct{}{}:
	default:
	}
}

// Relate says that the messages of a dialog belong to a call, both by Call-ID.
func (m *Mirror) Relate(dialog, call string) {
	if m.to.Load() != nil {
		m.kin.relate(dialog, call)
	}
}

// Forget says that a dialog has ended.
func (m *Mirror) Forget(dialog string) { m.kin.forget(dialog) }

// Send takes a packet; the payload is copied. The CallID of SIP is that of the
// message's own dialog, which is looked up.
func (m *Mirror) Send(p Packet) {
	if m.to.Load() == nil {
		return
	}
	size := int64(len(p.Payload))
	if m.bytes.Add(size) <= maxQueueBytes {
		p.Payload = bytes.Clone(p.Payload)
		if m.box.Put(&p) {
			return
		}
	}
	m.bytes.Add(-size)
	m.drop(p.Kind, droppedQueue)
}

// SIP takes a message as the sockets know it.
func (m *Mirror) SIP(from, to netip.AddrPort, stream bool, callID, raw []byte) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return // a keep-alive
	}
	m.Send(Packet{Kind: SIP, At: time.Now(), From: from, To: to, Stream: stream, CallID: m.kin.of(callID), Payload: raw})
}

func (m *Mirror) drop(k Kind, reason string) {
	m.metrics.dropped.WithLabelValues(k.String(), reason).Inc()
}

// Close sends what waits until ctx ends, and no more.
func (m *Mirror) Close(ctx context.Context) { m.box.Close(ctx) }

// run sends until packets is closed and empty.
func (m *Mirror) run(ctx context.Context, packets <-chan *Packet) {
	l := &link{log: m.cfg.Log, ctx: ctx, tell: m.tell}
	defer l.close()
	var b []byte
	for {
		select {
		case <-m.turned:
			l.turn(m.to.Load())
		case p, more := <-packets:
			if !more {
				return
			}
			m.bytes.Add(-int64(len(p.Payload)))
			to := m.to.Load()
			l.turn(to)
			if to == nil {
				m.drop(p.Kind, droppedConnection)
				continue
			}
			if !m.prepare(p) {
				continue
			}
			var fits bool
			if b, fits = to.appendPacket(b[:0], *p); !fits {
				m.drop(p.Kind, droppedSize)
				continue
			}
			l.send(p.Kind, b, len(packets) == 0)
		}
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
func (m *Mirror) prepare(p *Packet) bool {
	switch {
	case p.Kind == SIP && m.cfg.Clean != nil:
		p.Payload = m.cfg.Clean(p.Payload)
	case p.Kind == RTCP:
		p.Payload = reportOf(p.Payload)
	}
	return p.Payload != nil
}
