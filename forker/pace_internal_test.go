package forker

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A party that floods is heard at the rate that is permitted, on the lane and beside it, and everything beyond is counted
// and told once. A party at its usual pace is never touched, and a reload counts from the next count on.
func TestRateOfAPortIsBounded(t *testing.T) {
	for name, step := range map[string]func(*rig){"long way": (*rig).step, "lane": (*rig).short} {
		t.Run(name, func(t *testing.T) {
			const limit, flood = 100, 4000 // packets a second
			g := newRig()
			g.relay.engine.maxRate.Store(limit)
			pace := func(packets, rate int) {
				for range packets {
					g.now += int64(time.Second)/int64(rate) - 20e6 // step goes on by 20 ms
					step(g)
				}
			}
			pace(500, 50)
			g.relay.settle()
			if c := g.caller.flow.counts; c.packets != 500 || c.excess != 0 || g.out.sent != 500 {
				t.Fatalf("at the usual pace: %+v, %d sent on", c, g.out.sent)
			}
			g.out.sent, g.copies.sent = 0, 0
			pace(5*flood, flood)
			g.relay.settle()
			if g.out.sent < 5*limit || g.out.sent > 7*limit || g.out.sent != g.copies.sent {
				t.Errorf("in five seconds of a flood %d packets were sent on, %d copied", g.out.sent, g.copies.sent)
			}
			c := g.caller.flow.counts
			if c.packets+c.excess != 500+5*flood || g.relay.engine.totals.excess[SideA].Load() != c.excess {
				t.Errorf("%+v of %d", c, 500+5*flood)
			}
			if s := g.relay.Stats().Streams[0].Flows[AB]; s.Excess != c.excess {
				t.Errorf("told %d of %d", s.Excess, c.excess)
			}
			g.relay.engine.maxRate.Store(0)
			before := g.out.sent
			g.now += int64(time.Second)
			pace(limit+unbounded+1000, 1_000_000)
			if n := g.out.sent - before; n < unbounded+1000 {
				t.Errorf("without a limit %d of %d were sent on", n, limit+unbounded+1000)
			}
		})
	}
}

// A limit that a reload brings counts at once, on the lane too, and however many packets had been permitted before.
func TestRateIsBoundedByAReload(t *testing.T) {
	lo := netip.MustParseAddr("127.0.0.1")
	media := Settings{Listen: lo, PortMin: 19300, PortMax: 19331}
	e, err := New(Config{Listen: lo, PortMin: media.PortMin, PortMax: media.PortMax})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := e.Open()
	if err := r.SetStreams(1); err != nil {
		t.Fatal(err)
	}
	caller, callee := hear(t, "127.0.0.2:0"), hear(t, "127.0.0.3:0")
	r.SetRemote(SideA, 0, Remote{RTP: addrOf(caller), Sends: true, RTPKind: true})
	r.SetRemote(SideB, 0, Remote{RTP: addrOf(callee), Sends: true, RTPKind: true})
	at, _ := r.Local(SideA, 0)
	number := 0
	send := func() {
		number++
		high, low := byte(number>>8), byte(number)
		if _, err := caller.WriteToUDPAddrPort([]byte{0x80, 0, high, low, 0, 0, high, low, 0, 0, 0, 1}, at); err != nil {
			t.Fatal(err)
		}
	}
	open := func() bool {
		r.mu.Mutex.Lock() // the lane stays open
		defer r.mu.Mutex.Unlock()
		return r.mu.lanes != nil
	}
	await(t, "a lane is open", func() bool { send(); return open() })
	media.MaxRate = 1
	on, err := e.Prepare(media)
	if err != nil {
		t.Fatal(err)
	}
	on()
	await(t, "the limit counts", func() bool { send(); send(); return e.totals.excess[SideA].Load() > 0 })
}

// Each port has a count of its own: who floods one takes nothing from RTCP, from the other side, or from other calls.
func TestFloodOfOnePortIsItsOwn(t *testing.T) {
	a, b := newRig(), newRig()
	b.relay.engine = a.relay.engine
	a.relay.engine.maxRate.Store(10)
	for range 1000 {
		a.now -= 20e6
		a.short()
	}
	for range 10 {
		b.now -= 20e6
		b.short()
	}
	if a.out.sent != 10 || b.out.sent != 10 {
		t.Errorf("%d of the flood were sent on, %d of 10 of another call", a.out.sent, b.out.sent)
	}
}

func TestFloodIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	g := newRig()
	g.relay.engine.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	g.relay.engine.maxRate.Store(10)
	for i := range 2000 {
		g.now -= 19e6 // a millisecond apart
		g.short()
		if i%250 == 0 {
			g.relay.sweep(g.now)
		}
	}
	if n := strings.Count(log.String(), "beyond the permitted rate"); n != 1 || strings.Contains(log.String(), "strangers") {
		t.Errorf("%d lines: %s", n, log.String())
	}
	g.now += int64(tellEach)
	g.relay.sweep(g.now)
	if n := strings.Count(log.String(), "from=192.0.2.1:4000"); n != 2 {
		t.Errorf("%d lines after the interval: %s", n, log.String())
	}
}

func TestRateAllocatesNothing(t *testing.T) {
	g := newRig()
	g.relay.engine.maxRate.Store(50)
	if n := testing.AllocsPerRun(2000, func() {
		g.now -= 19e6
		g.short()
	}); n != 0 {
		t.Errorf("%v allocations per packet of a flood", n)
	}
}
