package src

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of the recording sessions. Labels are bounded: names and
// URIs of the configuration, codes of three digits, fixed words.
type metrics struct {
	active     *prometheus.GaugeVec
	waiting    *prometheus.GaugeVec
	total      *prometheus.CounterVec
	start      *prometheus.HistogramVec
	attempts   *prometheus.CounterVec
	hedges     *prometheus.CounterVec
	failovers  *prometheus.CounterVec
	up         *prometheus.GaugeVec
	pauses     *prometheus.CounterVec
	unanswered *prometheus.CounterVec
	alarms     *prometheus.CounterVec
	decisions  *prometheus.CounterVec
	untrusted  *prometheus.CounterVec
	invited    *prometheus.CounterVec
}

// newMetrics registers them where reg is not nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		active:  gauge("sidetrack_recordings_active", "Recording sessions that an SRS has taken and that have not ended.", "recorder"),
		waiting: gauge("sidetrack_recordings_waiting", "Recording sessions that every SRS has refused and that ask them again, while their calls go on.", "recorder"),
		total:   counter("sidetrack_recordings_total", "Recording sessions that have ended, by result.", "recorder", "result"),
		start: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sidetrack_recording_start_seconds",
			Help:    "Time from the answer of the call until its audio goes to the SRS.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"recorder"}),
		attempts:   counter("sidetrack_srs_attempts_total", "INVITEs to an SRS, by final code; silence counts as 408, a transport error as 503.", "recorder", "srs", "code"),
		hedges:     counter("sidetrack_srs_hedges_total", "SRSs asked before the one before had answered, by whether they took the session: won, lost, failed.", "recorder", "result"),
		failovers:  counter("sidetrack_srs_failovers_total", "Moves to the next SRS of the list after a failure.", "recorder"),
		up:         gauge("sidetrack_srs_up", "Whether the SRS answered the last request to it, and not with 503 (1), or did not (0).", "recorder", "srs"),
		pauses:     counter("sidetrack_recording_pauses_total", "Pauses of recording sessions, by cause.", "recorder", "cause"),
		unanswered: counter("sidetrack_recording_byes_unanswered_total", "Recording sessions whose BYE was never answered: the SRS may hold them still.", "recorder"),
		alarms:     counter("sidetrack_recording_alarms_total", "Recording sessions that an SRS had and that look worthless: no-rtp, one-leg-silent, recorder-deaf.", "recorder", "alarm"),
		decisions:  counter("sidetrack_decisions_total", "Questions to programs that decide about recordings: record, skip (they said no), error (no decision came).", "answer"),
		invited:    counter("sidetrack_recordings_asked_total", "INVITEs by which an SRS asked for a recording, by the code of our answer.", "code"),
		untrusted:  counter("sidetrack_srs_certificates_refused_total", "TLS connections to an SRS that failed for a certificate, by why: expired, name, authority, invalid, or ours, which the SRS did not take.", "recorder", "srs", "reason"),
	}
	for _, answer := range []string{"record", "skip", "error"} { // a first one is to be seen as one
		m.decisions.WithLabelValues(answer)
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.active, m.waiting, m.total, m.start, m.attempts, m.hedges, m.failovers, m.up, m.pauses, m.unanswered, m.alarms, m.decisions, m.untrusted, m.invited} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// prepare makes the series of a recorder exist from the beginning, so that a
// first increment is seen as one.
func (m *metrics) prepare(r *Recorder) {
	m.active.WithLabelValues(r.Name)
	m.waiting.WithLabelValues(r.Name)
	m.failovers.WithLabelValues(r.Name)
	for _, result := range []string{"won", "lost", "failed"} {
		m.hedges.WithLabelValues(r.Name, result)
	}
	m.unanswered.WithLabelValues(r.Name)
	m.start.WithLabelValues(r.Name)
	for _, result := range results {
		m.total.WithLabelValues(r.Name, string(result))
	}
	for _, a := range alarms {
		m.alarms.WithLabelValues(r.Name, string(a))
	}
	for _, srs := range r.SRS {
		for _, reason := range certificateFaults {
			m.untrusted.WithLabelValues(r.Name, srs, reason)
		}
	}
	for _, c := range []cause{causeHold, causeOperator} {
		m.pauses.WithLabelValues(r.Name, string(c))
	}
}

// decided counts what a program said.
func (m *metrics) decided(a Answer, err error) {
	answer := "skip"
	switch {
	case err != nil:
		answer = "error"
	case a.Record:
		answer = "record"
	}
	m.decisions.WithLabelValues(answer).Inc()
}

// asked counts our answer to an SRS that asked for a recording.
func (m *metrics) asked(code int) { m.invited.WithLabelValues(strconv.Itoa(code)).Inc() }

// attempt counts what came of an INVITE.
func (m *metrics) attempt(recorder, srs string, code int) {
	m.attempts.WithLabelValues(recorder, srs, strconv.Itoa(code)).Inc()
	m.reached(recorder, srs, speaks(code))
}

// reached notes whether an SRS answered.
func (m *metrics) reached(recorder, srs string, ok bool) {
	v := 0.0
	if ok {
		v = 1
	}
	m.up.WithLabelValues(recorder, srs).Set(v)
}

// started notes how long after the answer of the call the audio went out; a
// recording that began with early media was there before.
func (m *metrics) started(recorder string, answered, now time.Time) {
	if answered.IsZero() {
		return
	}
	m.start.WithLabelValues(recorder).Observe(max(now.Sub(answered), 0).Seconds())
}
