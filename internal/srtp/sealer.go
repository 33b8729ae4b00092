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
	ctx     *srtp.Context
	sources map[uint32]*replays
	reports map[uint32]struct{} // SSRCs of RTCP
	last    *replays            // of the source sealed last
	ssrc    uint32
	header  rtp.Header
	control rtcp.Header
	buf     []byte
}

// NewSealer makes the state of a key; its rollover counters begin at 0.
func NewSealer(k *Key) (*Sealer, error) {
	ctx, err := k.context()
	if err != nil {
		return nil, err
	}
	return &Sealer{ctx: ctx, sources: map[uint32]*replays{}, reports: map[uint32]struct{}{}}, nil
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
	if s.last != nil {
		index = guess(s.last.top, seq)
		if index < 0 || s.last.used(index) {
			return nil, ErrUsed
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
		s.last = newReplays(index)
		s.sources[ssrc] = s.last
	} else {
		s.last.use(index)
	}
	return out, nil
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
