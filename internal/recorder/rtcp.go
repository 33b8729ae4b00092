package recorder

import (
	"time"

	"github.com/pion/rtcp"
)

// control handles one compound RTCP packet. mu is held.
func (s *stream) control(b []byte, at time.Duration) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		s.badRTCP++
		return
	}
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			s.senderReport(p, at)
		case *rtcp.Goodbye:
			for _, ssrc := range p.Sources {
				s.rx.goodbye(ssrc)
			}
		}
	}
}

func (s *stream) senderReport(sr *rtcp.SenderReport, at time.Duration) {
	c := s.rx.current
	if c == nil || c.ssrc != sr.SSRC {
		return
	}
	c.report.senderNTP, c.report.senderAt, c.report.hasSender = uint32(sr.NTPTime>>16), at, true
	if pos, ok := s.track.time.at(sr.RTPTime); ok {
		s.align.learn(sr.NTPTime, pos, at.Seconds())
	}
}

// sendReport sends a receiver report with our CNAME (RFC 3550 §6.4.2, §6.5.1).
func (s *stream) sendReport(cname string) {
	b, ok := s.report(cname)
	if !ok {
		return
	}
	s.mu.Lock()
	to := s.reports
	s.mu.Unlock()
	if to.IsValid() {
		// Not delivered is not received: RTCP needs no more than to be tried.
		_, _ = s.rtcp.WriteToUDPAddrPort(b, to)
	}
}

func (s *stream) report(cname string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rr := &rtcp.ReceiverReport{SSRC: s.ssrc}
	if c := s.rx.current; c != nil && c.started {
		rr.Reports = []rtcp.ReceptionReport{c.reception(s.now())}
	}
	b, err := rtcp.Marshal([]rtcp.Packet{rr, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: s.ssrc,
		Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: cname}},
	}}}})
	if err != nil {
		return nil, false
	}
	return s.crypt.seal(b)
}

// reception is the report block of the source.
func (c *sequencer) reception(now time.Duration) rtcp.ReceptionReport {
	r := &c.report
	expected := c.top - c.base + 1
	block := rtcp.ReceptionReport{
		SSRC: c.ssrc,
		// 24 bits; negative totals, from duplicates, are reported as 0.
		TotalLost:          uint32(max(0, min(0x7fffff, expected-r.received))),
		FractionLost:       r.lostSince(expected),
		LastSequenceNumber: uint32(c.top - 1<<16),
		Jitter:             uint32(r.jitter),
	}
	if r.hasSender {
		block.LastSenderReport = r.senderNTP
		block.Delay = uint32((now - r.senderAt) * 65536 / time.Second)
	}
	return block
}
