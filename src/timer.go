package src

import (
	"strconv"
	"strings"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
)

// sessionTimer is the session timer of the dialog (RFC 4028). We ask for none;
// an SRS may, and either side may be the one who refreshes.
type sessionTimer struct {
	interval time.Duration // 0: there is none
	ours     bool          // we refresh
	timer    *txn.Timer
}

// minInterval keeps an SRS from making us refresh without pause.
const minInterval = 2 * time.Second

// sessionExpires reads a Session-Expires header.
func sessionExpires(m *sip.Message) (interval time.Duration, refresher string, ok bool) {
	seconds, rest, _ := strings.Cut(m.Get("Session-Expires"), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(seconds), 10, 31)
	if err != nil || n == 0 {
		return 0, "", false
	}
	for param := range strings.SplitSeq(rest, ";") {
		if name, value, _ := strings.Cut(param, "="); strings.EqualFold(strings.TrimSpace(name), "refresher") {
			refresher = strings.ToLower(strings.TrimSpace(value))
		}
	}
	return max(time.Duration(n)*time.Second, minInterval), refresher, true
}

// fromResponse takes what the 2xx to our INVITE says; without the header there
// is no timer (RFC 4028 §7.2).
func (t *sessionTimer) fromResponse(s *Session, resp *sip.Message) {
	interval, refresher, _ := sessionExpires(resp)
	t.interval, t.ours = interval, refresher != "uas"
	t.arm(s)
}

// fromRequest takes what an INVITE or UPDATE of the SRS says, and answers it in
// resp (RFC 4028 §9). An SRS that does not say who refreshes does so itself.
func (t *sessionTimer) fromRequest(s *Session, req, resp *sip.Message) {
	interval, refresher, ok := sessionExpires(req)
	t.interval, t.ours = interval, refresher == "uas"
	t.arm(s)
	if !ok {
		return
	}
	role := "uac"
	if t.ours {
		role = "uas"
	} else {
		resp.Add("Require", "timer")
	}
	resp.Add("Session-Expires", t.value(role))
}

// ask repeats the timer in a re-INVITE of ours, the roles as they are (RFC 4028
// §7.4).
func (t *sessionTimer) ask(req *sip.Message) {
	switch {
	case t.interval == 0:
	case t.ours:
		req.Add("Session-Expires", t.value("uac"))
	default:
		req.Add("Session-Expires", t.value("uas"))
	}
}

func (t *sessionTimer) value(refresher string) string {
	return strconv.Itoa(int(t.interval/time.Second)) + ";refresher=" + refresher
}

// arm starts the clock anew: half the interval until our refresh, or until
// shortly before the end the other's (RFC 4028 §10).
func (t *sessionTimer) arm(s *Session) {
	t.timer.Stop()
	switch {
	case t.interval == 0:
		t.timer = nil
	case t.ours:
		t.timer = s.lane.After(t.interval/2, s.demand)
	default:
		t.timer = s.lane.After(t.interval-min(32*time.Second, t.interval/3), func() {
			s.lose(loss{reason: "the SRS did not refresh the session in time"})
		})
	}
}

func (t *sessionTimer) stop() {
	t.timer.Stop()
	*t = sessionTimer{}
}
