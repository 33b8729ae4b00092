//go:build linux && (amd64 || arm64)

package forker

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// restStage is an engine whose pairs rest when the test says so.
type restStage struct {
	t    *testing.T
	e    *Engine
	pool *portPool
}

const restPort = 20000

func newRestStage(t *testing.T, pairs int) *restStage {
	t.Helper()
	e, err := New(restConfig(pairs))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return &restStage{t, e, e.ports.Load().first}
}

func restConfig(pairs int) Config {
	return Config{Listen: netip.MustParseAddr("127.0.0.77"), PortMin: restPort, PortMax: restPort + 2*pairs - 1, Drain: maxDrain, Workers: 1}
}

// call opens a relay with one stream, both flows of which are copied.
func (s *restStage) call() *Relay {
	s.t.Helper()
	r := s.e.Open()
	if err := r.SetStreams(1); err != nil {
		s.t.Fatal(err)
	}
	for f := range Flow(2) {
		if _, err := r.Fork(0, f, TapConfig{}); err != nil {
			s.t.Fatal(err)
		}
	}
	return r
}

// portsOf are the even ports of a relay, those of its copies behind the others.
func portsOf(r *Relay) (ports []uint16) {
	for _, side := range []Side{SideA, SideB} {
		rtp, _ := r.Local(side, 0)
		ports = append(ports, rtp.Port())
	}
	for _, t := range r.taps {
		rtp, _ := t.Local()
		ports = append(ports, rtp.Port())
	}
	return ports
}

// drain is what a sweep does when all that has been released has been silent for long enough.
func (s *restStage) drain() { s.pool.sweep(s.e.now() + int64(maxDrain)) }

// rest has the pairs of ten calls rest, 40 in all, and gives their ports.
func (s *restStage) rest() (ports []uint16) {
	s.t.Helper()
	var calls []*Relay
	for range 10 {
		calls = append(calls, s.call())
		ports = append(ports, portsOf(calls[len(calls)-1])...)
	}
	for _, r := range calls {
		r.Close()
	}
	s.drain()
	if n := s.lying(); n != 40 {
		s.t.Fatalf("%d pairs rest, want 40", n)
	}
	return ports
}

func (s *restStage) lying() int {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.pool.resting.n
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A call has the ports of earlier ones, at random, without a socket being opened; all are closed with the engine.
func TestPairsRest(t *testing.T) {
	warm := hear(t, "127.0.0.2:0") // Go's own poller is there
	defer warm.Close()
	before := openFiles(t)
	s := newRestStage(t, 400)
	earlier := s.rest()
	if got := s.e.Ports(); got != (PortStats{Free: 800}) {
		t.Errorf("at rest: %+v", got)
	}
	open := openFiles(t)
	r := s.call()
	for _, port := range portsOf(r) {
		if !slices.Contains(earlier, port) {
			t.Errorf("port %d was none of %d", port, earlier)
		}
	}
	if n := openFiles(t); n != open {
		t.Errorf("%d descriptors more with a call", n-open)
	}
	if got := s.e.Ports(); got != (PortStats{Free: 792, Used: 8}) || s.lying() != 36 {
		t.Errorf("with a call: %+v, %d at rest", got, s.lying())
	}
	for range 2 { // and there are 16 to choose from
		s.call()
	}
	fresh := s.call()
	if slices.Contains(earlier, portsOf(fresh)[1]) {
		t.Errorf("a call took ports %d when %d were at rest", portsOf(fresh), s.lying())
	}
	if err := s.e.Close(); err != nil {
		t.Fatal(err)
	}
	if n := openFiles(t); n != before {
		t.Errorf("%d descriptors after Close, %d before New", n, before)
	}
}

// held keeps the worker from reading until the test lets it go on.
func (s *restStage) held() (goOn func()) {
	busy, on := make(chan struct{}), make(chan struct{})
	s.e.driver.(*epollDriver).workers[0].post(func() { close(busy); <-on })
	<-busy
	return func() { close(on) }
}

// What waits at a port is no matter of the call that comes next: a pair to which anything has come, read or not, is not
// used again.
func TestNothingReachesTheNextCall(t *testing.T) {
	s := newRestStage(t, 400)
	earlier := s.rest()
	talker := hear(t, "127.0.0.3:0")
	goOn := s.held()
	for i, port := range earlier {
		if _, err := talker.WriteToUDPAddrPort([]byte("0123456789abcdef"), netip.AddrPortFrom(s.pool.place.Listen, port+uint16(i%2))); err != nil {
			t.Fatal(err)
		}
	}
	r := s.call()
	goOn()
	for _, port := range portsOf(r) {
		if slices.Contains(earlier, port) {
			t.Errorf("port %d, where something waited, was given away", port)
		}
	}
	await(t, "what was spoken to is closed, but for copies' RTP, which nobody reads", func() bool {
		return s.e.Ports() == PortStats{Free: 792, Used: 8} && s.lying() <= 20
	})
	for f, flow := range r.Stats().Streams[0].Flows {
		if flow.Early+flow.Strangers > 0 {
			t.Errorf("flow %d: %+v", f, flow)
		}
	}
}

// Who speaks to a pair at rest has it closed, and is not believed there.
func TestWhoSpeaksToARestingPortHasItClosed(t *testing.T) {
	s := newRestStage(t, 400)
	port := s.rest()[0]
	talker := hear(t, "127.0.0.3:0")
	open := openFiles(t)
	if _, err := talker.WriteToUDPAddrPort([]byte("0123456789abcdef"), netip.AddrPortFrom(s.pool.place.Listen, port)); err != nil {
		t.Fatal(err)
	}
	await(t, "the pair is closed", func() bool { return s.lying() == 39 && s.e.Ports().Draining == 0 && openFiles(t) == open-2 })
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if got := s.pool.shunned[(int(port)-restPort)/2]; got != addrOf(talker) {
		t.Errorf("shunned there: %v", got)
	}
}

// Something at a copy's RTP port, which nobody reads, has it drain for another time, read, and not rest.
func TestCopiesPortDrainsOn(t *testing.T) {
	s := newRestStage(t, 400)
	r := s.call()
	copied := portsOf(r)[2]
	talker := hear(t, "127.0.0.3:0")
	if _, err := talker.WriteToUDPAddrPort([]byte("0123456789abcdef"), netip.AddrPortFrom(s.pool.place.Listen, copied)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	s.drain()
	if got := s.e.Ports(); got.Draining != 2 || s.lying() != 3 {
		t.Errorf("%+v, %d at rest", got, s.lying())
	}
	s.pool.sweep(s.e.now() + int64(maxDrain)/2)
	if got := s.e.Ports(); got.Draining != 2 {
		t.Errorf("half a drain time on: %+v", got)
	}
	s.pool.sweep(s.e.now() + 2*int64(maxDrain) + int64(maxDrain)/4)
	await(t, "it is closed", func() bool { return s.e.Ports().Draining == 0 })
}

// So many rest and no more, and not for long; the others are closed.
func TestRestIsBounded(t *testing.T) {
	s := newRestStage(t, 400)
	open := openFiles(t)
	s.pool.resting.most = 6
	r := s.e.Open()
	if err := r.SetStreams(10); err != nil {
		t.Fatal(err)
	}
	r.Close()
	s.drain()
	await(t, "the others are closed", func() bool { return s.e.Ports() == PortStats{Free: 800} && openFiles(t) == open+2*6 })
	s.pool.sweep(s.e.now() + int64(maxDrain) + restFor)
	await(t, "they are closed as well", func() bool { return s.lying() == 0 && s.e.Ports() == PortStats{Free: 800} && openFiles(t) == open })
}

// A range that is changed has none at rest, and the new one gets its ports.
func TestReloadClosesWhatRests(t *testing.T) {
	s := newRestStage(t, 400)
	open := openFiles(t)
	s.rest()
	cfg := restConfig(399)
	on, err := s.e.Prepare(Settings{Listen: cfg.Listen, PortMin: cfg.PortMin, PortMax: cfg.PortMax})
	if err != nil {
		t.Fatal(err)
	}
	on()
	await(t, "all are closed", func() bool { return openFiles(t) == open && s.e.Ports() == PortStats{Free: 2 * 399} })
	await(t, "the former range is gone", func() bool { return len(s.e.pools()) == 1 })
	r := s.e.Open()
	if err := r.SetStreams(399 / 2); err != nil {
		t.Error(err)
	}
	r.Close()
}

// When a range runs short those at rest are closed for calls that want ports of another kind.
func TestRestGivesWay(t *testing.T) {
	s := newRestStage(t, 120)
	s.rest()
	r := s.call()
	all := 4
	await(t, "every pair of the range is used", func() bool {
		for err := error(nil); err == nil; {
			if _, err = r.Fork(0, AB, TapConfig{}); err == nil {
				all++
			} else if !errors.Is(err, ErrNoPorts) {
				t.Fatal(err)
			}
		}
		return all == 120
	})
}

// Descriptors that resting pairs have are there for others when they run out.
func TestRestGivesDescriptorsBack(t *testing.T) {
	s := newRestStage(t, 400)
	s.rest()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	low := was
	low.Cur = uint64(openFiles(t)) + 2
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
	}()
	r := s.e.Open()
	defer r.Close()
	if err := r.SetStreams(10); !errors.Is(err, unix.EMFILE) {
		t.Fatalf("20 pairs where 20 rest and 16 stay: %v", err)
	}
	await(t, "they are closed", func() bool { return s.lying() == 0 })
	await(t, "there are descriptors", func() bool { return r.SetStreams(10) == nil })
}

// A call on ports that another one has had begins anew, whoever that one was with.
func TestRestedPairsBeginAnew(t *testing.T) {
	s := newRestStage(t, 400)
	begin := func(caller, callee *net.UDPConn) *twinned {
		w := &twinned{t: t, engine: s.e, relay: s.e.Open(), caller: caller, callee: callee}
		w.begin()
		for range 3 {
			w.pass(w.caller, w.toA, w.callee)
			w.pass(w.callee, w.toB, w.caller)
		}
		return w
	}
	caller, callee := hear(t, "127.0.0.2:0"), hear(t, "127.0.0.3:0")
	var calls []*twinned
	for range 12 {
		calls = append(calls, begin(caller, callee))
	}
	for _, w := range calls {
		w.relay.Close()
		if w.towardsCallee().twin == nil {
			t.Fatal("there is no twin")
		}
	}
	s.drain()
	if n := s.lying(); n != 24 {
		t.Fatalf("%d pairs rest", n)
	}
	open := openFiles(t)
	next := begin(hear(t, "127.0.0.4:0"), hear(t, "127.0.0.5:0"))
	if n := openFiles(t); n != open+2 {
		t.Errorf("%d descriptors more, two of them the parties'", n-open)
	}
	for range 3 {
		if _, err := callee.WriteToUDPAddrPort([]byte("0123456789abcdef"), next.toB); err != nil {
			t.Fatal(err)
		}
		if _, err := caller.WriteToUDPAddrPort([]byte("0123456789abcdef"), next.toA); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "who was here before is a stranger", func() bool {
		flows := next.relay.Stats().Streams[0].Flows
		return flows[AB].Strangers == 3 && flows[BA].Strangers == 3
	})
	next.pass(next.caller, next.toA, next.callee)
	next.pass(next.callee, next.toB, next.caller)
	if again := begin(caller, callee); again.relay.Stats().Streams[0].Flows[BA].Packets != 3 {
		t.Error("nor do those who were here before")
	}
}
