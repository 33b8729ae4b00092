//go:build linux

package traffic

import (
	"encoding/binary"
	"slices"
	"time"
)

// clock is what is known of the clock of a copy: its timestamps, and what its sender reports make of them.
type clock struct {
	id, ssrc uint32
	shift    uint32 // timestamp of the copy minus that of the packet
	slips    int    // packets after which shift was another one
	number   uint32 // of the newest copy, as sent and stamp
	sent     int64
	stamp    uint32
	off      []time.Duration // of each report: the time that it gives to a packet minus the one at which it was sent
}

// copied takes note of the clock of a copy.
func (l *Load) copied(s *in, id, number uint32, sent int64, b []byte) {
	ssrc, stamp := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[4:])
	shift := stamp - number*160
	c := s.clock
	if c == nil || c.ssrc != ssrc {
		c = &clock{id: id, ssrc: ssrc, shift: shift}
		s.clock, l.clocks[ssrc] = c, c
	}
	if c.shift != shift {
		c.slips++
		c.shift = shift
	}
	c.number, c.sent, c.stamp = number, sent, stamp
}

// reported takes a sender report (RFC 3550 §6.4.1) of a copy.
func (l *Load) reported(b []byte) {
	if len(b) < 28 || b[1] != 200 {
		return
	}
	c := l.clocks[binary.BigEndian.Uint32(b[4:])]
	if c == nil || c.sent == 0 {
		return
	}
	const unixEpoch = 2208988800
	seconds, fraction := int64(binary.BigEndian.Uint32(b[8:]))-unixEpoch, int64(binary.BigEndian.Uint32(b[12:]))
	said := seconds*int64(time.Second) + fraction*int64(time.Second)>>32
	ticks := int64(int32(binary.BigEndian.Uint32(b[16:]) - c.stamp))
	c.off = append(c.off, time.Duration(said-c.sent-ticks*int64(time.Second)/8000))
}

// Clocks is what the sender reports of a call's two directions show. A report is late by as much as the packet before it
// was on its way, and early by as much as the next one left too late, so the middle ones are compared.
type Clocks struct {
	Reports int           // of the direction that has fewer
	Apart   time.Duration // what the directions are apart by them
	Drift   time.Duration // how much more in the second half than in the first
}

// Slips is how many copies came with another distance to the party's clock than the one before, within one recording.
func (l *Load) Slips() (n int) {
	for _, c := range l.clocks {
		n += c.slips
	}
	return n
}

// Clocks judges the newest recording of a call, after Close.
func (l *Load) Clocks(call int) (c Clocks) {
	a, b := l.heard[Recorder][2*call].clock, l.heard[Recorder][2*call+1].clock
	if a == nil || b == nil {
		return c
	}
	if c.Reports = min(len(a.off), len(b.off)); c.Reports < 2 {
		return c
	}
	c.Apart = (median(a.off) - median(b.off)).Abs()
	grown := func(off []time.Duration) time.Duration {
		return median(off[len(off)/2:]) - median(off[:len(off)/2])
	}
	c.Drift = (grown(a.off) - grown(b.off)).Abs()
	return c
}

func median(of []time.Duration) time.Duration { return slices.Sorted(slices.Values(of))[len(of)/2] }
