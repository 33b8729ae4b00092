package hep

import "github.com/prometheus/client_golang/prometheus"

// Why a packet was not sent.
const (
	droppedQueue      = "queue"      // too much waits
	droppedConnection = "connection" // the receiver cannot be reached
	droppedSize       = "size"       // longer than a packet of HEPv3
)

type metrics struct {
	sent    *prometheus.CounterVec
	dropped *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidetrack_hep_packets_total",
			Help: "Packets mirrored by HEPv3: SIP messages, RTCP reports and verdicts.",
		}, []string{"kind"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidetrack_hep_dropped_packets_total",
			Help: "Packets that were to be mirrored by HEPv3 and were not.",
		}, []string{"kind", "reason"}),
	}
	for _, k := range []Kind{SIP, RTCP, Log} {
		m.sent.WithLabelValues(k.String())
		for _, reason := range []string{droppedQueue, droppedConnection, droppedSize} {
			m.dropped.WithLabelValues(k.String(), reason)
		}
	}
	if reg != nil {
		reg.MustRegister(m.sent, m.dropped)
	}
	return m
}
