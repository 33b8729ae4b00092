package hep

import (
	"sync"
	"time"
)

const (
	kinKept = 2 * time.Minute // after the end of a dialog: its last messages are repeated so long
	maxKin  = 1 << 18         // dialogs; what would be more has its own Call-ID as correlation
)

// kin knows to which call the dialogs belong that have a Call-ID of their own.
type kin struct {
	now func() time.Time

	mu    sync.Mutex
	calls map[string]string // Call-ID of a dialog → that of the call
	ended []endedKin        // oldest first
}

type endedKin struct {
	id string
	at time.Time
}

func newKin() *kin { return &kin{now: time.Now, calls: map[string]string{}} }

// relate notes that a dialog belongs to a call.
func (k *kin) relate(id, call string) {
	if id == "" || id == call {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tidy()
	if len(k.calls) < maxKin {
		k.calls[id] = call
	}
}

// forget lets a dialog go, a while later.
func (k *kin) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.calls[id]; known {
		k.ended = append(k.ended, endedKin{id, k.now()})
	}
	k.tidy()
}

// clear lets all go.
func (k *kin) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls, k.ended = map[string]string{}, nil
}

// of is the call that a dialog belongs to, else the dialog itself.
func (k *kin) of(id []byte) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if call, ok := k.calls[string(id)]; ok {
		return call
	}
	return string(id)
}

func (k *kin) tidy() {
	n, now := 0, k.now()
	for ; n < len(k.ended) && now.Sub(k.ended[n].at) > kinKept; n++ {
		delete(k.calls, k.ended[n].id)
	}
	if k.ended = k.ended[n:]; len(k.ended) == 0 {
		k.ended = nil
	}
}
