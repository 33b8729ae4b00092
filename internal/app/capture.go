package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/forker"
	"sidetrack/internal/api"
	"sidetrack/internal/pcap"
	"sidetrack/src"
)

// Bounds of captures: how many there are at once, and what of one waits for a
// slow reader.
const (
	maxCaptures   = 4
	captureQueue  = 4096
	captureWaits  = 4 << 20         // bytes
	captureGather = 64 << 10        // bytes that leave as one write,
	captureFlush  = time.Second / 4 // at the latest after so long
)

// captures counts what is taken.
type captures struct {
	running atomic.Int32
	packets prometheus.Counter
	dropped prometheus.Counter
}

func newCaptures(reg prometheus.Registerer) *captures {
	c := &captures{
		packets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sidetrack_capture_packets_total", Help: "Packets of media written to captures that somebody has asked for.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sidetrack_capture_dropped_packets_total", Help: "Packets of media left out of captures, for the reader was too slow.",
		}),
	}
	reg.MustRegister(c.packets, c.dropped)
	return c
}

// capture is the packets of one relay on their way into a file.
type capture struct {
	all     *captures
	packets chan forker.Datagram
	waits   atomic.Int64 // bytes in packets
	dropped atomic.Int64
	over    chan struct{} // the call has ended
	stop    func()
}

// take is called under the relay's lock.
func (c *capture) take(d forker.Datagram) {
	size := int64(len(d.Data))
	if c.waits.Add(size) <= captureWaits {
		d.Data = bytes.Clone(d.Data)
		select {
		case c.packets <- d:
			return
		default:
		}
	}
	c.waits.Add(-size)
	c.dropped.Add(1)
	c.all.dropped.Inc()
}

// capture begins to take the packets of a live call; the Capturing writes the
// messages of the call so far, the packets, and the messages that came meanwhile.
func (a *App) capture(ctx context.Context, id string, limits api.CaptureLimits) (api.Capturing, error) {
	media, err := a.calls.Media(ctx, id)
	if err != nil {
		return nil, err
	}
	if media == nil {
		return nil, apiError(fmt.Errorf("call %s: %w", id, src.ErrNotFound))
	}
	if a.captures.running.Add(1) > maxCaptures {
		a.captures.running.Add(-1)
		return nil, refusal{fmt.Errorf("%d captures run already", maxCaptures), api.ErrConflict}
	}
	c := &capture{all: a.captures, packets: make(chan forker.Datagram, captureQueue), over: make(chan struct{})}
	c.stop = media.Watch(forker.Watcher{Wire: c.take, End: func() { close(c.over) }})
	return func(ctx context.Context, w io.Writer) error {
		defer a.captures.running.Add(-1)
		defer c.stop()
		ctx, cancel := context.WithTimeout(ctx, limits.Time)
		defer cancel()
		f := &captureFile{w: w, room: limits.Bytes}
		f.pcap = pcap.NewWriter(&f.buf)
		told := a.tell(ctx, f, id, time.Time{})
		why, n := c.fill(ctx, f)
		a.tell(context.WithoutCancel(ctx), f, id, told)
		err := f.flush()
		a.log.Info("media captured", "call", id, "packets", n, "dropped", c.dropped.Load(), "end", why)
		return err
	}, nil
}

// tell writes the SIP messages of a call that are newer than since, as far as
// there is room, and gives the time of the last.
func (a *App) tell(ctx context.Context, f *captureFile, id string, since time.Time) time.Time {
	l, err := a.ladder(ctx, id, false)
	if err != nil {
		return since // none are kept
	}
	for _, e := range l.(drawn).Messages {
		if e.Time.After(since) && f.fits(len(e.Data)) {
			f.write(e.Time, e.From(), e.To(), e.Data)
			since = e.Time
		}
	}
	return since
}

// fill writes packets until somebody or something ends it, and says what.
func (c *capture) fill(ctx context.Context, f *captureFile) (why string, packets int) {
	flush := time.NewTicker(captureFlush)
	defer flush.Stop()
	for {
		select {
		case d := <-c.packets:
			c.waits.Add(-int64(len(d.Data)))
			if !f.fits(len(d.Data)) {
				return "bytes", packets
			}
			f.write(d.At, d.From, d.To, d.Data)
			packets++
			c.all.packets.Inc()
			if f.buf.Len() < captureGather {
				continue
			}
		case <-flush.C:
		case <-c.over:
			if len(c.packets) == 0 {
				return "the call ended", packets
			}
			continue
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return "limit", packets
			}
			return "the reader has gone", packets
		}
		if f.flush() != nil {
			return "the reader has gone", packets
		}
	}
}

// captureFile is a capture that has so much room left.
type captureFile struct {
	w    io.Writer
	buf  bytes.Buffer
	pcap *pcap.Writer
	room int64
	err  error
}

// fits tells whether a payload of that size has room, its headers included.
func (f *captureFile) fits(size int) bool {
	return int64(size+pcap.MaxOverhead) <= f.room-int64(f.buf.Len())
}

func (f *captureFile) write(at time.Time, from, to netip.AddrPort, b []byte) {
	f.pcap.Write(at, from, to, b) // into memory: it cannot fail
}

// flush hands on what has been written. The first error stays.
func (f *captureFile) flush() error {
	if f.err == nil && f.buf.Len() > 0 {
		f.room -= int64(f.buf.Len())
		_, f.err = f.w.Write(f.buf.Bytes())
	}
	f.buf.Reset()
	return f.err
}
