package trace

import (
	"container/list"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/s2"
)

// Bounds of what is kept of one dialog, and how long after its end.
const (
	maxMessages = 128
	firstKept   = 32 // of these; what is left out is taken from behind them
	maxBytes    = 256 << 10
	endedKept   = 10 * time.Minute
	shards      = 16
	overhead    = 32 // of a message in memory, beyond its bytes
	sheetSize   = 16 << 10
	vainShare   = 8 // one of so many parts of the memory may have what was never taken: a flood must not displace calls
)

// Message is one SIP message as it passed a socket.
type Message struct {
	Time          time.Time
	Received      bool
	Proto         string // udp, tcp or tls
	Local, Remote netip.AddrPort
	Data          []byte // never changed
}

// Tracer keeps messages by Call-ID. It is safe for concurrent use.
type Tracer struct {
	max    atomic.Int64 // of one shard; 0: nothing is kept
	now    func() time.Time
	seed   maphash.Seed
	shards [shards]shard
	sheet  sheet

	// Owned by Run (pack.go).
	seen    time.Time // who was silent by then has been packed
	dict    *s2.Dict  // nil: nothing has been learned yet
	learned time.Time
	sample  []byte // what is learned from, as long as it is not enough
}

// shard is the dialogs of one part of all Call-IDs.
type shard struct {
	mu      sync.Mutex
	dialogs map[string]*dialog
	live    list.List // of *dialog, the one that was silent longest first
	ended   list.List // likewise
	vain    list.List // likewise, of those that were not taken
	bytes   int64
	wasted  int64 // of bytes, those in vain
}

// sheet is a piece of memory that messages are written into, those of all dialogs one
// after the other: what is said at one time is packed at one time, and so leaves no holes.
type sheet struct {
	mu   sync.Mutex
	free []byte
}

type dialog struct {
	callID   string
	packs    []pack   // what it said first
	said     [][]byte // what it said since: messages as Message.append writes them, on sheets
	bytes    int64
	leftOut  int
	taken    bool // we have said something else than a refusal
	answered bool // an INVITE got its 2xx
	over     bool
	last     time.Time
	in       *list.List
	place    *list.Element // in in
}

// New returns a Tracer that keeps about max bytes.
func New(max int64) *Tracer {
	t := &Tracer{now: time.Now, seed: maphash.MakeSeed()}
	t.max.Store(max / shards)
	for i := range t.shards {
		t.shards[i].dialogs = map[string]*dialog{}
	}
	return t
}

// Resize has the Tracer keep about max bytes from now on; with 0 it forgets
// everything.
func (t *Tracer) Resize(max int64) {
	t.max.Store(max / shards)
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		if max == 0 {
			s.dialogs, s.bytes, s.wasted = map[string]*dialog{}, 0, 0
			s.live.Init()
			s.ended.Init()
			s.vain.Init()
		}
		s.tidy(max/shards, t.now())
		s.mu.Unlock()
	}
}

// Observe takes a message; raw is copied. It takes about a microsecond.
func (t *Tracer) Observe(proto string, local, remote netip.AddrPort, received bool, raw []byte) {
	max := t.max.Load()
	if max == 0 {
		return
	}
	id, kind := scan(raw)
	if len(id) == 0 {
		return
	}
	s := &t.shards[maphash.Bytes(t.seed, id)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.dialogs[string(id)]
	if d == nil {
		if kind != invite {
			return // no call: OPTIONS, REGISTER, junk
		}
		d = &dialog{callID: string(id)}
		s.move(d, &s.vain)
		s.dialogs[d.callID] = d
	}
	now := t.now()
	s.add(d, t.sheet.write(Message{now, received, proto, local, remote, raw}))
	s.turn(d, kind, received, now)
	s.tidy(max, now)
}

// write writes a message, on another sheet when this one has no room.
func (s *sheet) write(m Message) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if most := len(m.Data) + maxHeading; cap(s.free) < most {
		s.free = make([]byte, 0, max(sheetSize, most))
	}
	said := m.append(s.free)
	s.free = said[len(said):]
	return said[:len(said):len(said)]
}

// add keeps a message, at the cost of one in the middle when there are many.
func (s *shard) add(d *dialog, m []byte) {
	d.said = append(d.said, m)
	d.grow(s, cost(m))
	if d.count() <= maxMessages && d.bytes <= maxBytes {
		return
	}
	s.unpack(d)
	for len(d.said) > maxMessages || d.bytes > maxBytes && len(d.said) > 2 {
		i := min(firstKept, len(d.said)/2)
		n := max(1, len(d.said)/8) // several at once: the rest has to move up
		for _, m := range d.said[i : i+n] {
			d.grow(s, -cost(m))
		}
		d.said = slices.Delete(d.said, i, i+n)
		d.leftOut += n
	}
}

// cost is what a written message takes of the memory.
func cost(m []byte) int64 { return int64(len(m)) + overhead }

// count is how many messages are kept.
func (d *dialog) count() int {
	n := len(d.said)
	for _, p := range d.packs {
		n += p.n
	}
	return n
}

func (d *dialog) grow(s *shard, n int64) {
	d.bytes += n
	s.bytes += n
	if d.in == &s.vain {
		s.wasted += n
	}
}

// turn follows whether the dialog lives, and moves it to where it belongs.
func (s *shard) turn(d *dialog, k kind, received bool, now time.Time) {
	switch k {
	case invite:
		d.over = false
	case accepted:
		d.answered, d.over = true, false
	case refused:
		d.over = !d.answered // else a re-INVITE was refused
	case bye:
		d.over = true
	}
	d.last = now
	d.taken = d.taken || !received && k != refused
	switch {
	case !d.taken:
		s.move(d, &s.vain)
	case d.over:
		s.move(d, &s.ended)
	default:
		s.move(d, &s.live)
	}
}

// move puts a dialog at the end of a list.
func (s *shard) move(d *dialog, to *list.List) {
	if d.in == to {
		to.MoveToBack(d.place)
		return
	}
	s.leave(d)
	d.in, d.place = to, to.PushBack(d)
	if to == &s.vain {
		s.wasted += d.bytes
	}
}

// leave takes a dialog off its list.
func (s *shard) leave(d *dialog) {
	if d.in == nil {
		return
	}
	d.in.Remove(d.place)
	if d.in == &s.vain {
		s.wasted -= d.bytes
	}
	d.in = nil
}

// tidy forgets what ended long ago, and whatever is too much: those first that
// were not taken, and those that live last.
func (s *shard) tidy(max int64, now time.Time) {
	for _, l := range [...]*list.List{&s.vain, &s.ended} {
		for e := l.Front(); e != nil && now.Sub(e.Value.(*dialog).last) > endedKept; e = l.Front() {
			s.forget(e)
		}
	}
	for s.wasted > max/vainShare && s.vain.Len() > 1 {
		s.forget(s.vain.Front())
	}
	for s.bytes > max {
		switch {
		case s.vain.Len() > 1 || s.vain.Len() == 1 && s.live.Len() > 0:
			s.forget(s.vain.Front())
		case s.ended.Len() > 0:
			s.forget(s.ended.Front())
		case s.live.Len() > 1:
			s.forget(s.live.Front())
		default:
			return
		}
	}
}

// lists are all of them.
func (s *shard) lists() [3]*list.List { return [...]*list.List{&s.vain, &s.ended, &s.live} }

func (s *shard) forget(e *list.Element) {
	d := e.Value.(*dialog)
	s.leave(d)
	delete(s.dialogs, d.callID)
	s.bytes -= d.bytes
}

// Ladder is the messages of those Call-IDs in order of time. Its messages are
// fit to be shown: what must stay secret is blackened, and numbers and names too
// where redact says so.
func (t *Tracer) Ladder(redact bool, callIDs ...string) Ladder {
	var l Ladder
	slices.Sort(callIDs)
	for _, id := range slices.Compact(callIDs) {
		s := &t.shards[maphash.String(t.seed, id)%shards]
		var packs []pack
		var said [][]byte
		s.mu.Lock()
		if d := s.dialogs[id]; d != nil {
			l.LeftOut += d.leftOut
			packs, said = d.packs, slices.Clone(d.said)
		}
		s.mu.Unlock()
		for _, b := range append(unpacked(packs), said...) {
			m, _ := read(b)
			l.Messages = append(l.Messages, Entry{Message: m, CallID: id})
		}
	}
	slices.SortStableFunc(l.Messages, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	for i := range l.Messages {
		l.Messages[i].Data = blacken(l.Messages[i].Data, redact)
	}
	return l
}
