package forker_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"sidetrack/forker"
)

func TestPortsRunOut(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.PortMax = cfg.PortMin + 9 // five pairs
		e := newEngine(t, cfg)
		r := openRelay(t, e)
		if got, want := e.Ports(), (forker.PortStats{Free: 6, Used: 4}); got != want {
			t.Errorf("one stream: %+v, want %+v", got, want)
		}
		if err := r.SetStreams(3); !errors.Is(err, forker.ErrNoPorts) {
			t.Fatalf("third stream: %v, want ErrNoPorts", err)
		}
		if n := len(r.Stats().Streams); n != 1 {
			t.Errorf("%d streams after a failure, want 1", n)
		}
		eventually(t, "failed attempt's ports back", func() bool { return e.Ports().Free == 6 })
		if err := r.SetStreams(2); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Fork(0, forker.AB, forker.TapConfig{}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Fork(0, forker.AB, forker.TapConfig{}); !errors.Is(err, forker.ErrNoPorts) {
			t.Fatalf("tap without ports: %v, want ErrNoPorts", err)
		}
		r.Close()
		if p := e.Ports(); p.Used != 0 || p.Draining != 10 {
			t.Errorf("after Close: %+v", p)
		}
		eventually(t, "all free", func() bool { return e.Ports() == forker.PortStats{Free: 10} })
	})
}

func TestPortsAreEvenOddPairsOfTheRange(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.PortMin++ // odd: the first pair begins one above
		e, seen := newEngine(t, cfg), map[uint16]bool{}
		r := e.Open()
		if err := r.SetStreams(7); err != nil {
			t.Fatal(err)
		}
		for stream := range 7 {
			for _, side := range []forker.Side{forker.SideA, forker.SideB} {
				rtp, rtcp := r.Local(side, stream)
				if p := rtp.Port(); p%2 != 0 || rtcp.Port() != p+1 || int(p) < cfg.PortMin || int(p) >= cfg.PortMax || seen[p] {
					t.Errorf("stream %d %v: %v, %v", stream, side, rtp, rtcp)
				}
				seen[rtp.Port()] = true
			}
		}
		if rtp, _ := r.Local(forker.SideA, 7); rtp.IsValid() {
			t.Errorf("a stream that is not there has %v", rtp)
		}
	})
}

// Ports held by other programs are passed over.
func TestForeignPortsAreSkipped(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.PortMax = cfg.PortMin + 5
		newPeerAt(t, netip.AddrPortFrom(usHost, uint16(cfg.PortMin)).String())
		newPeerAt(t, netip.AddrPortFrom(usHost, uint16(cfg.PortMin+3)).String())
		e := newEngine(t, cfg)
		if err := e.Open().SetStreams(1); !errors.Is(err, forker.ErrNoPorts) {
			t.Errorf("one pair left for two: %v", err)
		}
		if err := e.Open().SetStreams(1); !errors.Is(err, forker.ErrNoPorts) {
			t.Errorf("again: %v", err)
		}
	})
}

// An address that is not ours is no matter of ports.
func TestListenAddressNotOurs(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.Listen = netip.MustParseAddr("192.0.2.1")
		err := newEngine(t, cfg).Open().SetStreams(1)
		if err == nil || errors.Is(err, forker.ErrNoPorts) {
			t.Errorf("got %v", err)
		}
	})
}

// A released port stays ours until nobody speaks to it, and what comes then
// never reaches the port's next call.
func TestPortsDrain(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.PortMax, cfg.Drain = cfg.PortMin+3, 400*time.Millisecond // two pairs: one call
		e := newEngine(t, cfg)
		old := newCall(t, e)
		old.caller.send(old.toA, rtp(0, 1, 0, 1))
		old.callee.recv()
		old.relay.Close()
		talkedUntil := time.Now()
		for end := time.Now().Add(2 * cfg.Drain); time.Now().Before(end); { // the old caller talks on
			old.caller.send(old.toA, rtp(0, 2, 0, 1))
			talkedUntil = time.Now()
			time.Sleep(15 * time.Millisecond)
			if p := e.Ports(); p.Draining < 2 && time.Since(talkedUntil) < cfg.Drain/2 { // unless we have been held up
				t.Fatalf("freed while spoken to: %+v", p)
			}
		}
		if err := e.Open().SetStreams(1); !errors.Is(err, forker.ErrNoPorts) {
			t.Fatalf("ports in use again while draining: %v", err)
		}
		eventually(t, "drained", func() bool { return e.Ports().Free == 4 })
		if d := time.Since(talkedUntil); d < cfg.Drain-20*time.Millisecond {
			t.Errorf("freed %v after the last packet, want %v of silence", d, cfg.Drain)
		}
		next := newCall(t, e)
		p := rtp(0, 3, 0, 2)
		next.caller.send(next.toA, p)
		next.callee.want(p)
		old.caller.send(next.toA, rtp(0, 4, 0, 1)) // even later: a stranger now
		old.caller.send(next.toB, rtp(0, 4, 0, 1))
		eventually(t, "old party refused", func() bool {
			return next.flow(forker.AB).Strangers == 1 && next.flow(forker.BA).Strangers == 1
		})
		if a, b := next.flow(forker.AB).Packets, next.flow(forker.BA).Packets; a != 1 || b != 0 {
			t.Errorf("%d and %d packets admitted", a, b)
		}
		for _, p := range []*peer{old.caller, old.callee, next.caller, next.callee} {
			p.silent()
		}
	})
}

func TestCloseFreesEverything(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		warm, err := forker.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := warm.Close(); err != nil {
			t.Fatal(err)
		}
		srs := newPeer(t, srsHost)
		peers := [2]*peer{newPeer(t, callerHost), newPeer(t, calleeHost)}
		before := descriptors(t)
		e, err := forker.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		idle := descriptors(t)
		var last *forker.Relay
		for range 3 {
			r := openRelay(t, e)
			r.SetRemote(forker.SideA, 0, audio(peers[0].addr()))
			tap := fork(t, r, forker.AB)
			tap.SendTo(srs.addr(), srs.addr(), pcmu)
			fork(t, r, forker.BA)
			last = r
		}
		last.Close()
		last.Close()
		eventually(t, "released ports closed", func() bool { return descriptors(t) == idle+2*8 })
		for range 2 {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if n := descriptors(t); n != before {
			t.Errorf("%d descriptors after Close, %d before New", n, before)
		}
		if err := last.SetStreams(2); !errors.Is(err, forker.ErrClosed) {
			t.Errorf("SetStreams after Close: %v", err)
		}
		if err := e.Open().SetStreams(1); !errors.Is(err, forker.ErrClosed) {
			t.Errorf("Open after Close: %v", err)
		}
		if _, err := last.Fork(0, forker.AB, forker.TapConfig{}); !errors.Is(err, forker.ErrClosed) {
			t.Errorf("Fork after Close: %v", err)
		}
	})
}
