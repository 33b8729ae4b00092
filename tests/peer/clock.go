package peer

import (
	"cmp"
	"net/netip"
	"time"
)

// speak sends a packet whenever one is due by the clock, until stop.
func (m *Media) speak(to netip.AddrPort, stop <-chan struct{}) {
	m.mu.Lock()
	if silent := time.Since(m.due); m.due.IsZero() {
		m.due = time.Now()
	} else if n := silent/m.Every + 1; silent > 0 {
		m.due = m.due.Add(n * m.Every)
		m.stamp += uint32(n) * cmp.Or(m.Stride, Frame)
		m.spurt = true
	}
	due := m.due
	m.mu.Unlock()
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		wait.Reset(time.Until(due))
		select {
		case <-stop:
			return
		case <-wait.C:
		}
		m.Send(to)
		due = due.Add(m.Every)
		m.mu.Lock()
		m.due = due
		m.mu.Unlock()
	}
}
