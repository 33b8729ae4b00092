package forker

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

const (
	chunkSize   = 4096 // some 20 packets of G.711
	recordSize  = 16
	spareChunks = 256
	maxSilence  = int64(time.Second) // a longer one counts as this: it takes no memory
)

// record is one packet of a backlog as it came.
type record struct {
	b     []byte // the datagram, in the backlog's memory
	at    int64  // arrival
	clock int64  // clock rate of its payload type at that time
	cut   bool   // a pause lies before it
}

// backlog keeps packets of a Tap that cannot be sent yet, oldest first, in
// chunks that come with the packets and go back when read. The zero value keeps
// nothing. Guarded by the relay's mutex.
type backlog struct {
	store *store
	limit int64 // of span; 0: nothing is kept

	head, tail *chunk
	n          int
	span       int64 // time between oldest and newest, long silences shortened
	first      int64 // arrival of the oldest
	last       int64 // arrival of the newest
	cut        bool  // a pause lies behind the newest
}

// chunk is a piece of a backlog: records from read to written.
type chunk struct {
	next          *chunk
	buf           []byte
	read, written int
}

// store is the memory of all backlogs of an Engine.
type store struct {
	limit int64
	used  atomic.Int64

	mu    sync.Mutex
	spare *chunk // of chunkSize, linked
	n     int    // spare ones
}

// take gives a chunk that holds a record of that size; nil: the limit is reached.
func (s *store) take(size int) *chunk { return s.within(s.limit, size) }

// takeSpare is take for what can be done without: it leaves half of the memory.
func (s *store) takeSpare(size int) *chunk { return s.within(s.limit/2, size) }

func (s *store) within(limit int64, size int) *chunk {
	size = max(size, chunkSize)
	if s.used.Add(int64(size)) > limit {
		s.used.Add(-int64(size))
		return nil
	}
	if c := s.reuse(size); c != nil {
		return c
	}
	return &chunk{buf: make([]byte, size)}
}

func (s *store) reuse(size int) *chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.spare
	if c == nil || size != chunkSize {
		return nil
	}
	s.spare, c.next = c.next, nil
	s.n--
	return c
}

// give takes a chunk back; a few are kept for the next call, more where many
// are in use.
func (s *store) give(c *chunk) {
	used := s.used.Add(-int64(len(c.buf)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(c.buf) != chunkSize || int64(s.n) >= spareChunks+used/chunkSize/4 {
		return
	}
	*c = chunk{next: s.spare, buf: c.buf}
	s.spare = c
	s.n++
}

// full tells whether a packet that comes now would make the backlog longer
// than it may be.
func (q *backlog) full(now int64) bool {
	return q.n > 0 && q.span+between(q.last, now) > q.limit
}

func between(a, b int64) int64 { return min(max(b-a, 0), maxSilence) }

// push appends a copy of the packet with the header h, as b may have another
// tap's already. It is false when there is no memory for it.
func (q *backlog) push(b []byte, h *header, clock, now int64) bool {
	size := recordSize + len(b)
	if q.tail == nil || len(q.tail.buf)-q.tail.written < size {
		c := q.store.take(size)
		if c == nil {
			return false
		}
		if q.tail == nil {
			q.head = c
		} else {
			q.tail.next = c
		}
		q.tail = c
	}
	into := q.tail.buf[q.tail.written:][:size]
	q.tail.written += size
	binary.LittleEndian.PutUint64(into, uint64(now))
	binary.LittleEndian.PutUint32(into[8:], uint32(clock))
	binary.LittleEndian.PutUint16(into[12:], uint16(len(b)))
	into[14] = 0
	if q.cut {
		into[14], q.cut = 1, false
	}
	copy(into[recordSize:], b)
	writeHeader(into[recordSize:], h.pt, h.seq, h.ts, h.ssrc)
	if q.n == 0 {
		q.first = now
	} else {
		q.span += between(q.last, now)
	}
	q.last = now
	q.n++
	return true
}

// peek gives the oldest record, valid until pop; there must be one.
func (q *backlog) peek() record {
	from := q.head.buf[q.head.read:]
	size := int(binary.LittleEndian.Uint16(from[12:]))
	return record{
		b:     from[recordSize:][:size:size],
		at:    int64(binary.LittleEndian.Uint64(from)),
		clock: int64(binary.LittleEndian.Uint32(from[8:])),
		cut:   from[14] != 0,
	}
}

// pop takes the oldest record away and gives back memory that is done with.
func (q *backlog) pop() {
	q.head.read += recordSize + len(q.peek().b)
	if q.head.read == q.head.written {
		done := q.head
		if q.head = done.next; q.head == nil {
			q.tail = nil
		}
		q.store.give(done)
	}
	if q.n--; q.n == 0 {
		q.span = 0
		return
	}
	next := q.peek().at
	q.span -= between(q.first, next)
	q.first = next
}

// clear throws everything away and tells how much that was.
func (q *backlog) clear() (n int) {
	n = q.n
	for q.head != nil {
		c := q.head
		q.head = c.next
		q.store.give(c)
	}
	*q = backlog{store: q.store}
	return n
}
