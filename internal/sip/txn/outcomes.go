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
// that one that swallows SYNs costs its 300 ms once. Shared by all lanes.
type outcomes struct {
	mu    sync.Mutex
	until map[netip.AddrPort]time.Time // refusals
}

func (o *outcomes) worthTrying(a netip.AddrPort, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	until, refused := o.until[a]
	return !refused || now.After(until)
}

func (o *outcomes) note(a netip.AddrPort, worked bool, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if worked {
		delete(o.until, a)
		return
	}
	if o.until == nil {
		o.until = make(map[netip.AddrPort]time.Time)
	}
	if len(o.until) >= outcomeLimit {
		o.makeRoom(now)
	}
	o.until[a] = now.Add(outcomeAge)
}

// makeRoom drops what is out of date, and some more if that is not enough.
func (o *outcomes) makeRoom(now time.Time) {
	for a, until := range o.until {
		if now.After(until) {
			delete(o.until, a)
		}
	}
	for a := range o.until {
		if len(o.until) < outcomeLimit*3/4 {
			return
		}
		delete(o.until, a)
	}
}
