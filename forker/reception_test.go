package forker_test

import (
	"testing"
	"time"

	pionrtcp "github.com/pion/rtcp"

	"sidetrack/forker"
)

// What the recorder reports shows in the stats; what another host says of the
// copy, or the recorder of another source, does not.
func TestReceiverReports(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, evil, tap := newPeer(t, srsHost), newPeer(t, evilHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), srs.addr(), pcmu)
		c.pass(1, 3)
		srs.sequel(3)
		_, to := tap.Local()
		report := func(ssrc uint32, lost uint32) []byte {
			b, err := pionrtcp.Marshal([]pionrtcp.Packet{&pionrtcp.ReceiverReport{SSRC: 5, Reports: []pionrtcp.ReceptionReport{
				{SSRC: ssrc, FractionLost: 64, TotalLost: lost, Jitter: 40},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		ssrc := tap.Stats().SSRC
		evil.send(to, report(ssrc, 99))
		srs.send(to, report(ssrc+1, 98))
		srs.send(to, report(ssrc, 2))
		stranger, err := pionrtcp.Marshal([]pionrtcp.Packet{&pionrtcp.ReceiverReport{SSRC: 6, Reports: []pionrtcp.ReceptionReport{{SSRC: ssrc, TotalLost: 97}}}})
		if err != nil {
			t.Fatal(err)
		}
		srs.send(to, stranger) // of whoever has the recorder's ports now
		eventually(t, "report taken", func() bool { return tap.Stats().RRs == 1 })
		s := tap.Stats()
		if s.FractionLost != 0.25 || s.CumulativeLost != 2 || s.Jitter != 5*time.Millisecond || s.RTT != 0 ||
			time.Since(s.LastRR).Abs() > patience || s.RTCPIn != 2 {
			t.Errorf("%+v", s)
		}
		eventually(t, "the stranger", func() bool { return tap.Stats().RTCPOther == 1 })
		tap.SendTo(srs.addr(), srs.addr(), pcmu) // agreed anew: whoever speaks first is the recorder
		srs.send(to, stranger)
		eventually(t, "report of the recorder of now", func() bool { return tap.Stats().RRs == 2 && tap.Stats().RTCPOther == 1 })
	})
}
