package store

import "github.com/prometheus/client_golang/prometheus"

// Why a verdict was not written.
const (
	dropQueue  = "queue"  // the disk could not keep up, or refused for long
	dropDisk   = "disk"   // it still refused when the journal was closed
	dropError  = "error"  // the database refused it for good
	dropClosed = "closed" // it came after Close
)

type metrics struct {
	rows    prometheus.Counter
	dropped *prometheus.CounterVec
}

// newMetrics registers them where reg is not nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sidetrack_journal_rows_total",
			Help: "Rows of recordings written to the journal; a recording is written when it begins, is taken, and ends.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidetrack_journal_dropped_total",
			Help: "Verdicts that did not get into the journal, by reason.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{dropQueue, dropDisk, dropError, dropClosed} {
		m.dropped.WithLabelValues(reason)
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.rows, m.dropped} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
