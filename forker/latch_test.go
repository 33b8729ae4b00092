package forker_test

import (
	"testing"
	"time"

	"sidetrack/forker"
)

// Nothing passes before SDP has named the sender.
func TestEarlyMediaIsDropped(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		r := openRelay(t, newEngine(t, cfg))
		a, b := newPeer(t, callerHost), newPeer(t, calleeHost)
		toB, _ := r.Local(forker.SideB, 0)
		r.SetRemote(forker.SideA, 0, audio(a.addr()))
		b.send(toB, rtp(0, 1, 0, 1))
		eventually(t, "early counted", func() bool { return r.Stats().Streams[0].Flows[forker.BA].Early == 1 })
		a.silent()
		r.SetRemote(forker.SideB, 0, audio(b.addr()))
		p := rtp(0, 2, 0, 1)
		b.send(toB, p)
		a.want(p)
	})
}

// A phone behind NAT sends from another port than it says: believed at once,
// and answered there.
func TestNATOtherPort(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		nat := newPeer(t, callerHost)
		p, q := rtp(0, 1, 0, 1), rtp(0, 1, 0, 2)
		nat.send(c.toA, p)
		c.callee.want(p)
		c.callee.send(c.toB, q)
		nat.want(q)
		if f := c.flow(forker.AB); !f.Latched || f.Remote != nat.addr() {
			t.Errorf("%+v", f)
		}
	})
}

// A phone behind NAT sends from another host: believed after a run of packets,
// as long as the signalled address stays silent.
func TestNATOtherHost(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		nat := newPeer(t, natHost)
		seq := uint16(0)
		eventually(t, "foreign host latched", func() bool {
			nat.send(c.toA, rtp(0, seq, 160*uint32(seq), 1))
			seq++
			time.Sleep(10 * time.Millisecond)
			return c.flow(forker.AB).Latched
		})
		got, _ := c.callee.recv()
		if n := got[3]; n < 3 {
			t.Errorf("packet %d was passed on before the host was believed", n)
		}
		q := rtp(0, 1, 0, 2)
		c.callee.send(c.toB, q)
		nat.want(q)
	})
}

// Where SDP names the host that signalling comes from there is no NAT, and no other host is believed, unless the
// configuration has it so.
func TestNoNATNoOtherHost(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		for _, anywhere := range []bool{false, true} {
			cfg.LatchAnywhere = anywhere
			cfg.PortMin, cfg.PortMax = portRange(16)
			c := newCall(t, newEngine(t, cfg))
			remote := audio(c.caller.addr())
			remote.Source = c.caller.addr().Addr()
			c.relay.SetRemote(forker.SideA, 0, remote)
			other := newPeer(t, natHost)
			seq := uint16(0)
			eventually(t, "all tries of another host", func() bool {
				other.send(c.toA, rtp(0, seq, 160*uint32(seq), 1))
				seq++
				time.Sleep(10 * time.Millisecond)
				return c.flow(forker.AB).Latched || c.flow(forker.AB).Strangers > 64
			})
			if got := c.flow(forker.AB).Latched; got != anywhere {
				t.Errorf("latched %v, with LatchAnywhere %v", got, anywhere)
			}
			if !anywhere {
				c.callee.silent()
				p := rtp(0, 1, 0, 2)
				c.caller.send(c.toA, p)
				c.callee.want(p)
			}
		}
	})
}

// The host that signalling came from is believed at once.
func TestNATSignallingHost(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		nat := newPeer(t, natHost)
		remote := audio(c.caller.addr())
		remote.Source = nat.addr().Addr()
		c.relay.SetRemote(forker.SideA, 0, remote)
		p := rtp(0, 1, 0, 1)
		nat.send(c.toA, p)
		c.callee.want(p)
	})
}

// A stranger at ten times the rate, before and after the party speaks: not one
// of his bytes reaches the callee or the recorder.
func TestStrangerIsKeptOut(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), srs.addr(), pcmu)
		evil := newPeer(t, evilHost)
		spray := func(n int) {
			for i := range n {
				evil.send(c.toA, rtp(0, uint16(i), 0, 666))
				evil.send(c.toB, rtp(0, uint16(i), 0, 666))
			}
		}
		spray(10)
		for i := range uint16(20) {
			p := rtp(0, i, 160*uint32(i), 1)
			c.caller.send(c.toA, p)
			spray(10)
			c.callee.want(p)
			if got, _ := srs.recv(); got[21] != p[21] {
				t.Fatalf("recorder got % x", got)
			}
		}
		eventually(t, "strangers counted", func() bool {
			return c.flow(forker.AB).Strangers == 210 && c.flow(forker.BA).Strangers == 210
		})
		c.callee.silent()
		c.caller.silent()
		srs.silent()
		if f := c.flow(forker.AB); f.Remote != c.caller.addr() || f.Packets != 20 {
			t.Errorf("%+v", f)
		}
	})
}

// Once a party's audio is known to come from behind a NAT, its other streams
// and its RTCP are believed from there at once.
func TestNATHostOfOtherStreams(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		if err := c.relay.SetStreams(2); err != nil {
			t.Fatal(err)
		}
		nat, fax := newPeer(t, natHost), newPeer(t, calleeHost)
		remote := audio(c.caller.addr())
		remote.Source = nat.addr().Addr()
		c.relay.SetRemote(forker.SideA, 0, remote)
		c.relay.SetRemote(forker.SideA, 1, forker.Remote{RTP: c.caller.addr(), Sends: true})
		c.relay.SetRemote(forker.SideB, 1, forker.Remote{RTP: fax.addr(), Sends: true})
		toFax, _ := c.relay.Local(forker.SideA, 1)
		nat.send(toFax, []byte("too soon"))
		eventually(t, "stranger counted", func() bool { return c.relay.Stats().Streams[1].Flows[forker.AB].Strangers == 1 })
		p := rtp(0, 1, 0, 1)
		nat.send(c.toA, p)
		c.callee.want(p)
		nat.send(toFax, []byte("udptl"))
		fax.want([]byte("udptl"))
	})
}
