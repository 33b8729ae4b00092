package recorder

import (
	"strconv"
	"strings"
	"time"

	"sidetrack/internal/sip"
)

// sessionTimer is what was agreed on by RFC 4028; zero: no timer.
type sessionTimer struct {
	interval  int  // seconds
	refreshed bool // by the client; false: by us
	require   bool // the client knows the extension
}

// negotiateTimer answers the Session-Expires of a request: as asked, the client
// refreshing unless it wants us to (RFC 4028 §9).
func (c Config) negotiateTimer(m *sip.Message) (sessionTimer, *refusal) {
	value := m.Get("Session-Expires")
	if value == "" {
		return sessionTimer{}, nil
	}
	shortest := int(c.MinSE / time.Second)
	interval, refresher, ok := parseSessionExpires(value)
	knows := m.HasToken("Supported", "timer") || m.HasToken("Require", "timer")
	switch {
	case !ok:
		return sessionTimer{}, refuse(400, "Session-Expires cannot be read")
	case interval < shortest && knows:
		return sessionTimer{}, refuse(422, "", sip.Header{Name: "Min-SE", Value: strconv.Itoa(shortest)})
	}
	t := sessionTimer{interval: max(interval, shortest), require: knows}
	// A client that does not know the extension cannot refresh; somebody
	// between us asks for the timer.
	t.refreshed = knows && refresher != "uas"
	return t, nil
}

// parseSessionExpires reads "1800;refresher=uac".
func parseSessionExpires(value string) (interval int, refresher string, ok bool) {
	number, rest, _ := strings.Cut(value, ";")
	interval, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || interval < 0 || interval > 1<<31 {
		return 0, "", false
	}
	if params, err := sip.ParseParams(rest); err == nil {
		refresher, _ = params.Get("refresher")
	}
	return interval, strings.ToLower(refresher), true
}

// headers are the fields of the 200.
func (t sessionTimer) headers() []sip.Header {
	if t.interval == 0 {
		return nil
	}
	h := []sip.Header{{Name: "Session-Expires", Value: strconv.Itoa(t.interval) + ";refresher=uas"}}
	if t.refreshed {
		h[0].Value = strconv.Itoa(t.interval) + ";refresher=uac"
		h = append(h, sip.Header{Name: "Require", Value: "timer"})
	}
	return h
}

// refreshAfter is when we refresh, half the interval (RFC 4028 §10); 0: never.
func (t sessionTimer) refreshAfter() time.Duration {
	if t.refreshed {
		return 0
	}
	return time.Duration(t.interval) * time.Second / 2
}

// glare is how long it takes at most until an exchange that crosses ours is over
// (RFC 3261 §14.1).
const glare = 4 * time.Second

// againAfter is when a refresh that has been refused so often before goes out again:
// soon enough for the client, which gives up before the interval ends.
func (t sessionTimer) againAfter(refusals int) time.Duration {
	interval := time.Duration(t.interval) * time.Second
	return min(min(glare, interval/8)<<min(refusals, 8), interval/2)
}

// expiresAfter is when a session without refresh is dead, a little before
// the interval ends (RFC 4028 §10).
func (t sessionTimer) expiresAfter() time.Duration {
	return time.Duration(t.interval-min(32, t.interval/3)) * time.Second
}
