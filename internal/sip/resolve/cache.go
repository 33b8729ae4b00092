package resolve

import (
	"net/netip"
	"sync"
	"time"
)

const (
	cacheLimit  = 8192
	minTTL      = time.Second
	maxTTL      = time.Hour
	negativeTTL = 30 * time.Second // a name that does not exist, when the server names no time
	maxNegative = 5 * time.Minute
	troubleTTL  = 2 * time.Second  // no server answered
	doubtFor    = 30 * time.Second // how long after that nobody waits as long for an answer again (RFC 9520 §3.2)
	staleFor    = time.Hour        // how long an old answer may stand in while no server answers
	staleTTL    = 30 * time.Second // how long it does so before it is asked for again (RFC 8767 §5)
	refreshTime = 5 * time.Second  // after which it is asked for once more, if nothing was heard of it
)

// answer is what is known to one question. No records and no error: the name
// does not have any.
type answer struct {
	addrs   []netip.Addr
	srv     []srv
	naptr   []naptr
	err     error // no name server could tell
	expires time.Time
	until   time.Time // how long it may stand in while no server answers
	stands  bool      // it does: no server has answered since it expired
	asked   time.Time // when somebody was last told to ask for it again
}

type srv struct {
	target           string
	port             uint16
	priority, weight uint16
}

type naptr struct {
	service           string // upper case
	name              string // of the SRV records
	order, preference uint16
}

func (a answer) empty() bool { return len(a.addrs)+len(a.srv)+len(a.naptr) == 0 }

// cache holds answers; the zero value is ready.
type cache struct {
	mu      sync.Mutex
	answers map[question]answer
}

// get returns an answer that is still valid.
func (c *cache) get(q question, now time.Time) (answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.answers[q]
	return a, ok && now.Before(a.expires)
}

// standing returns an answer that is not valid any more but stands in, trouble
// included: that a name server cannot tell of one kind of record is not to cost each
// call its time. due tells the first who comes, and again after a while, that it should
// be asked for.
func (c *cache) standing(q question, now time.Time) (a answer, ok, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok = c.answers[q]
	if !ok || !a.stands || !now.Before(a.until) {
		return answer{}, false, false
	}
	if due = now.Sub(a.asked) >= refreshTime; due {
		a.asked = now
		c.answers[q] = a
	}
	return a, true, due
}

// mayStand reports whether there is something to go by if no answer comes soon: an
// old one, or that there was trouble a moment ago.
func (c *cache) mayStand(q question, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.answers[q]
	if a.err != nil {
		return now.Before(a.expires.Add(doubtFor))
	}
	return ok && now.Before(a.until)
}

// late returns what stands in for an answer that does not come soon.
func (c *cache) late(q question, now time.Time) answer {
	c.mu.Lock()
	a, ok := c.answers[q]
	c.mu.Unlock()
	if ok && a.err != nil {
		return a
	}
	return c.put(q, answer{err: errSlow}, now)
}

// put stores a and returns what is to be used: when a only tells of trouble,
// an old answer that may stand in for it stays, and is good for a while. That there
// is no such record is an answer, too.
func (c *cache) put(q question, a answer, now time.Time) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = make(map[question]answer)
	}
	old, known := c.answers[q]
	switch {
	case a.err != nil && known && old.err == nil && now.Before(old.expires):
		return old // it has just come
	case a.err != nil && known && old.err == nil && now.Before(old.until):
		old.expires, old.stands = now.Add(staleTTL), true
		c.answers[q] = old
		return old
	case a.err != nil:
		a.expires, a.stands, a.asked = now.Add(troubleTTL), true, now
	}
	if len(c.answers) >= cacheLimit {
		c.makeRoom(now)
	}
	a.until = a.expires.Add(staleFor)
	c.answers[q] = a
	return a
}

// makeRoom drops what is out of date, and some more if that is not enough.
func (c *cache) makeRoom(now time.Time) {
	for q, a := range c.answers {
		if now.After(a.expires) {
			delete(c.answers, q)
		}
	}
	for q := range c.answers {
		if len(c.answers) < cacheLimit*3/4 {
			return
		}
		delete(c.answers, q)
	}
}
