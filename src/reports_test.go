package src_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"sidetrack/tests/peer"
)

// report has the SRS send a receiver report for a stream.
func (m *moved) report(t *testing.T, label string) {
	t.Helper()
	m.reportAs(t, label, 1)
}

// reportAs does so under that SSRC.
func (m *moved) reportAs(t *testing.T, label string, ssrc uint32) {
	t.Helper()
	from, to, b := m.reportOf(t, label, ssrc)
	from.SendRTCP(to, b)
}

// reportOf is such a report, and its way.
func (m *moved) reportOf(t *testing.T, label string, ssrc uint32) (from *peer.Media, to netip.AddrPort, b []byte) {
	t.Helper()
	about := rtcp.ReceptionReport{SSRC: m.s.Streams[label].Packets()[0].SSRC}
	b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: ssrc, Reports: []rtcp.ReceptionReport{about}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, media := range m.s.Offer().Media {
		if media.Label == label {
			to = media.RTCPAddr()
		}
	}
	return m.s.Streams[label], to, b
}

// reported is a call whose SRS has the habit of reporting, more than once a second.
func reported(t *testing.T, opts ...func(*setup)) *moved {
	t.Helper()
	m := midCall(t, "udp", 2, opts...)
	for range 6 { // three are a habit; on a busy machine two may be seen as one
		m.report(t, "1")
		m.c.spoken(100)
	}
	return m
}

// reporting has the SRS report ten times a second until the test ends, or the function that it gives is called.
func (m *moved) reporting(t *testing.T) (stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	from, to, b := m.reportOf(t, "1", 1)
	done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			from.SendRTCP(to, b)
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	})
	stop = sync.OnceFunc(func() { close(quit); done.Wait() })
	t.Cleanup(stop)
	return stop
}

// An SRS whose reports stay away is asked long before its time, and left when it does not answer.
func TestReportsStayAway(t *testing.T) {
	longChecks := func(s *setup) { s.recorder.Check = time.Hour }
	t.Run("it answers", func(t *testing.T) {
		t.Parallel()
		m := reported(t, longChecks)
		m.recs[0].Expect("OPTIONS").Reply(200)
		hears(t, m.c, m.s)
		m.c.spoken(100)
		if in := m.recs[0].Maybe("OPTIONS", 0); in != nil {
			t.Error("asked twice about one silence")
		}
		finish(t, m.c, m.s)
	})
	t.Run("it is gone", func(t *testing.T) {
		t.Parallel()
		m := reported(t, longChecks, brisk, timeout(1500*time.Millisecond))
		m.recs[0].Expect("OPTIONS")
		m.s.ExpectUpdate() // for it has never answered OPTIONS
		to := m.arrives(t, m.recs[1])
		together(t, m.c, m.s, to)
		finish(t, m.c, to)
	})
	t.Run("it must report", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 2, func(s *setup) { s.recorder.RTCPTimeout = 2 * time.Second })
		m.recs[0].Expect("OPTIONS").Reply(200)
		m.recs[1].AutoReply("OPTIONS", 200)
		bye := m.s.Dialog.Expect("BYE")
		bye.Reply(200)
		next := &moved{s: m.recs[1].Accept()}
		next.s.Streams["1"].AwaitFrom("caller", 0, 1)
		next.reporting(t) // or it is left as well
		hears(t, m.c, next.s)
		together(t, m.c, m.s, next.s)
		m.c.end()
		next.s.End()
	})
	t.Run("on hold there is nothing to report", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 2, func(s *setup) { s.recorder.RTCPTimeout = time.Second })
		m.recs[0].AutoReply("OPTIONS", 200)
		stop := m.reporting(t)
		m.c.hold(true)
		m.s.Update()
		stop()
		m.c.spoken(500)
		if in := m.recs[0].Maybe("BYE", 0); in != nil {
			t.Error("left for want of reports")
		}
		finish(t, m.c, m.s)
	})
}
