package srtp

import (
	"encoding/binary"
	"errors"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// Sealer encrypts the packets of one source and its RTCP.
type Sealer struct {
	ctx     *srtp.Context
	index   source
	header  rtp.Header
	control rtcp.Header
	buf     []byte
}

// NewSealer makes the state of a key; its rollover counter begins at 0.
func NewSealer(k *Key) (*Sealer, error) {
	ctx, err := k.context()
	if err != nil {
		return nil, err
	}
	return &Sealer{ctx: ctx}, nil
}

var errExhausted = errors.New("a key may not protect more than 2^48 packets") // RFC 3711 §9.2

// RTP seals a packet. What it returns is valid until the next call; b stays as
// it is.
func (s *Sealer) RTP(b []byte) ([]byte, error) {
	if len(b) < 12 {
		return nil, errors.New("no RTP packet")
	}
	seq, ssrc := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:])
	if !s.index.known || s.index.ssrc != ssrc {
		s.index = source{ssrc: ssrc, known: true, high: int64(seq)}
	}
	index := s.index.guess(seq)
	s.index.advance(index)
	if index < 0 || index >= 1<<48 {
		return nil, errExhausted
	}
	s.ctx.SetROC(ssrc, uint32(index>>16))
	return s.ctx.EncryptRTP(s.room(len(b)), b, &s.header)
}

// RTCP seals a compound packet as SRTCP (RFC 3711 §3.4), under the same terms.
func (s *Sealer) RTCP(b []byte) ([]byte, error) {
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
