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
	troubleTTL  = 2 * time.Second // no server answered
	staleFor    = time.Hour       // how long an old answer may stand in while no server answers
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

// put stores a and returns what is to be used: when a only tells of trouble,
// an old answer that may stand in for it stays, and is good for a little while.
func (c *cache) put(q question, a answer, now time.Time) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = make(map[question]answer)
	}
	if old, ok := c.answers[q]; ok && a.err != nil && !old.empty() && now.Before(old.until) {
		old.expires = now.Add(troubleTTL)
		c.answers[q] = old
		return old
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
