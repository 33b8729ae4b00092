package app

import (
	"io"
	"time"

	"sidetrack/internal/api"
	"sidetrack/internal/pcap"
)

var _ api.Ladder = drawn{}

type ladderView struct {
	CallID   string        `json:"call_id"`
	LeftOut  int           `json:"left_out"` // messages that were not kept
	Messages []messageView `json:"messages"`
}

type messageView struct {
	Time      time.Time `json:"time"`
	Direction string    `json:"direction"` // received or sent, by us
	Party     string    `json:"party"`     // caller, callee or SRS of RECORDER
	Proto     string    `json:"proto"`
	From      string    `json:"from"`
	To        string    `json:"to"`
	SIPCallID string    `json:"sip_call_id"`
	Summary   string    `json:"summary"`
	Message   string    `json:"message"`
}

// JSON is the ladder with every message whole.
func (d drawn) JSON() any {
	v := ladderView{CallID: d.id, LeftOut: d.LeftOut, Messages: []messageView{}}
	for _, e := range d.Messages {
		direction := "sent"
		if e.Received {
			direction = "received"
		}
		v.Messages = append(v.Messages, messageView{
			e.Time.UTC(), direction, e.Party, e.Proto, e.From().String(), e.To().String(), e.CallID, e.Summary(), string(e.Data),
		})
	}
	return v
}

// PCAP is the ladder as a capture: every message as a datagram, whatever carried it.
func (d drawn) PCAP(w io.Writer) error {
	p := pcap.NewWriter(w)
	for _, e := range d.Messages {
		if err := p.Write(e.Time, e.From(), e.To(), e.Data); err != nil {
			return err
		}
	}
	return nil
}
