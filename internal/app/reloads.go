package app

import "github.com/prometheus/client_golang/prometheus"

// reloads shows whether the configuration in force is that of the file.
type reloads struct {
	success prometheus.Gauge
	at      prometheus.Gauge
	waiting prometheus.Gauge
}

func newReloads(reg prometheus.Registerer) *reloads {
	r := &reloads{
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sidetrack_config_last_reload_successful",
			Help: "1 when the last load of the configuration succeeded, else 0.",
		}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sidetrack_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration was last loaded with success.",
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sidetrack_config_restart_keys",
			Help: "Keys of the configuration whose change waits for a restart.",
		}),
	}
	reg.MustRegister(r.success, r.at, r.waiting)
	return r
}

func (r *reloads) succeeded() {
	r.success.Set(1)
	r.at.SetToCurrentTime()
}

func (r *reloads) failed() { r.success.Set(0) }
