package src

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sidetrack/internal/sip"
)

// health is what the sessions have learnt about the SRSs, each for all others.
type health struct {
	now func() time.Time

	mu    sync.Mutex
	srss  map[srsKey]*condition
	turns map[string]int // sessions begun, by recorder
}

type srsKey struct{ recorder, srs string }

// condition is the state of one SRS of one recorder.
type condition struct {
	failures int       // in a row
	last     time.Time // until then it is asked after all others
	skipped  time.Time // until then it is not asked: it has said so (Retry-After)
	down     bool      // it did not answer the last probe
	drained  bool      // by an operator: it gets no sessions
	sessions int       // that it has now
	struck   time.Time // when a session was lost with it last
}

const (
	// An SRS that has failed so often in a row is asked last for that long:
	// sessions do not wait for a dead one, and still find it when it is back.
	failuresTolerated = 3
	penalty           = 30 * time.Second
	// longestSkip bounds a Retry-After.
	longestSkip = time.Hour
)

func newHealth(now func() time.Time) *health {
	return &health{now: now, srss: map[srsKey]*condition{}, turns: map[string]int{}}
}

// of gives the condition of an SRS. The caller holds mu.
func (h *health) of(recorder, srs string) *condition {
	k := srsKey{recorder, srs}
	c := h.srss[k]
	if c == nil {
		c = &condition{}
		h.srss[k] = c
	}
	return c
}

// worked and failed note what came of asking an SRS.
func (h *health) worked(recorder, srs string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.of(recorder, srs)
	c.failures, c.last, c.skipped, c.down = 0, time.Time{}, time.Time{}, false
}

func (h *health) failed(recorder, srs string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.of(recorder, srs)
	c.failures++
	if c.failures >= failuresTolerated {
		c.last = h.now().Add(penalty)
	}
}

// strike notes that a session was lost with an SRS; struck tells when.
func (h *health) strike(recorder, srs string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of(recorder, srs).struck = h.now()
}

func (h *health) struck(recorder, srs string) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of(recorder, srs).struck
}

// busy keeps other sessions from an SRS for as long as it has asked for.
func (h *health) busy(recorder, srs string, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of(recorder, srs).skipped = h.now().Add(min(d, longestSkip))
}

// resting is how long it is until the first SRS of a recorder may be asked that is not
// drained; 0: one may be asked now, or there is none.
func (h *health) resting(r *Recorder) (wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, first := h.now(), true
	for _, srs := range r.SRS {
		if c := h.of(r.Name, srs); !c.drained {
			if left := max(c.skipped.Sub(now), 0); first || left < wait {
				wait, first = left, false
			}
		}
	}
	return wait
}

// sort puts those that are likely to fail behind the others, and leaves out
// those that want to be left alone, unless all do: a refusal is better than a
// call that nobody was asked to record. A drained one is never asked.
func (h *health) sort(r *Recorder, plan []int) []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	var fit, poor, busy []int
	for _, i := range plan {
		switch c := h.of(r.Name, r.SRS[i]); {
		case c.drained:
		case now.Before(c.skipped):
			busy = append(busy, i)
		case c.down || now.Before(c.last):
			poor = append(poor, i)
		default:
			fit = append(fit, i)
		}
	}
	if plan := slices.Concat(fit, poor); len(plan) > 0 {
		return plan
	}
	return busy
}

// blames tells whether a final code speaks against the SRS and not against the
// session.
func blames(code int) bool { return code == codeTimeout || code >= 500 && code < 600 }

// retryAfter reads the header of that name (RFC 3261 §20.33).
func retryAfter(resp *sip.Message) time.Duration {
	value := resp.Get("Retry-After")
	if i := strings.IndexAny(value, ";( "); i >= 0 {
		value = value[:i]
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// judge draws the consequences of a final code of an SRS.
func (s *Session) judge(srs string, code int) {
	switch h := s.client.health; {
	case code == codeGaveUp:
	case blames(code):
		h.failed(s.recorder.Name, srs)
	default:
		h.worked(s.recorder.Name, srs)
	}
}
