package api

import "github.com/prometheus/client_golang/prometheus"

// Why a request was refused before it was looked at.
const (
	refusedLogin  = "credentials"
	refusedRole   = "role"
	refusedRate   = "rate"
	refusedOrigin = "origin"

	refusedHandshake = "handshakes"
)

type metrics struct {
	requests  *prometheus.CounterVec
	refused   *prometheus.CounterVec
	unaudited prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidetrack_api_requests_total",
			Help: "Requests answered by the HTTP API, by operation and status.",
		}, []string{"operation", "code"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidetrack_api_refused_total",
			Help: "Requests that the HTTP API has refused: credentials, role, rate, origin, or TLS handshakes beyond the rate.",
		}, []string{"reason"}),
		unaudited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sidetrack_api_unaudited_total",
			Help: "Control actions that could not be written to the audit file.",
		}),
	}
	for _, reason := range []string{refusedLogin, refusedRole, refusedRate, refusedOrigin, refusedHandshake} {
		m.refused.WithLabelValues(reason)
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.refused, m.unaudited)
	}
	return m
}
