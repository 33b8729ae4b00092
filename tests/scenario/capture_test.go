//go:build interop

package scenario_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sidetrack/tests/peer"
)

// wire is everything that is sent on loopback while it lives.
type wire struct {
	t  *testing.T
	fd int

	mu    sync.Mutex
	clear map[string]int // datagrams that show who speaks, by destination
	all   map[string]int
	done  chan struct{}
	ended bool
}

// capture begins to read the loopback device. It needs root.
func capture(t *testing.T) *wire {
	t.Helper()
	const everything = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, everything)
	if err != nil {
		unable(t, "capturing needs root: "+err.Error())
	}
	w := &wire{t: t, fd: fd, clear: map[string]int{}, all: map[string]int{}, done: make(chan struct{})}
	timeout := unix.NsecToTimeval(int64(100 * time.Millisecond))
	for _, err := range []error{
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: 1}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	go w.read()
	t.Cleanup(func() {
		w.mu.Lock()
		w.ended = true
		w.mu.Unlock()
		<-w.done
		unix.Close(fd)
	})
	return w
}

func (w *wire) read() {
	defer close(w.done)
	frame := make([]byte, 65536)
	for {
		n, err := unix.Read(w.fd, frame)
		w.mu.Lock()
		if w.ended {
			w.mu.Unlock()
			return
		}
		if err == nil {
			w.note(frame[:n])
		}
		w.mu.Unlock()
	}
}

// note takes a frame of Ethernet, IPv4 and UDP.
func (w *wire) note(frame []byte) {
	if len(frame) < 14+20+8 || binary.BigEndian.Uint16(frame[12:]) != 0x0800 || frame[14+9] != 17 {
		return
	}
	to := netip.AddrFrom4([4]byte(frame[14+16 : 14+20])).String()
	w.all[to]++
	if bytes.Contains(frame, []byte("id|call")) {
		w.clear[to]++
	}
}

// judge tells whether datagrams in clear were sent to that address.
func (w *wire) judge(to string, want bool) {
	w.t.Helper()
	seen := func() (clear, all int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.clear[to], w.all[to]
	}
	if want {
		peer.Eventually(func() bool { n, _ := seen(); return n > 0 })
	}
	clear, all := seen()
	w.t.Logf("%s: %d datagrams, %d of them in clear", to, all, clear)
	if want != (clear > 0) {
		w.t.Errorf("%s was sent %d datagrams, %d of them in clear", to, all, clear)
	}
}
