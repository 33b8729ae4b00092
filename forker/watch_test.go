package forker_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"

	pionrtcp "github.com/pion/rtcp"

	"sidetrack/forker"
)

// seen is what a watcher was shown.
type seen struct {
	mu   sync.Mutex
	list []forker.Datagram
}

func (s *seen) take(d forker.Datagram) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Data = bytes.Clone(d.Data)
	s.list = append(s.list, d)
}

// lines are from, to and size of what was seen, but for what came from there.
func (s *seen) lines(but netip.AddrPort) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, d := range s.list {
		if d.From == but {
			continue
		}
		out = append(out, fmt.Sprintf("%v > %v control %v %d", d.From, d.To, d.Control, len(d.Data)))
	}
	return out
}

// A watcher of the wire sees each packet as it comes, as it goes on and as it is copied, from the first to the last of
// its time, also of a flow that had a lane; one of control sees RTCP alone. The call is not touched by either.
func TestWatch(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, reports, tap := newPeer(t, srsHost), newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), reports.addr(), pcmu)
		c.pass(1, 5) // unseen, and a lane is open
		srs.sequel(5)
		var wire, control seen
		stop := c.relay.Watch(forker.Watcher{Wire: wire.take})
		stopControl := c.relay.Watch(forker.Watcher{Control: control.take})
		c.pass(6, 8)
		srs.sequel(3)
		rr, err := pionrtcp.Marshal([]pionrtcp.Packet{&pionrtcp.ReceiverReport{SSRC: 5}})
		if err != nil {
			t.Fatal(err)
		}
		_, toTap := tap.Local()
		reports.send(toTap, rr)
		eventually(t, "report taken", func() bool { return tap.Stats().RTCPIn == 1 })
		stop()
		stop()
		c.pass(9, 10) // unseen again
		srs.sequel(2)
		stopControl()
		reports.send(toTap, rr)
		eventually(t, "second report taken", func() bool { return tap.Stats().RTCPIn == 2 })

		copyFrom, _ := tap.Local() // what the tap reports depends on the time
		var want []string
		for range 3 {
			want = append(want, fmt.Sprintf("%v > %v control false 28", c.caller.addr(), c.toA),
				fmt.Sprintf("%v > %v control false 28", c.toB, c.callee.addr()),
				fmt.Sprintf("%v > %v control false 28", copyFrom, srs.addr()))
		}
		report := fmt.Sprintf("%v > %v control true %d", reports.addr(), toTap, len(rr))
		if got := wire.lines(toTap); !slices.Equal(got, append(want, report)) {
			t.Errorf("the wire: %q", got)
		}
		if got := control.lines(toTap); !slices.Equal(got, []string{report}) {
			t.Errorf("control: %q", got)
		}
		ended := 0
		c.relay.Watch(forker.Watcher{End: func() { ended++ }})
		unwatch := c.relay.Watch(forker.Watcher{End: func() { t.Error("nobody waits for the end any more") }})
		unwatch()
		c.relay.Close()
		c.relay.Close()
		c.relay.Watch(forker.Watcher{End: func() { ended++ }})
		if ended != 2 {
			t.Errorf("%d ends of 2", ended)
		}
		if n := c.flow(forker.AB).Packets; n != 10 {
			t.Errorf("%d packets of 10 counted", n)
		}
	})
}
