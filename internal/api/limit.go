package api

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of what one peer, and all together, may take of the server.
const (
	maxConns       = 1024
	maxConnsSource = 128
	maxSources     = 4096 // remembered per generation
	sourceAge      = time.Minute
)

// limiter bounds requests by source: IPv6 by its /64. What it remembers is two
// generations of bounded size.
type limiter struct {
	limit rate.Limit
	burst int
	clock func() time.Time

	mu          sync.Mutex
	now, before map[netip.Prefix]*rate.Limiter
	since       time.Time
}

func newLimiter(perSecond int) *limiter {
	return &limiter{limit: rate.Limit(perSecond), burst: 2 * perSecond, clock: time.Now, now: map[netip.Prefix]*rate.Limiter{}}
}

// site is who counts as one: an IPv4 address, or the /64 of an IPv6 one, of which one host
// has as many addresses as it likes.
func site(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// allow tells whether a source may ask once more.
func (l *limiter) allow(from netip.Addr) bool {
	if l.limit == 0 {
		return true
	}
	key := site(from)
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.clock()
	if len(l.now) >= maxSources || t.Sub(l.since) > sourceAge {
		l.before, l.now, l.since = l.now, map[netip.Prefix]*rate.Limiter{}, t
	}
	b := l.now[key]
	if b == nil {
		if b = l.before[key]; b == nil {
			b = rate.NewLimiter(l.limit, l.burst)
		}
		l.now[key] = b
	}
	return b.AllowN(t, 1)
}

// bound is how many connections there may be, in all and from one source: never so many that
// one source has them all.
func bound(most int) (all, each int) {
	all = maxConns
	if most > 0 {
		all = min(most, maxConns)
	}
	return all, min(maxConnsSource, max(all/4, 1))
}

// bounded is a listener that closes connections beyond its bounds at once, so
// that nobody keeps others out by holding many open.
type bounded struct {
	net.Listener
	most, each int // connections in all, and of one source
	mu         sync.Mutex
	total      int
	sources    map[netip.Prefix]int
}

// Accept returns the next connection within the bounds.
func (l *bounded) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := site(peerOf(c)) // the unix socket's peers count as one
		if l.enter(from) {
			return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		c.Close()
	}
}

// peerOf is the address of a connection's other end; invalid on a unix socket.
func peerOf(c net.Conn) netip.Addr {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().Unmap().WithZone("")
}

func (l *bounded) enter(from netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= l.most || l.sources[from] >= l.each {
		return false
	}
	l.total++
	l.sources[from]++
	return true
}

func (l *bounded) leave(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.sources[from]--; l.sources[from] == 0 {
		delete(l.sources, from)
	}
}

type boundedConn struct {
	net.Conn
	leave func()
}

// Close closes the connection and makes room for another.
func (c *boundedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
