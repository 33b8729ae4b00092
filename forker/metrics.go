package forker

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// totals are the process-wide counts by sending Side, kept beside the relays'
// own because these go away with their calls.
type totals struct {
	packets, strangers, early, failures [2]atomic.Uint64
	forged, replayed, unkeyed           [2]atomic.Uint64
	excess                              [2]atomic.Uint64
}

// recorderTotals are the counts of all taps of one recorder.
type recorderTotals struct {
	copied  atomic.Uint64
	again   atomic.Uint64 // of copied: sent before, to a recorder that was lost
	dropped [dropReasons]atomic.Uint64

	reports, lost, trips atomic.Uint64 // receiver reports, packets they miss, those that tell the round trip
	jitter, trip         atomic.Int64  // sums in nanoseconds
}

// collector shows the engine's numbers to Prometheus. They are read at scrape;
// the packet path knows nothing of it.
type collector struct{ engine *Engine }

var (
	descPackets = prometheus.NewDesc("sidetrack_rtp_packets_total",
		"Media packets accepted from the party.", []string{"direction"}, nil)
	descRefused = prometheus.NewDesc("sidetrack_rtp_dropped_packets_total",
		"Media and RTCP packets of a side that were not passed on.", []string{"direction", "reason"}, nil)
	descCopied = prometheus.NewDesc("sidetrack_fork_packets_total",
		"Packets copied to recording servers.", []string{"recorder"}, nil)
	descDropped = prometheus.NewDesc("sidetrack_fork_dropped_packets_total",
		"Packets of recorded flows that were not copied.", []string{"recorder", "reason"}, nil)
	descAgain = prometheus.NewDesc("sidetrack_fork_replayed_packets_total",
		"Packets copied once more, to the recording server after a lost one.", []string{"recorder"}, nil)
	descLost = prometheus.NewDesc("sidetrack_fork_reported_lost_packets_total",
		"Copies that recording servers report as lost.", []string{"recorder"}, nil)
	descJitter = prometheus.NewDesc("sidetrack_fork_reported_jitter_seconds",
		"Interarrival jitter in the receiver reports of recording servers.", []string{"recorder"}, nil)
	descTrip = prometheus.NewDesc("sidetrack_fork_round_trip_seconds",
		"Round trip times by the receiver reports of recording servers.", []string{"recorder"}, nil)
	descBuffered = prometheus.NewDesc("sidetrack_fork_buffer_bytes",
		"Memory that holds packets until a recording server can be sent them.", nil, nil)
	descPorts = prometheus.NewDesc("sidetrack_media_ports",
		"UDP ports of the media range.", []string{"state"}, nil)
)

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descPackets, descRefused, descCopied, descDropped, descAgain, descLost, descJitter, descTrip, descBuffered, descPorts} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	c.engine.settle()
	t := &c.engine.totals
	for _, side := range []Side{SideA, SideB} {
		counter(descPackets, t.packets[side].Load(), side.String())
		counter(descRefused, t.strangers[side].Load(), side.String(), "stranger")
		counter(descRefused, t.early[side].Load(), side.String(), "early")
		counter(descRefused, t.failures[side].Load(), side.String(), "send-error")
		counter(descRefused, t.excess[side].Load(), side.String(), "rate")
		counter(descRefused, t.forged[side].Load(), side.String(), "srtp-auth")
		counter(descRefused, t.replayed[side].Load(), side.String(), "srtp-replay")
		counter(descRefused, t.unkeyed[side].Load(), side.String(), "srtp-key")
	}
	summary := func(d *prometheus.Desc, n uint64, ns int64, labels ...string) {
		ch <- prometheus.MustNewConstSummary(d, n, time.Duration(ns).Seconds(), nil, labels...)
	}
	c.recorders(counter, summary)
	ch <- prometheus.MustNewConstMetric(descBuffered, prometheus.GaugeValue, float64(c.engine.store.used.Load()))
	p := c.engine.Ports()
	for state, n := range map[string]int{"free": p.Free, "used": p.Used, "draining": p.Draining} {
		ch <- prometheus.MustNewConstMetric(descPorts, prometheus.GaugeValue, float64(n), state)
	}
}

func (c collector) recorders(
	counter func(*prometheus.Desc, uint64, ...string), summary func(*prometheus.Desc, uint64, int64, ...string),
) {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	for name, t := range c.engine.recorders {
		counter(descCopied, t.copied.Load(), name)
		counter(descAgain, t.again.Load(), name)
		counter(descLost, t.lost.Load(), name)
		summary(descJitter, t.reports.Load(), t.jitter.Load(), name)
		summary(descTrip, t.trips.Load(), t.trip.Load(), name)
		for reason := range dropReasons {
			counter(descDropped, t.dropped[reason].Load(), name, reason.String())
		}
	}
}
