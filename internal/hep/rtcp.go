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
// it has none, or is no RTCP that can be read.
func reportOf(b []byte) []byte {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return nil
	}
	for _, p := range packets {
		var r report
		switch p := p.(type) {
		case *rtcp.SenderReport:
			r = report{SSRC: p.SSRC, Type: rtcp.TypeSenderReport, Blocks: blocks(p.Reports), Sender: &senderInformation{
				uint32(p.NTPTime >> 32), uint32(p.NTPTime), p.RTPTime, p.PacketCount, p.OctetCount,
			}}
		case *rtcp.ReceiverReport:
			r = report{SSRC: p.SSRC, Type: rtcp.TypeReceiverReport, Blocks: blocks(p.Reports)}
		default:
			continue
		}
		r.ReportCount, r.SDESSSRC = len(r.Blocks), r.SSRC
		out, err := json.Marshal(r)
		if err != nil {
			return nil
		}
		return out
	}
	return nil
}

func blocks(in []rtcp.ReceptionReport) []reportBlock {
	out := make([]reportBlock, len(in))
	for i, r := range in {
		out[i] = reportBlock{r.SSRC, r.FractionLost, r.TotalLost, r.LastSequenceNumber, r.Jitter, r.LastSenderReport, r.Delay}
	}
	return out
}
