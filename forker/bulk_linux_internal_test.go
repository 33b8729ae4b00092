//go:build linux && (amd64 || arm64)

package forker

import (
	"net/netip"
	"testing"
	"time"
)

// TestReleasedPortsComeBackInBulk: a busy worker gives back everything that has
// drained in one go; a round trip for each port would let them pile up at some
// hundred a second, until none is left.
func TestReleasedPortsComeBackInBulk(t *testing.T) {
	lo := netip.MustParseAddr("127.0.0.1")
	e, err := New(Config{Listen: lo, Advertise: lo, PortMin: 18000, PortMax: 18999, Drain: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d, ok := e.ports.Load().first.driver.(*epollDriver)
	if !ok {
		t.Skip("only the epoll driver has workers that can be busy")
	}
	e.ports.Load().first.retire() // none is kept for later calls
	const pairs = 200
	r := e.Open()
	for n := 0; 2*n < pairs; n++ {
		if err := r.SetStreams(n + 1); err != nil {
			t.Fatal(err)
		}
	}
	// The worker is busy until it is told to go on.
	goOn, busy := make(chan struct{}), make(chan struct{})
	d.workers[r.worker].post(func() { busy <- struct{}{}; <-goOn })
	<-busy
	r.Close()
	swept := make(chan struct{})
	go func() { // every pair is ripe: the sweep must not wait for the worker
		e.ports.Load().first.sweep(e.now() + int64(maxDrain))
		close(swept)
	}()
	select {
	case <-swept:
	case <-time.After(time.Minute):
		t.Fatal("the sweep waits for a busy worker")
	}
	if s := e.Ports(); s.Draining != 2*pairs {
		t.Fatalf("%d ports drain, want %d", s.Draining, 2*pairs)
	}
	close(goOn)
	for deadline := time.Now().Add(10 * time.Second); e.Ports().Draining > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("ports not given back: %+v", e.Ports())
		}
	}
}
