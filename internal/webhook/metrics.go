package webhook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Why an event was lost to a hook.
const (
	droppedBacklog = "backlog" // the disk was slower than the events
	droppedFull    = "full"    // the queue on disk has its size
	droppedDisk    = "disk"    // the disk has failed
	droppedRefused = "refused" // the receiver does not want it
	droppedOld     = "old"     // not delivered in time
)

const (
	sentDelivered = "delivered"
	sentFailed    = "failed"
)

type metrics struct {
	sender        *Sender
	depth, age    *prometheus.Desc
	drops, posted *prometheus.CounterVec
}

func newMetrics(s *Sender) *metrics {
	return &metrics{
		sender: s,
		depth:  prometheus.NewDesc("sidetrack_webhook_queue_events", "Events that wait on disk for a webhook.", []string{"hook"}, nil),
		age:    prometheus.NewDesc("sidetrack_webhook_queue_age_seconds", "Age of the event that a webhook tries to deliver; 0 without one.", []string{"hook"}, nil),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidetrack_webhook_dropped_total",
			Help: "Events lost to a webhook, by reason: backlog, full, disk, refused or old.",
		}, []string{"hook", "reason"}),
		posted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidetrack_webhook_requests_total",
			Help: "Requests to a webhook, by result: delivered or failed.",
		}, []string{"hook", "result"}),
	}
}

func (m *metrics) prepare(hook string) {
	for _, reason := range []string{droppedBacklog, droppedFull, droppedDisk, droppedRefused, droppedOld} {
		m.drops.WithLabelValues(hook, reason)
	}
	for _, result := range []string{sentDelivered, sentFailed} {
		m.posted.WithLabelValues(hook, result)
	}
}

func (m *metrics) dropped(hook, reason string) { m.drops.WithLabelValues(hook, reason).Inc() }
func (m *metrics) sent(hook, result string)    { m.posted.WithLabelValues(hook, result).Inc() }

func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.depth
	ch <- m.age
	m.drops.Describe(ch)
	m.posted.Describe(ch)
}

func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.sender.mu.RLock()
	couriers := m.sender.couriers
	m.sender.mu.RUnlock()
	for _, c := range couriers {
		ch <- prometheus.MustNewConstMetric(m.depth, prometheus.GaugeValue, float64(c.spool.depth()), c.name)
		age := 0.0
		if at := c.oldest.Load(); at != 0 {
			age = max(0, time.Since(time.Unix(0, at)).Seconds())
		}
		ch <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, age, c.name)
	}
	m.drops.Collect(ch)
	m.posted.Collect(ch)
}
