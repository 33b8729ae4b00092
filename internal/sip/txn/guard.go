package txn

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sidetrack/internal/sip"
)

// Rates bound how many requests that begin something are taken per second. What
// belongs to a running dialog of ours is not bounded by Total, so that a flood of new
// calls ends no old one; what only looks so counts as new.
type Rates struct {
	PerSource int // from one address (IPv6: one /64); 0: no limit
	Total     int // from all together; 0: no limit
}

// SetRates replaces Config.Rates from the next message on.
func (l *Layer) SetRates(r Rates) { l.guard.rates.Store(&r) }

// sentence is what happens to a received message.
type sentence int

const (
	admit  sentence = iota
	refuse          // 503 with Retry-After, without a transaction
	drop            // silence; never on a stream, but to scanners
)

const (
	maxSources   = 1 << 16 // remembered per generation
	sourceAge    = 30 * time.Second
	inDialogRate = 10 // times the rate: what belongs to a dialog is cheap, and wanted
)

// scanners are the names by which tools that look for open PBXs call
// themselves. They are not answered: an answer tells them where to go on.
var scanners = []string{"friendly-scanner", "friendly-request", "sipvicious", "sipcli", "sip-scan", "sundayddr", "iwar", "pplsip", "vaxsipuseragent", "sipscan", "svmap", "svwar", "svcrack"}

// guard judges messages before anything is kept of them. It is called by the
// transport's readers; what it remembers of sources is two generations of
// bounded size, so that forged addresses cost no more memory than true ones.
type guard struct {
	rates atomic.Pointer[Rates]

	mu          sync.Mutex
	now, before map[netip.Addr]*source
	since       time.Time
	total       bucket
}

// source is what one address has asked for. A flood of new calls from it does
// not end its running ones.
type source struct{ begins, inDialog bucket }

// bucket is a token bucket that holds one second's worth. Below zero it counts
// what was refused.
type bucket struct {
	tokens float64
	last   time.Time
}

// take takes a token at that rate and tells what is left: below zero there was none.
func (b *bucket) take(rate float64, now time.Time) float64 {
	if b.last.IsZero() {
		b.tokens = rate
	} else {
		b.tokens = min(rate, b.tokens+now.Sub(b.last).Seconds()*rate)
	}
	b.last = now
	b.tokens = max(b.tokens-1, -2*rate-1) // a flood is forgiven three seconds after its end
	return b.tokens
}

// judge says what happens to a message, and why it is not taken. Of a dialog of which
// nothing is known it counts as what begins something, unless we know its sender: he
// may have a subscription that passes us.
func (g *guard) judge(ev *event, from Standing, now time.Time) (s sentence, reason string) {
	m := ev.msg
	if !m.IsRequest() || m.Method == "ACK" || ev.kind == cancels {
		return admit, ""
	}
	counts := ev.kind == begins || ev.kind == foreign && from != Known
	if counts && isScanner(m) {
		return drop, rejectScanner
	}
	if g.idle() || m.Method == "CANCEL" && ev.streams() {
		return admit, ""
	}
	s, reason = g.weigh(g.rates.Load(), ev.flow.Remote.Addr(), counts, now)
	switch {
	case s == drop && ev.streams():
		s = refuse
	case s == refuse && m.Method == "CANCEL":
		s = drop // a 503 would not end what it is about
	}
	return s, reason
}

// idle tells whether nothing is bounded.
func (g *guard) idle() bool {
	rates := g.rates.Load()
	return rates == nil || *rates == (Rates{})
}

// weigh takes a token for a request of that source, and one of all together where it
// counts as what begins something.
func (g *guard) weigh(rates *Rates, from netip.Addr, counts bool, now time.Time) (s sentence, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if rate := float64(rates.PerSource); rate > 0 {
		who := g.source(from, now)
		b := &who.begins
		if !counts {
			b, rate = &who.inDialog, inDialogRate*rate
		}
		switch left := b.take(rate, now); {
		case left < -rate:
			return drop, rejectSourceRate // answers to a forged address would hit its owner
		case left < 0:
			return refuse, rejectSourceRate
		}
	}
	if rate := float64(rates.Total); rate > 0 && counts && g.total.take(rate, now) < 0 {
		return refuse, rejectTotalRate
	}
	return admit, ""
}

// source returns what an address has asked for.
func (g *guard) source(addr netip.Addr, now time.Time) *source {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() { // who has one address of a /64 has all
		if p, err := addr.Prefix(64); err == nil {
			addr = p.Addr()
		}
	}
	if g.now == nil || now.Sub(g.since) > sourceAge || len(g.now) >= maxSources {
		g.before, g.now, g.since = g.now, map[netip.Addr]*source{}, now
	}
	b := g.now[addr]
	if b == nil {
		if b = g.before[addr]; b == nil {
			b = &source{}
		}
		g.now[addr] = b
	}
	return b
}

func isScanner(m *sip.Message) bool {
	agent := strings.ToLower(m.Get("User-Agent"))
	if agent == "" {
		return false
	}
	for _, name := range scanners {
		if strings.Contains(agent, name) {
			return true
		}
	}
	return false
}
