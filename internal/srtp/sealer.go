package srtp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// Sealer encrypts what leaves under one key: the packets of a few sources and
// their RTCP. A packet index is never used twice, for two packets under one
// index give both away (RFC 3711 §9.1, RFC 7714 §8.4).
type Sealer struct {
	// Renumber has a source that begins its sequence numbers anew under its SSRC go
	// on after its newest one: who opens SRTP would take it for a replay. Without it
	// nothing of it is sealed until it has caught up.
	Renumber bool

	ctx     *srtp.Context
	sources map[uint32]*sealed
	reports map[uint32]struct{} // SSRCs of RTCP
	last    *sealed             // of the source sealed last
	ssrc    uint32
	header  rtp.Header
	control rtcp.Header
	buf     []byte
	own     []byte // a packet with another number
}

// NewSealer makes the state of a key; its rollover counters begin at 0.
func NewSealer(k *Key) (*Sealer, error) {
	ctx, err := k.context()
	if err != nil {
		return nil, err
	}
	return &Sealer{ctx: ctx, sources: map[uint32]*sealed{}, reports: map[uint32]struct{}{}}, nil
}

// Errors of Sealer.
var (
	ErrUsed      = errors.New("index used before: a packet repeated, or a source that began anew")
	ErrExhausted = errors.New("the key may not protect more") // RFC 3711 §9.2
)

// RTP seals a packet. What it returns is valid until the next call; b stays as
// it is.
func (s *Sealer) RTP(b []byte) ([]byte, error) {
	if len(b) < 12 {
		return nil, errors.New("no RTP packet")
	}
	seq, ssrc := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:])
	index := int64(seq)
	if s.last == nil || s.ssrc != ssrc {
		s.last, s.ssrc = s.sources[ssrc], ssrc
	}
	if l := s.last; l != nil {
		index = guess(l.top, seq+l.shift)
		used := index < 0 || l.used(index)
		switch {
		case !used && (!s.Renumber || l.top-index < tooLate):
			l.late(seq, index)
		case s.Renumber && l.restarted(seq, l.top-index):
			index = l.top + 1
			l.shift = uint16(index) - seq
		default:
			return nil, ErrUsed
		}
		if l.shift != 0 {
			s.own = append(s.own[:0], b...)
			binary.BigEndian.PutUint16(s.own[2:], uint16(index))
			b = s.own
		}
	}
	if index >= 1<<48 || s.last == nil && len(s.sources) >= maxStreams {
		return nil, ErrExhausted
	}
	s.ctx.SetROC(ssrc, uint32(index>>16))
	out, err := s.ctx.EncryptRTP(s.room(len(b)), b, &s.header)
	if err != nil {
		return nil, fmt.Errorf("sealing RTP: %w", err)
	}
	if s.last == nil {
		s.last = &sealed{replays: *newReplays(index)}
		s.sources[ssrc] = s.last
	} else {
		s.last.use(index)
	}
	return out, nil
}

// RolledOver tells whether the rollover counter of a source is above 0.
func (s *Sealer) RolledOver() bool {
	for _, l := range s.sources {
		if l.top>>16 > 0 {
			return true
		}
	}
	return false
}

// sealed is one source under a key.
type sealed struct {
	replays
	shift uint16 // sequence number that leaves minus the one that came
	run   int    // packets in a row that have no index, each the next of the one before
	next  uint16 // that would go on with the run
}

// When a source has begun anew rather than that its packets are late or come twice
// (RFC 3550 appendix A.1): after so many in a row, fewer where no packet is so late.
const (
	tooLate    = 64 // packets behind the newest that nobody need take (RFC 3711 §3.3.2)
	misorder   = 100
	restartFar = 2
	restart    = 5
)

// restarted takes a packet that is too late, or whose index, so far behind the
// newest, is used up, and tells whether its source has begun anew.
func (s *sealed) restarted(seq uint16, behind int64) bool {
	if s.run == 0 || seq != s.next {
		s.run = 0
	}
	s.run++
	s.next = seq + 1
	if s.run < restartFar || behind <= misorder && s.run < restart {
		return false
	}
	s.run = 0
	return true
}

// late ends the run with a packet that has an index, unless one that goes on with
// it and is late, too: who has begun anew a little behind comes by numbers that
// were never used before it comes to those that were.
func (s *sealed) late(seq uint16, index int64) {
	if s.run > 0 && seq == s.next && index < s.top {
		s.next++
		return
	}
	s.run = 0
}

// RTCP seals a compound packet as SRTCP (RFC 3711 §3.4), under the same terms.
func (s *Sealer) RTCP(b []byte) ([]byte, error) {
	if len(b) < 8 {
		return nil, errors.New("no RTCP packet")
	}
	ssrc := binary.BigEndian.Uint32(b[4:])
	if _, known := s.reports[ssrc]; !known && len(s.reports) >= maxStreams {
		return nil, ErrExhausted
	}
	s.reports[ssrc] = struct{}{}
	return s.ctx.EncryptRTCP(s.room(len(b)), b, &s.control)
}

// overhead is more than tag, MKI and SRTCP index take.
const overhead = 192

func (s *Sealer) room(n int) []byte {
	if cap(s.buf) < n+overhead {
		s.buf = make([]byte, 2*n+overhead)
	}
	return s.buf[:0]
}
