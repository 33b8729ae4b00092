package txn

import (
	"encoding/base32"
	"encoding/binary"
	"hash/maphash"
	"sync"

	"sidetrack/internal/sip"
)

// What is ours is known before it comes to a lane, so that nobody who sends what only
// looks so, a BYE of no call, an ACK or a response to nothing, goes before those who
// mean it, or past the rates.

// kind is what the transport's readers can tell of a message.
type kind uint8

const (
	running kind = iota // of something that runs: a dialog, an INVITE, a transaction of ours
	begins              // a request that begins something, or a CANCEL of what has not come yet
	cancels             // a CANCEL of something that runs
	foreign             // a request within a dialog of which nothing is known
	stray               // an ACK or a response to nothing; nobody waits for an answer
)

// kindOf tells what a message is, place being the hash of its Call-ID.
func (l *Layer) kindOf(m *sip.Message, lane *Lane, place uint64) kind {
	switch {
	case m.IsResponse():
		if !l.isOurs(m.TopVia().Branch(), m.CallID()) {
			return stray
		}
	case m.Method == "ACK":
		if !lane.runs.has(place) {
			return stray
		}
	case m.ToTag() == "":
		if m.Method == "CANCEL" && lane.runs.has(place) {
			return cancels
		}
		return begins
	case !lane.runs.has(place):
		return foreign
	}
	return running
}

// runs are the Call-IDs of what runs on a lane, by their hash and how often each was
// entered. Readers look them up; the lock is a leaf.
type runs struct {
	mu   sync.Mutex
	open map[uint64]int32
}

func (r *runs) enter(place uint64) {
	r.mu.Lock()
	r.open[place]++
	r.mu.Unlock()
}

func (r *runs) leave(place uint64) {
	r.mu.Lock()
	if r.open[place]--; r.open[place] <= 0 {
		delete(r.open, place)
	}
	r.mu.Unlock()
}

func (r *runs) has(place uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.open[place]
	return ok
}

// Enter says that a dialog or what may become one has that Call-ID, on this lane:
// what belongs to it comes before what begins something, and is spared by
// Rates.Total. Each Enter needs a Leave. INVITEs that we were asked, for as long as
// they are kept, and bound dialogs are entered without it.
func (l *Lane) Enter(callID string) { l.runs.enter(l.layer.place(callID)) }

// Leave ends an Enter.
func (l *Lane) Leave(callID string) { l.runs.leave(l.layer.place(callID)) }

// Entered is how many Call-IDs are entered on the lane, by Enter or without. From any
// goroutine.
func (l *Lane) Entered() int {
	l.runs.mu.Lock()
	defer l.runs.mu.Unlock()
	return len(l.runs.open)
}

// place is the hash by which a Call-ID has its lane.
func (l *Layer) place(callID string) uint64 { return maphash.String(l.seed, callID) }

const sealLength = 8

var sealEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newBranch makes the branch of a request of ours. It ends in a seal over itself and
// the Call-ID, by which a response is known without a table.
func (l *Layer) newBranch(callID string) string {
	branch := sip.NewBranch()
	seal := l.seal(branch, callID)
	return branch + string(seal[:])
}

// isOurs tells whether we have made a branch, for a request of that Call-ID.
func (l *Layer) isOurs(branch, callID string) bool {
	n := len(branch) - sealLength
	if n <= 0 {
		return false
	}
	seal := l.seal(branch[:n], callID)
	return string(seal[:]) == branch[n:]
}

// seal is a keyed hash. It keeps out who has seen none of our requests; who has could
// as well repeat a branch of theirs, and finds no transaction.
func (l *Layer) seal(branch, callID string) (seal [sealLength]byte) {
	var sum [8]byte
	binary.NativeEndian.PutUint64(sum[:], l.hash(0, "branch", branch, callID).a)
	sealEncoding.Encode(seal[:], sum[:5])
	return seal
}
