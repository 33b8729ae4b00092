package recorder

import (
	"slices"
	"time"
)

const (
	reorderDepth = 32                     // packets that wait for a missing one
	reorderHold  = 500 * time.Millisecond // and how long, told by later arrivals
	startDepth   = 4                      // packets seen before the first is taken as the first
	startHold    = 100 * time.Millisecond
	maxDropout   = 3000 // RFC 3550 A.1: a jump further ahead is a restart
	maxMisorder  = 100  // and one further back
	seenWindow   = 1024 // sequence numbers for which duplicates are known
)

// counters are what a receiver counts over all sources of its stream.
type counters struct {
	packets, octets      uint64
	lost, late           uint64
	duplicate, reordered uint64
	malformed, foreign   uint64
	sources, restarts    uint64
}

// sequencer puts the packets of one source in order. Sequence numbers are
// extended to 64 bits and start at 65536 or more, so that none is negative.
type sequencer struct {
	ssrc    uint32
	started bool
	next    int64 // the extended sequence number to be delivered next
	base    int64 // the first one
	top     int64 // the highest seen
	topTS   uint32
	topAt   time.Duration // when it came
	waiting []held
	seen    [seenWindow / 64]uint64
	restart held // first packet of what may be a new numbering
	last    time.Duration
	ended   bool // RTCP BYE
	report  reception
	n       *counters
	deliver func(p *packet, lost uint64) // lost: packets missing just before p
}

// held is a packet that waits, with its extended sequence number.
type held struct {
	packet
	ext int64
}

func (s *sequencer) receive(p *packet) {
	s.last = p.at
	s.report.received++
	if !s.started {
		s.collect(p)
		return
	}
	delta := int64(int16(p.seq - uint16(s.next)))
	ext := s.next + delta
	switch {
	case delta > maxDropout || delta < -maxMisorder && !s.wasSeen(ext):
		s.renumber(p)
		return
	case s.wasSeen(ext):
		s.n.duplicate++
	case delta < 0:
		s.tooLate(ext)
	case delta == 0:
		s.take(p, ext)
		s.pass(p, 0)
		s.drain(false)
	default:
		s.take(p, ext)
		s.wait(held{p.own(), ext})
	}
	s.restart.raw = nil
	s.hurry(p.at)
}

// collect waits for the first few packets, so that a source whose second packet
// overtakes the first does not lose the first.
func (s *sequencer) collect(p *packet) {
	ext := int64(p.seq) + 1<<16
	if len(s.waiting) > 0 {
		first := s.waiting[0].ext
		ext = first + int64(int16(p.seq-uint16(first)))
		if d := ext - first; d > maxDropout || d < -maxMisorder {
			s.begin()
			s.receive(p)
			s.report.received--
			return
		}
	}
	if s.wasSeen(ext) {
		s.n.duplicate++
		return
	}
	s.take(p, ext)
	s.wait(held{p.own(), ext})
	if len(s.waiting) >= startDepth || p.at-s.waiting[0].at > startHold {
		s.begin()
	}
}

// begin takes the lowest packet collected as the first. It came no later than any of
// its successors, whatever the order of arrival says.
func (s *sequencer) begin() {
	if len(s.waiting) == 0 {
		return
	}
	s.started = true
	s.base, s.next = s.waiting[0].ext, s.waiting[0].ext
	for _, h := range s.waiting {
		s.waiting[0].at = min(s.waiting[0].at, h.at)
	}
	s.drain(false)
}

// take counts a packet that will be delivered.
func (s *sequencer) take(p *packet, ext int64) {
	if ext < s.top {
		s.n.reordered++
	} else {
		s.topTS, s.topAt = p.ts, p.at
	}
	s.mark(ext)
}

// wait puts a packet in its place in the queue.
func (s *sequencer) wait(h held) {
	i := len(s.waiting)
	for i > 0 && s.waiting[i-1].ext > h.ext {
		i--
	}
	s.waiting = slices.Insert(s.waiting, i, h)
}

// hurry gives a missing packet up when too many wait for it or for too long.
func (s *sequencer) hurry(now time.Duration) {
	for len(s.waiting) > reorderDepth || len(s.waiting) > 0 && now-s.waiting[0].at > reorderHold {
		s.skip()
		s.drain(false)
	}
}

// skip takes what is missing before the first waiting packet for lost.
func (s *sequencer) skip() {
	lost := uint64(s.waiting[0].ext - s.next)
	s.next = s.waiting[0].ext
	s.n.lost += lost
	s.shift(lost)
}

// drain delivers what waits and is due; with all set, over every gap.
func (s *sequencer) drain(all bool) {
	for len(s.waiting) > 0 {
		switch {
		case s.waiting[0].ext == s.next:
			s.shift(0)
		case all:
			s.skip()
		default:
			return
		}
	}
}

// shift delivers the first waiting packet.
func (s *sequencer) shift(lost uint64) {
	p := s.waiting[0].packet
	s.waiting = slices.Delete(s.waiting, 0, 1)
	s.pass(&p, lost)
}

func (s *sequencer) pass(p *packet, lost uint64) {
	s.next++
	s.n.packets++
	s.n.octets += uint64(p.to - p.from)
	s.deliver(p, lost)
}

// flush delivers everything that waits; the source has ended.
func (s *sequencer) flush() {
	if !s.started {
		s.begin()
	}
	s.drain(true)
}

// tooLate is a packet whose place was passed: counted as lost until now, unless
// it lies before the first one.
func (s *sequencer) tooLate(ext int64) {
	s.mark(ext)
	s.n.late++
	if ext > s.base && s.n.lost > 0 {
		s.n.lost--
	}
}

// renumber follows a source that starts its numbering anew under the same SSRC:
// two packets in sequence are believed (RFC 3550 A.1).
func (s *sequencer) renumber(p *packet) {
	if s.restart.raw == nil || p.seq != s.restart.seq+1 {
		if s.restart.raw != nil {
			s.n.foreign++
		}
		s.restart = held{packet: p.own()}
		return
	}
	first := s.restart.packet
	s.flush()
	s.restart.raw = nil
	if n := s.outage(&first, p); n > 0 {
		s.take(&first, s.top+n)
		s.wait(held{first, s.top})
		s.skip()
		s.receive(p)
		s.report.received-- // it was counted before
		return
	}
	s.n.restarts++
	s.started, s.waiting, s.seen = false, s.waiting[:0], [seenWindow / 64]uint64{}
	s.top, s.report = 0, reception{}
	s.receive(&first)
	s.receive(p)
}

// Packets of an audio stream come this far from each other, if they come.
const (
	leastSpacing = 2500 * time.Microsecond
	mostSpacing  = 200 * time.Millisecond
)

// outage is how many numbers behind the top a packet lies that is far ahead only because
// so much has been lost: number and timestamp have counted on alike, at the pace that its
// successor shows, for about as long as nothing came. 0: it is no such packet.
func (s *sequencer) outage(p, successor *packet) int64 {
	step, ahead := successor.ts-p.ts, p.ts-s.topTS
	if step == 0 || ahead%step != 0 {
		return 0
	}
	n, passed := int64(ahead/step), p.at-s.topAt
	if uint16(n) != p.seq-uint16(s.top) || passed < time.Duration(n)*leastSpacing || passed > time.Duration(n)*mostSpacing {
		return 0
	}
	return n
}

func (s *sequencer) wasSeen(ext int64) bool {
	if ext > s.top || ext <= s.top-seenWindow {
		return false
	}
	i := ext % seenWindow
	return s.seen[i/64]&(1<<(i%64)) != 0
}

// mark remembers a sequence number as seen.
func (s *sequencer) mark(ext int64) {
	if ext <= s.top-seenWindow {
		return
	}
	if s.top == 0 || ext-s.top >= seenWindow {
		s.seen = [seenWindow / 64]uint64{}
	} else {
		for i := s.top + 1; i < ext; i++ {
			s.seen[i%seenWindow/64] &^= 1 << (i % 64)
		}
	}
	s.top = max(s.top, ext)
	s.seen[ext%seenWindow/64] |= 1 << (ext % 64)
}
