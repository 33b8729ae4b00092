package txn

import (
	"net/netip"
	"sync"
	"time"
)

const (
	outcomeAge   = 10 * time.Minute
	outcomeLimit = 4096
)

// outcomes remembers for ten minutes which UDP targets do not take TCP, so
// that one that swallows SYNs costs its 300 ms once, and which have answered by
// it. Shared by all lanes.
type outcomes struct {
	mu   sync.Mutex
	last map[netip.AddrPort]outcome
}

type outcome struct {
	worked bool
	until  time.Time
}

func (o *outcomes) worthTrying(a netip.AddrPort, now time.Time) bool {
	last, known := o.of(a, now)
	return last.worked || !known
}

func (o *outcomes) proven(a netip.AddrPort, now time.Time) bool {
	last, _ := o.of(a, now)
	return last.worked
}

func (o *outcomes) of(a netip.AddrPort, now time.Time) (last outcome, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if last, known = o.last[a]; known && now.After(last.until) {
		return outcome{}, false
	}
	return last, known
}

func (o *outcomes) note(a netip.AddrPort, worked bool, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last == nil {
		o.last = make(map[netip.AddrPort]outcome)
	}
	if len(o.last) >= outcomeLimit {
		o.makeRoom(now)
	}
	o.last[a] = outcome{worked, now.Add(outcomeAge)}
}

// makeRoom drops what is out of date, and some more if that is not enough.
func (o *outcomes) makeRoom(now time.Time) {
	for a, last := range o.last {
		if now.After(last.until) {
			delete(o.last, a)
		}
	}
	for a := range o.last {
		if len(o.last) < outcomeLimit*3/4 {
			return
		}
		delete(o.last, a)
	}
}
