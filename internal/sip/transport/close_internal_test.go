package transport

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// farewell is a connection whose end takes until the others have begun theirs.
type farewell struct {
	net.Conn
	left *atomic.Int32
	all  chan struct{} // closed when all have begun, or the test gives up
}

func (f farewell) Close() error {
	if f.left.Add(-1) == 0 {
		close(f.all)
	}
	<-f.all
	return nil
}

// A peer that reads nothing keeps the goodbye of TLS for seconds. They are not added up.
func TestConnectionsCloseSideBySide(t *testing.T) {
	const n = 3
	f := farewell{left: new(atomic.Int32), all: make(chan struct{})}
	f.left.Store(n)
	layer := New(Config{})
	for id := range uint64(n) {
		layer.conns[id] = &conn{layer: layer, nc: f, ended: make(chan struct{})}
	}
	closed := make(chan error)
	go func() { closed <- layer.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("one waits for the other")
		f.left.Store(0) // nobody closes it any more
		close(f.all)
		<-closed
	}
}
