//go:build linux && (amd64 || arm64)

package forker

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// A worker that has the sockets of many calls to close reads the others meanwhile.
func TestCommandsDoNotHoldDatagramsUp(t *testing.T) {
	var obeyed atomic.Int64 // the worker's clock: how many commands it has carried out
	d, err := newEpollDriver(1, obeyed.Load)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.stop() }()
	local := netip.MustParseAddr("127.0.0.1")
	bind := func() *epollSocket {
		s, err := d.bind(netip.AddrPortFrom(local, 0), mediaBuffer, 0)
		if err != nil {
			t.Fatal(err)
		}
		return s.(*epollSocket)
	}
	read, sender := bind(), bind()
	at, err := rawName(read.fd)
	if err != nil {
		t.Fatal(err)
	}
	quiet := &silent{last: -1}
	if err := read.attach(&route{kind: routeQuiet, quiet: quiet}); err != nil {
		t.Fatal(err)
	}
	const many = 1000
	done := make(chan struct{})
	w := d.workers[0]
	w.post(func() { // all at once, while none is carried out
		w.post(func() {
			if err := sender.send([]byte{1}, at); err != nil {
				t.Error(err)
			}
		})
		for range many {
			w.post(func() { obeyed.Add(1) })
		}
		w.post(func() { close(done) })
	})
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the commands are not carried out")
	}
	if last, _ := quiet.get(); last < 0 || last > many/10 {
		t.Errorf("the datagram was read after %d of %d commands", last, many)
	}
}
