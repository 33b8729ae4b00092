package b2bua

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the calls; children are resolved once.
type metrics struct {
	total map[result]prometheus.Counter
	setup prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, active *atomic.Int64, phones *bindings) *metrics {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sidetrack_calls_total",
		Help: "Calls that ended, by how: completed, cancelled, rejected by the far side, failed, refused by us.",
	}, []string{"result"})
	m := &metrics{
		total: map[result]prometheus.Counter{},
		setup: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "sidetrack_call_setup_seconds",
			Help:    "Time from an INVITE coming in to its INVITE going out, for each target asked.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	for _, r := range results {
		m.total[r] = total.WithLabelValues(string(r))
	}
	if reg != nil {
		reg.MustRegister(total, m.setup, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sidetrack_calls_active",
			Help: "Calls from their INVITE to the end of their last transaction.",
		}, func() float64 { return float64(active.Load()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sidetrack_registrations",
			Help: "Contacts of phones that registered through us; expired ones are counted until they are looked for.",
		}, func() float64 { return float64(phones.len()) }))
	}
	return m
}

func (m *metrics) result(r result) { m.total[r].Inc() }
