package hep

import (
	"encoding/json"

	"github.com/pion/rtcp"
)

// report is a sender or receiver report in the words that Homer reads.
type report struct {
	Sender      *senderInformation `json:"sender_information,omitempty"`
	SSRC        uint32             `json:"ssrc"`
	Type        rtcp.PacketType    `json:"type"`
	ReportCount int                `json:"report_count"`
	Blocks      []reportBlock      `json:"report_blocks"`
	SDESSSRC    uint32             `json:"sdes_ssrc"`
}

type senderInformation struct {
	Seconds  uint32 `json:"ntp_timestamp_sec"`
	Fraction uint32 `json:"ntp_timestamp_usec"` // Homer's name; in 2^-32 s, as in the packet
	RTPTime  uint32 `json:"rtp_timestamp"`
	Packets  uint32 `json:"packets"`
	Octets   uint32 `json:"octets"`
}

type reportBlock struct {
	SSRC         uint32 `json:"source_ssrc"`
	FractionLost uint8  `json:"fraction_lost"`
	Lost         uint32 `json:"packets_lost"`
	Highest      uint32 `json:"highest_seq_no"`
	Jitter       uint32 `json:"ia_jitter"`
	LastSR       uint32 `json:"lsr"`
	Delay        uint32 `json:"dlsr"`
}

// reportOf is the report of a compound packet (RFC 3550 §6.4) as JSON; nil when
// it has none, or is no RTCP that can be read. What stands beside the report is
// skipped, whatever it is.
func reportOf(b []byte) []byte {
	for len(b) > 0 {
		var h rtcp.Header
		if h.Unmarshal(b) != nil {
			return nil
		}
		size := 4 * (int(h.Length) + 1)
		if size > len(b) {
			return nil
		}
		if r, ok := read(h.Type, b[:size]); ok {
			out, err := json.Marshal(r)
			if err != nil {
				return nil
			}
			return out
		}
		b = b[size:]
	}
	return nil
}

// read reads one packet of a compound one; false when it is no report.
func read(kind rtcp.PacketType, b []byte) (r report, ok bool) {
	switch kind {
	case rtcp.TypeSenderReport:
		var p rtcp.SenderReport
		if p.Unmarshal(b) != nil {
			return r, false
		}
		r = report{SSRC: p.SSRC, Blocks: blocks(p.Reports), Sender: &senderInformation{
			uint32(p.NTPTime >> 32), uint32(p.NTPTime), p.RTPTime, p.PacketCount, p.OctetCount,
		}}
	case rtcp.TypeReceiverReport:
		var p rtcp.ReceiverReport
		if p.Unmarshal(b) != nil {
			return r, false
		}
		r = report{SSRC: p.SSRC, Blocks: blocks(p.Reports)}
	default:
		return r, false
	}
	r.Type, r.ReportCount, r.SDESSSRC = kind, len(r.Blocks), r.SSRC
	return r, true
}

func blocks(in []rtcp.ReceptionReport) []reportBlock {
	out := make([]reportBlock, len(in))
	for i, r := range in {
		out[i] = reportBlock{r.SSRC, r.FractionLost, r.TotalLost, r.LastSequenceNumber, r.Jitter, r.LastSenderReport, r.Delay}
	}
	return out
}
