package forker_test

import (
	"bytes"
	"net/netip"
	"testing"

	"sidetrack/forker"
)

// Batched copies are the same datagrams in the same order, and none stays
// behind: not when the source falls silent, nor on pause, move or close.
func TestBatchedCopies(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.Batch = 4
		c := newCall(t, newEngine(t, cfg))
		one, two, tap := newPeer(t, srsHost), newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(one.addr(), netip.AddrPort{}, pcmu)
		c.pass(1, 10)
		wantSources(t, one.sequel(10), 1) // the last two by time
		tap.Pause()
		tap.Resume()
		c.pass(11, 13)
		tap.Pause()
		left := tap.Stats().Copied
		wantSources(t, one.sequel(3), 11)
		c.pass(14, 20)
		eventually(t, "all seen", func() bool { return tap.Stats().In == 20 })
		one.silent()
		if s := tap.Stats(); s.Copied != left || s.Copied != 13 || s.Buffered != 0 {
			t.Errorf("%+v", s)
		}
		tap.Resume()
		c.pass(21, 22)
		tap.SendTo(two.addr(), netip.AddrPort{}, pcmu)
		wantSources(t, one.sequel(2), 21)
		c.pass(23, 25)
		tap.Close()
		wantSources(t, two.sequel(3), 23)
		one.silent()
	})
}

// Packets of different sizes, as telephone-events among audio are, keep their
// bytes and their order.
func TestBatchOfDifferentSizes(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.Batch = 8
		c := newCall(t, newEngine(t, cfg))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		for i, extra := range []int{0, 0, 4, 4, 4, 0, 1500, 1500, 0, 2, 1, 0, 0} {
			p := append(rtp(0, uint16(i), uint32(i)*160, 1), bytes.Repeat([]byte{byte(i)}, extra)...)
			c.caller.send(c.toA, p)
			c.callee.want(p)
		}
		got := srs.sequel(13)
		wantSources(t, got, 0)
		for i, extra := range []int{0, 0, 4, 4, 4, 0, 1500, 1500, 0, 2, 1, 0, 0} {
			if !bytes.Equal(got[i].Payload[16:], bytes.Repeat([]byte{byte(i)}, extra)) {
				t.Errorf("copy %d has %d octets", i, len(got[i].Payload))
			}
		}
	})
}

// A recorder that is not there: batches are counted as dropped, the call goes on.
func TestBatchUnreachable(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.Batch = 4
		c := newCall(t, newEngine(t, cfg))
		gone, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		at := gone.addr()
		gone.conn.Close()
		tap.SendTo(at, netip.AddrPort{}, pcmu)
		c.pass(1, 40)
		eventually(t, "all sent", func() bool { s := tap.Stats(); return s.Copied+s.Dropped.Total() == 40 })
		if s := tap.Stats(); s.Unreachable == 0 {
			t.Errorf("%+v", s)
		}
	})
}

// How copies are collected changes under a running call: they stay the same datagrams in the same order, and none that was
// collected before stays behind, although nothing comes after it.
func TestBatchingChangesUnderACall(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		c := newCall(t, e)
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		n := 1
		for _, batch := range []int{0, 4, 16, forker.BatchAdaptive, 2, 0, 4, 0} {
			swap, err := e.Prepare(forker.Settings{Listen: cfg.Listen, PortMin: cfg.PortMin, PortMax: cfg.PortMax, Timeout: cfg.Timeout, Batch: batch})
			if err != nil {
				t.Fatal(err)
			}
			c.pass(n, n+6)
			swap()
			c.pass(n+7, n+9)
			wantSources(t, srs.sequel(10), n)
			n += 10
		}
		if s := tap.Stats(); s.Copied != uint64(n-1) || s.Buffered != 0 || s.Dropped.Total() != 0 {
			t.Errorf("%+v", s)
		}
	})
}
