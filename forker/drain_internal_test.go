package forker

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

// Who speaks to a port until it is given up all the same is nobody that its next call believes, not even
// as a neighbour of the party that is signalled there.
func TestWhoSpeaksToTheEndIsShunned(t *testing.T) {
	e, err := New(Config{Listen: netip.MustParseAddr("127.0.0.1"), PortMin: 11960, PortMax: 11963, Drain: maxDrain, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	open := func() *Relay {
		t.Helper()
		r := e.Open()
		if err := r.SetStreams(1); err != nil {
			t.Fatal(err)
		}
		return r
	}
	open().Close()
	pool := e.ports.Load().first
	given, talker := e.now()+int64(maxDrain), netip.MustParseAddrPort("127.0.0.2:4000")
	pool.mu.Lock()
	for _, d := range pool.draining {
		d.quiet.heard(talker, given-int64(time.Millisecond))
	}
	pool.mu.Unlock()
	pool.sweep(given)
	for end := time.Now().Add(time.Minute); e.Ports().Free != 4; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", e.Ports())
		}
	}
	r := open()
	defer r.Close()
	for side := range Side(2) {
		r.SetRemote(side, 0, Remote{RTP: netip.MustParseAddrPort("127.0.0.2:5000"), Sends: true, RTPKind: true})
		r.mu.Lock()
		l := &r.streams[0].legs[side]
		for name, latch := range map[string]*latch{"RTP": &l.media, "RTCP": &l.control} {
			if v := latch.admit(talker, &header{}, true, netip.Addr{}, e.now()); v != stranger {
				t.Errorf("%v, %s: %v for who spoke to the end", side, name, v)
			}
			if v := latch.admit(netip.MustParseAddrPort("127.0.0.2:4002"), &header{}, true, netip.Addr{}, e.now()); v != admitted {
				t.Errorf("%v, %s: %v for another neighbour", side, name, v)
			}
		}
		r.mu.Unlock()
	}
}
