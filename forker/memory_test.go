package forker_test

import (
	"net/netip"
	"runtime"
	"testing"

	"sidetrack/forker"
)

// What a recorded call of one stream holds of the heap here, after its media have
// flowed both ways.
func TestMemoryOfARecordedRelay(t *testing.T) {
	const relays, bound = 60, 5 << 10
	lo, hi := portRange(4*relays + 20) // some may be in use beside us
	e := newEngine(t, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi, Workers: 1})
	srs, caller, callee := newPeer(t, srsHost), newPeer(t, callerHost), newPeer(t, calleeHost)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	codecs := map[uint8]forker.Codec{0: {Name: "PCMU", Clock: 8000}, 8: {Name: "PCMA", Clock: 8000}, 101: {Name: "telephone-event", Clock: 8000}}
	// recorded opens a relay whose media have flowed.
	recorded := func() *forker.Relay {
		r := openRelay(t, e)
		r.SetRemote(forker.SideA, 0, audio(caller.addr()))
		r.SetRemote(forker.SideB, 0, audio(callee.addr()))
		for f := range forker.Flow(2) {
			r.SetCodecs(0, f, codecs)
			tap := fork(t, r, f)
			tap.SetCodecs(codecs)
			tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		}
		toA, _ := r.Local(forker.SideA, 0)
		toB, _ := r.Local(forker.SideB, 0)
		for n := range uint16(3) {
			p := rtp(0, n, uint32(n)*160, 1)
			caller.send(toA, p)
			callee.want(p)
			callee.send(toB, p)
			caller.want(p)
		}
		return r
	}
	// The worker makes the buffer that it reads all sockets into when it gets the processor for the first time; once it
	// has moved a packet the engine has what it holds for itself.
	first := recorded()
	before := heap()
	open := make([]*forker.Relay, relays)
	for i := range open {
		open[i] = recorded()
	}
	each := (heap() - before) / relays
	t.Logf("%d octets of heap a recorded relay", each)
	if each > bound {
		t.Errorf("%d octets of heap a recorded relay, want at most %d", each, bound)
	}
	runtime.KeepAlive(open)
	runtime.KeepAlive(first)
}
