package forker_test

import (
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sidetrack/forker"
)

// A relay in its steady state, with real sockets and two recorders, allocates nothing: of two heap profiles with some
// thousand packets between them neither has an object more that was allocated on the way of a packet. Every allocation is
// in these profiles, not one of some.
func TestHeapProfileOfASteadyRelay(t *testing.T) {
	was := runtime.MemProfileRate
	runtime.MemProfileRate = 1
	defer func() { runtime.MemProfileRate = was }()
	drivers(t, func(t *testing.T, cfg forker.Config) {
		for name, batch := range map[string]int{"each copy at once": 0, "copies in batches": 4} {
			t.Run(name, func(t *testing.T) {
				cfg := cfg
				cfg.PortMin, cfg.PortMax = portRange(16)
				cfg.Batch = batch
				c := newCall(t, newEngine(t, cfg))
				srs := newPeer(t, srsHost)
				for range 2 {
					fork(t, c.relay, forker.AB).SendTo(srs.addr(), netip.AddrPort{}, pcmu)
				}
				next, copies := uint16(0), 0
				flow := func(groups int) {
					for g := range groups {
						order := []uint16{0, 1, 2, 3, 4, 5, 6, 7}
						if g%5 == 0 {
							order[2], order[5] = order[5], order[2] // the long way
						}
						for _, k := range order {
							p := rtp(0, next+k, uint32(next+k)*160, 1)
							c.caller.send(c.toA, p)
							c.callee.want(p)
						}
						next += 8
						for copies += 16; copies > 16; copies-- { // the last may wait in a batch
							srs.recv()
						}
					}
				}
				flow(50)
				before := allocated()
				flow(250)
				for where, n := range allocated() {
					if more := n - before[where]; more > 0 {
						t.Errorf("%d objects allocated in\n%s", more, where)
					}
				}
			})
		}
	})
}

// allocated is how many objects were allocated on the way of packets so far, by call stack. What the engine does at its own
// pace, however many packets there are, is not on their way.
func allocated() map[string]int64 {
	runtime.GC()
	runtime.GC() // a profile is that of the collection before
	records := make([]runtime.MemProfileRecord, 10000)
	n, ok := runtime.MemProfile(records, true)
	for !ok {
		records = make([]runtime.MemProfileRecord, 2*n)
		n, ok = runtime.MemProfile(records, true)
	}
	all := map[string]int64{}
	for _, r := range records[:n] {
		var functions []string
		frames := runtime.CallersFrames(r.Stack())
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			functions = append(functions, f.Function)
		}
		reads := func(f string) bool {
			return f == "sidetrack/forker.(*epollWorker).run" || f == "sidetrack/forker.(*netSocket).read" || strings.HasSuffix(f, "(*route).handle") || strings.HasSuffix(f, ".flushDue")
		}
		// The runtime's note of a goroutine that waits for a lock or a timer is from a pool that grows now and then.
		if slices.ContainsFunc(functions, reads) && !slices.Contains(functions, "runtime.acquireSudog") {
			all[strings.Join(functions, "\n")] += r.AllocObjects
		}
	}
	return all
}
