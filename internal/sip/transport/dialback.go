package transport

import "net/netip"

const (
	maxBack       = 256 // attempts of DialBack at once
	backPerSource = 8   // of these to one source
)

// backs counts the attempts of DialBack that are under way, by sourceOf.
type backs struct {
	all    int
	source map[netip.Addr]int
}

// DialBack is Dial for a response whose connection is gone (RFC 3261 §18.2.2). That
// it is needed, and to which port, is in the hands of whoever has sent the request.
// So the attempts at once are bounded (ErrBusy), and the connection is taken for one
// that the peer has made: it counts to Limits, and ends if nothing is said on it.
func (t *Layer) DialBack(f Flow, done func(Flow, error)) {
	t.dial(dialKey{Flow: f.path(), timeout: t.cfg.DialTimeout, back: true}, done)
}

// mayDialBack takes a place for an attempt. The caller holds mu.
func (t *Layer) mayDialBack(f Flow) bool {
	source := sourceOf(f.Remote.Addr())
	if t.reusable[f] == nil && (t.backs.all >= maxBack || t.backs.source[source] >= backPerSource) {
		return false
	}
	t.backs.all++
	t.backs.source[source]++
	return true
}

// dialedBack gives the place back. The caller holds mu.
func (t *Layer) dialedBack(f Flow) {
	source := sourceOf(f.Remote.Addr())
	t.backs.all--
	if t.backs.source[source]--; t.backs.source[source] <= 0 {
		delete(t.backs.source, source)
	}
}
