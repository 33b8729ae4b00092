package b2bua

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// Auth has strangers prove who they are.
type Auth struct {
	Gate *digest.Gate
	// Proxy asks by 407 instead of 401, so that a PBX behind us may ask by 401 for
	// credentials of its own.
	Proxy bool
}

func (a *Auth) status() int {
	if a.Proxy {
		return 407
	}
	return 401
}

func (a *Auth) fields() (asks, answers string) {
	if a.Proxy {
		return "Proxy-Authenticate", "Proxy-Authorization"
	}
	return "WWW-Authenticate", "Authorization"
}

// admits tells whether a request that begins something may do so; if not, it has
// been dealt with. Strangers get one answer each time, never a repetition, so that
// forged addresses are not flooded with what we say.
func (s *Server) admits(tx *txn.ServerTx) bool {
	now, from := tx.Lane.Now(), tx.Flow.Remote.Addr().Unmap()
	door := s.settings.Load().door(tx.Flow.Listener)
	if door.open() || s.knows(door, tx.Flow, now) {
		return true
	}
	auth := door.Auth
	if s.keeps(tx.Request) {
		if auth != nil {
			tx.Request = auth.Gate.Strip(tx.Request)
		}
		tx.Request = s.unasserted(tx.Request)
		return true // as within a call
	}
	if auth == nil {
		s.cfg.OnReject("untrusted")
		tx.Refuse(403, "Forbidden") // no word of what we are, and no more octets than came
		return false
	}
	if tx.Request.ToTag() != "" && s.bindings.of(tx.Flow) != "" {
		tx.Request = s.unasserted(auth.Gate.Strip(tx.Request))
		return true // of a subscription that a phone has begun by the flow it signed in with
	}
	asks, answers := auth.fields()
	user, verdict := auth.Gate.Check(tx.Request, answers, from, now)
	cost, stream := 1.0, tx.Flow.Proto != "udp"
	if stream {
		cost = streamCost
	}
	switch verdict {
	case digest.Right:
		tx.Request = s.unasserted(auth.Gate.Strip(tx.Request))
		return true
	case digest.Wrong:
		s.cfg.OnReject("credentials")
		cost = wrongCost
	}
	if !s.strangers.allow(from, cost, now) {
		s.cfg.OnReject("credentials-rate")
		if stream { // nobody repeats what he has sent by one
			tx.Refuse(503, "", sip.Header{Name: "Retry-After", Value: "5"})
		} else {
			tx.Ignore()
		}
		return false
	}
	if verdict == digest.Wrong {
		s.cfg.Log.Warn("wrong credentials", "user", user, "source", tx.Flow.Remote.String(), "method", tx.Request.Method)
	}
	var headers []sip.Header
	for _, value := range auth.Gate.Challenges(from, verdict == digest.Stale, now) {
		headers = append(headers, sip.Header{Name: asks, Value: value})
	}
	tx.Refuse(auth.status(), "", headers...)
	return false
}

// standing tells whose requests come first when more come than can be handled: of
// those who may call without more, and of phones that have registered.
func (s *Server) standing(f transport.Flow) txn.Standing {
	door := s.settings.Load().door(f.Listener)
	switch {
	case s.knows(door, f, s.cfg.Txn.Lanes()[0].Now()), s.bindings.of(f) != "":
		return txn.Known
	case door.open():
		return txn.Guest
	}
	return txn.Stranger
}

// stripped is a request of one side of a call without what is shown to us alone, and
// without what only those may say whom we know.
func (s *Server) stripped(req *sip.Message, c *Call, from side, by *transport.Listener) *sip.Message {
	if auth := s.settings.Load().door(by).Auth; auth != nil {
		req = auth.Gate.Strip(req)
	}
	return s.heard(req, c.known[from], by)
}

// heard is a message within a call, or the response of a phone, as it may go on:
// whole when we know who sent it, or when nobody by that listener is asked who he
// is.
func (s *Server) heard(m *sip.Message, known bool, by *transport.Listener) *sip.Message {
	if known || s.settings.Load().door(by).Auth == nil {
		return m
	}
	return s.unasserted(m)
}

// assertions are the fields in which somebody is vouched for, now and before RFC 3325.
var assertions = []string{"P-Asserted-Identity", "Remote-Party-ID"}

// unasserted is a message of somebody who has a password, which is not to be
// trusted with the identities of others: an identity that he asserts goes no
// further, in requests or responses (RFC 3325 §5, §6), unless everybody's word is
// taken. What he prefers to be known as (P-Preferred-Identity) is left to the PBX.
func (s *Server) unasserted(m *sip.Message) *sip.Message {
	if s.settings.Load().Asserted == AssertedAlways || !slices.ContainsFunc(assertions, m.Has) {
		return m
	}
	out := m.Clone()
	for _, name := range assertions {
		out.Del(name)
	}
	return out
}

// strangers bound how often one address is asked who it is: a phone that signs in
// needs a few answers, and after a restart all of an office, behind one address, do at
// once; who tries passwords gets few. Two generations of bounded size; the lock is a
// leaf.
type strangers struct {
	mu          sync.Mutex
	now, before map[netip.Addr]*patience
	since       time.Time
}

// patience is a bucket of questions.
type patience struct {
	left float64
	last time.Time
}

const (
	questions     = 100.0 // that one address may have at once
	questionsRate = 10.0  // a second
	wrongCost     = 25.0  // a wrong password counts as so many
	streamCost    = 0.1   // by a connection, whose address is not forged
	maxStrangers  = 1 << 14
	strangersAge  = time.Minute
)

// allow tells whether an address is given another answer.
func (s *strangers) allow(who netip.Addr, cost float64, now time.Time) bool {
	if who.Is6() { // who has one address of a /64 has all
		if p, err := who.Prefix(64); err == nil {
			who = p.Addr()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || now.Sub(s.since) > strangersAge || len(s.now) >= maxStrangers {
		s.before, s.now, s.since = s.now, map[netip.Addr]*patience{}, now
	}
	p := s.now[who]
	if p == nil {
		if p = s.before[who]; p == nil {
			p = &patience{left: questions, last: now}
		}
		s.now[who] = p
	}
	p.left = min(questions, p.left+now.Sub(p.last).Seconds()*questionsRate)
	p.last = now
	if p.left < cost {
		return false
	}
	p.left -= cost
	return true
}
