package src

import (
	"strconv"
	"strings"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
)

// SessionTimer says what is asked of and granted to an SRS by RFC 4028. The zero
// value asks for nothing and grants 90 s and more.
type SessionTimer struct {
	Expires   time.Duration // asked for in INVITEs; 0: none
	Min       time.Duration // the shortest that an SRS may ask for; 0: 90 s (§5)
	Refresher Refresher     // who is to refresh, where we ask
	ByUpdate  bool          // we refresh by UPDATE without a body, where the SRS allows UPDATE (§7.4)
}

// Refresher is who keeps a session alive.
type Refresher string

// The refreshers.
const (
	RefresherAny Refresher = "" // whom the SRS names
	RefresherSRC Refresher = "src"
	RefresherSRS Refresher = "srs"
)

const (
	leastInterval = 90 * time.Second // RFC 4028 §5
	// minInterval keeps an SRS from making us refresh without pause.
	minInterval = 2 * time.Second
	// maxInterval bounds what a 422 can make us ask for.
	maxInterval = 24 * time.Hour
	// maxRaised is how many elements on the way may each ask for more.
	maxRaised = 3
)

// min is the shortest interval that an SRS may ask for.
func (t *SessionTimer) min() time.Duration {
	if t.Min > 0 {
		return t.Min
	}
	return leastInterval
}

// sessionTimer is the session timer of the dialog (RFC 4028): either side may
// be the one who refreshes.
type sessionTimer struct {
	interval time.Duration // 0: there is none
	least    time.Duration // what a 422 has said; 0: none has
	raised   int           // how many have
	ours     bool          // we refresh
	timer    *txn.Timer
	refresh  *refresh // ours, under way without a body
}

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

// fromResponse takes what the 2xx to a request of ours says; without the header
// there is no timer (RFC 4028 §7.2).
func (t *sessionTimer) fromResponse(s *Session, resp *sip.Message) {
	interval, refresher, _ := sessionExpires(resp)
	t.interval, t.ours = interval, refresher != "uas"
	t.arm(s)
}

// tooShort answers a request of the SRS that asks for an interval below what we
// grant, where it understands that (RFC 4028 §9); nil where it may go on.
func (s *Session) tooShort(req *sip.Message) *sip.Message {
	interval, _, ok := sessionExpires(req)
	least := s.recorder.Session.min()
	if !ok || interval >= least || !knowsTimer(req) {
		return nil
	}
	resp := s.response(req, 422)
	resp.Add("Min-SE", seconds(least))
	return resp
}

func knowsTimer(m *sip.Message) bool {
	return m.HasToken("Supported", "timer") || m.HasToken("Require", "timer")
}

// fromRequest takes what an INVITE or UPDATE of the SRS says, and answers it in
// resp (RFC 4028 §9). An SRS that does not say who refreshes does so itself, if
// it can.
func (t *sessionTimer) fromRequest(s *Session, req, resp *sip.Message) {
	interval, refresher, ok := sessionExpires(req)
	t.interval, t.ours = interval, refresher == "uas" || refresher == "" && !knowsTimer(req)
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

// ask repeats the timer in a request of ours, the roles as they are (RFC 4028
// §7.4).
func (t *sessionTimer) ask(req *sip.Message) {
	switch {
	case t.interval == 0:
		return
	case t.ours:
		req.Add("Session-Expires", t.value("uac"))
	default:
		req.Add("Session-Expires", t.value("uas"))
	}
	t.addLeast(req)
}

// propose asks for a timer in an INVITE that begins a dialog.
func (t *sessionTimer) propose(r *Recorder, req *sip.Message) {
	want := max(r.Session.Expires, t.least)
	if r.Session.Expires == 0 {
		return
	}
	value := seconds(want)
	switch r.Session.Refresher {
	case RefresherSRC:
		value += ";refresher=uac"
	case RefresherSRS:
		value += ";refresher=uas"
	}
	req.Add("Session-Expires", value)
	t.addLeast(req)
}

// addLeast tells the proxies between what they need not refuse again (RFC 4028
// §7.4).
func (t *sessionTimer) addLeast(req *sip.Message) {
	if t.least > 0 {
		req.Add("Min-SE", seconds(t.least))
	}
}

// lengthen takes a 422 to a request that asked for a timer, and reports whether
// it is to be sent again with a longer one (RFC 4028 §7.3).
func (t *sessionTimer) lengthen(resp *sip.Message) bool {
	if resp.Status != 422 {
		return false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(resp.Get("Min-SE")), 10, 31)
	least := time.Duration(n) * time.Second
	if err != nil || least <= max(t.interval, t.least) || least > maxInterval || t.raised == maxRaised {
		return false
	}
	t.least, t.raised = least, t.raised+1
	if t.interval > 0 {
		t.interval = least
	}
	return true
}

func (t *sessionTimer) value(refresher string) string {
	return seconds(t.interval) + ";refresher=" + refresher
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// arm starts the clock anew: half the interval until our refresh, or until
// shortly before the end the other's (RFC 4028 §10).
func (t *sessionTimer) arm(s *Session) {
	t.timer.Stop()
	switch {
	case t.interval == 0:
		t.timer = nil
	case t.ours:
		t.timer = s.lane.After(t.interval/2, func() {
			s.timer.timer = nil
			s.refresh()
		})
	default:
		t.timer = s.lane.After(t.interval-min(32*time.Second, t.interval/3), func() {
			s.lose(loss{reason: "the SRS did not refresh the session in time"})
		})
	}
}

// due tells whether our refresh has been asked for and not been accepted yet.
func (t *sessionTimer) due() bool { return t.ours && t.interval > 0 && t.timer == nil }

func (t *sessionTimer) stop() {
	t.timer.Stop()
	if t.refresh != nil {
		t.refresh.over = true
	}
	*t = sessionTimer{}
}
