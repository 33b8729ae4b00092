package b2bua

import (
	"strconv"
	"strings"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
)

// Session timers (RFC 4028) are the parties' own: what they agree passes, and
// so do their refreshes. We stand in where one side cannot:
//
//   - a far side that demands a timer (421) of a caller without gets ours;
//   - who is made the refresher and has no timer, is refreshed for by us;
//   - a refresh by UPDATE to a side that has no UPDATE is answered by us;
//   - a refresher that lets its time pass is asked whether it still lives,
//     before the other side hangs up.
//
// A side that then does not answer has lost its dialog, and the call ends.

// minSession is the least that a session may be given to live (RFC 4028 §5).
const minSession = 90

// session is the timer of an answered call. Its times are those of both legs,
// for what one side says passes to the other.
type session struct {
	seconds int        // 0: no timer is agreed
	ours    bool       // we are the refresher
	by      side       // who is, if not we
	due     *txn.Timer // of our next refresh, or of our doubt about the refresher
	sides   [2]abilities
	open    [2]*refresh // under way, by side
}

// abilities are what a side said it can.
type abilities struct {
	timer   bool // in Supported
	listed  bool // it sent Allow
	updates bool // which names UPDATE
	least   int  // the shortest time that it has let us name, in seconds; 0: any
}

func (a *abilities) learn(m *sip.Message) {
	if m.Has("Allow") {
		a.listed, a.updates = true, m.HasToken("Allow", "UPDATE")
	}
	a.timer = m.HasToken("Supported", "timer") || m.HasToken("Require", "timer") || m.IsResponse() && m.Has("Session-Expires")
}

// expiry reads Session-Expires, or Min-SE.
func expiry(m *sip.Message, field string) (seconds int, refresher string) {
	value, params, _ := strings.Cut(m.Get(field), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
	if err != nil {
		return 0, ""
	}
	for p := range strings.SplitSeq(params, ";") {
		if name, who, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(name), "refresher") {
			refresher = strings.ToLower(strings.TrimSpace(who))
		}
	}
	return int(n), refresher
}

// ask puts what we want of a timer into the INVITE of leg B, where its caller
// asks for none.
func (s *session) ask(c *Call, out *sip.Message) {
	s.sides[sideA].learn(c.invite)
	if s.seconds = c.set.SessionExpires; s.seconds == 0 || out.Has("Session-Expires") {
		return
	}
	demand(out, s.seconds)
}

// demand asks for a timer in the name of who has none: we refresh then.
func demand(out *sip.Message, seconds int) {
	out.Set("Session-Expires", strconv.Itoa(seconds))
	if !out.HasToken("Supported", "timer") {
		out.Add("Supported", "timer")
	}
}

// demanded returns the initial INVITE with the timer that a target insists on
// (421, RFC 3261 §21.4.16) or with a longer one (422, RFC 4028 §7.3), nil when
// that is the caller's affair.
func (x *exchange) demanded(tx *txn.ClientTx, resp *sip.Message, cseq uint32) *sip.Message {
	c := x.call
	own := x == c.initial && x.tried[tx].timers < 2 && !c.invite.Has("Session-Expires")
	seconds := max(c.set.SessionExpires, minSession)
	switch {
	case own && resp.Status == 421 && resp.HasToken("Require", "timer") && !c.session.sides[sideA].timer:
		if seconds == minSession {
			seconds = 1800 // what RFC 4028 §4 recommends
		}
	case own && resp.Status == 422 && tx.Request().Has("Session-Expires"):
		least, _ := expiry(resp, "Min-SE")
		if told, _ := expiry(tx.Request(), "Session-Expires"); least <= told || least > maxSession {
			return nil
		}
		seconds = least
	default:
		return nil
	}
	c.session.seconds = seconds
	out := tx.Request().Clone()
	out.Del("Via")
	out.Set("CSeq", sip.CSeq{Num: cseq + 1, Method: out.Method}.String())
	demand(out, seconds)
	if resp.Status == 422 {
		out.Set("Min-SE", strconv.Itoa(seconds))
	}
	return out
}

// maxSession bounds what we are made to wait for.
const maxSession = 24 * 3600

// agree takes the 2xx of an INVITE or an UPDATE, as received and as it goes to
// who asked, for what they settle on.
func (s *session) agree(x *exchange, resp, out *sip.Message) {
	c, asker := x.call, x.from
	s.sides[asker].learn(x.server.Request)
	s.sides[other(asker)].learn(resp)
	seconds, refresher := expiry(resp, "Session-Expires")
	switch {
	case seconds > 0 && refresher != "uas" && !s.sides[asker].timer:
		s.ours = true // it cannot refresh: nobody tells it that it should
		out.Del("Session-Expires")
		dropToken(out, "Require", "timer")
	case seconds > 0:
		if s.ours, s.by = false, asker; refresher == "uas" {
			s.by = other(asker)
		}
	case s.ours && s.seconds > 0 || c.set.SessionExpires > 0:
		s.ours, seconds = true, max(s.seconds, c.set.SessionExpires)
		if asked, _ := expiry(x.server.Request, "Session-Expires"); s.sides[asker].timer && asked > 0 {
			least, _ := expiry(x.server.Request, "Min-SE")
			seconds = min(max(seconds, least), asked) // it may be lowered, never raised (RFC 4028 §9)
			out.Set("Session-Expires", strconv.Itoa(seconds)+";refresher=uas")
		}
	}
	s.seconds = seconds
	s.arm(c)
}

// arm begins the time until we must do something: at half of it we refresh; in
// the last moment before the other side gives up, at two thirds, we look after a
// refresher that has not (RFC 4028 §10).
func (s *session) arm(c *Call) {
	s.due.Stop()
	s.due = nil
	if s.seconds == 0 || c.state == StateEnding {
		return
	}
	s.due = c.lane.After(c.srv.second()*time.Duration(pace(s.seconds, s.ours)), func() { s.onDue(c) })
}

// leastPace is how often, in seconds, a session is refreshed at the most. What the
// parties agree is kept, be it less than RFC 4028 allows (90, §5).
const leastPace = 1

// pace is how many seconds of a session pass before we do something.
func pace(seconds int, ours bool) int {
	seconds = min(seconds, maxSession)
	if ours {
		return max(seconds/2, leastPace)
	}
	return max(seconds*6/10, leastPace)
}

// onDue refreshes the legs that know of timers; where the operator wants one on
// every call, both.
func (s *session) onDue(c *Call) {
	if c.state != StateAnswered || c.current == nil {
		return
	}
	if c.busy() { // what is under way tells as much
		s.due = c.lane.After(c.srv.second()*2, func() { s.onDue(c) })
		return
	}
	if !s.ours {
		c.log.Info("session is not refreshed in time, refreshing it", "expires", s.seconds)
	}
	s.ours = true
	s.seconds = max(s.seconds, s.sides[sideA].least, s.sides[sideB].least) // both are told
	asked := false
	for _, sd := range []side{sideA, sideB} {
		if s.sides[sd].timer || c.set.SessionExpires > 0 {
			asked = true
			c.refresh(sd)
		}
	}
	if !asked { // nobody counts the time
		s.seconds = 0
	}
}

// name puts the timer, where there is one, into a request of ours to side s: we
// refresh from now on or, in a notice, who does stays so (RFC 4028 §7.4).
func (s *session) name(out *sip.Message, to side, notice bool) {
	if s.seconds == 0 {
		return
	}
	out.Set("Supported", "timer")
	if !s.sides[to].timer {
		return
	}
	refresher := "uac"
	if notice && !s.ours && s.by == to {
		refresher = "uas"
	}
	out.Set("Session-Expires", strconv.Itoa(max(s.seconds, s.sides[to].least))+";refresher="+refresher)
}

// stop ends the timer with the call.
func (s *session) stop() {
	s.due.Stop()
	s.due, s.seconds = nil, 0
}

// offers tells whether an offer of our own is under way.
func (s *session) offers() bool {
	for _, r := range s.open {
		if r != nil && r.method == "INVITE" {
			return true
		}
	}
	return false
}

// busy tells whether an INVITE is under way in the call, or its ACK outstanding.
func (c *Call) busy() bool {
	for _, x := range c.open {
		if x.method == "INVITE" || x.offer != nil {
			return true
		}
	}
	return c.legs[sideA].unacked != nil || c.legs[sideB].unacked != nil ||
		c.session.open[sideA] != nil || c.session.open[sideB] != nil
}

// answersRefresh answers a refresh by UPDATE for a side that has no UPDATE (RFC
// 3311 §5.1): who sent it learns that the call goes on, and its time begins anew.
// The other side, if it counts the time as well, has a re-INVITE of ours.
func (c *Call) answersRefresh(s side, tx *txn.ServerTx) bool {
	req, far := tx.Request, c.session.sides[other(s)]
	seconds, refresher := expiry(req, "Session-Expires")
	if req.Method != "UPDATE" || c.current == nil || len(req.Body) > 0 || seconds == 0 || !far.listed || far.updates {
		return false
	}
	if refresher == "" {
		refresher = "uac"
	}
	c.current.dialogs[s].Refresh(req)
	headers := []sip.Header{
		{Name: "Contact", Value: "<" + c.legs[s].contact + ">"},
		{Name: "Session-Expires", Value: strconv.Itoa(seconds) + ";refresher=" + refresher},
	}
	if refresher == "uac" {
		headers = append(headers, sip.Header{Name: "Require", Value: "timer"}) // RFC 4028 §9
	}
	c.srv.reply(tx, 200, "", headers...)
	c.session.seconds, c.session.ours, c.session.by = seconds, refresher == "uas", s
	c.session.arm(c)
	if far.timer && !c.busy() {
		c.refresh(other(s))
	}
	return true
}

// dropToken takes an option tag out of a list field, and the field with its last.
func dropToken(m *sip.Message, field, token string) {
	if !m.HasToken(field, token) {
		return
	}
	var left []string
	for _, t := range m.List(field) {
		if !strings.EqualFold(strings.TrimSpace(t), token) {
			left = append(left, t)
		}
	}
	if len(left) == 0 {
		m.Del(field)
		return
	}
	m.Set(field, strings.Join(left, ", "))
}

// second is a second of Session-Expires.
func (s *Server) second() time.Duration {
	if s.cfg.SessionSecond > 0 {
		return s.cfg.SessionSecond
	}
	return time.Second
}
