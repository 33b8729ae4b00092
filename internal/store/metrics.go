package store

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

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

// newMetrics registers them where reg is not nil. A journal that follows another
// goes on with its counts.
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
	var err error
	if m.rows, err = register(reg, m.rows); err != nil {
		return nil, err
	}
	m.dropped, err = register(reg, m.dropped)
	return m, err
}

func register[C prometheus.Collector](reg prometheus.Registerer, c C) (C, error) {
	err := reg.Register(c)
	var before prometheus.AlreadyRegisteredError
	if errors.As(err, &before) {
		if c, same := before.ExistingCollector.(C); same {
			return c, nil
		}
	}
	return c, err
}
