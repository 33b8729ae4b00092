package transport

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// PaceHandshakes sets how many TLS handshakes one source may have.
func (t *Layer) PaceHandshakes(every time.Duration, burst int, patience time.Duration) {
	t.paced = newPacer(every, burst, patience)
}

// A source has its burst at once and then one turn after the other, for as long as it can wait; others are not touched,
// and it is forgiven.
func TestTurnsOfASource(t *testing.T) {
	p := newPacer(100*time.Millisecond, 5, time.Second)
	now, who := time.Unix(1000, 0), netip.MustParseAddr("192.0.2.1")
	for i := range 15 {
		want := time.Duration(max(0, i-4)) * 100 * time.Millisecond
		if wait, ok := p.turn(who, now); !ok || wait != want {
			t.Errorf("turn %d: after %v, %v; want %v", i, wait, ok, want)
		}
	}
	for range 100 {
		if wait, ok := p.turn(who, now); ok {
			t.Fatalf("a turn after %v", wait)
		}
	}
	if wait, ok := p.turn(netip.MustParseAddr("192.0.2.2"), now); !ok || wait != 0 {
		t.Errorf("another source waits for %v", wait)
	}
	now = now.Add(time.Second)
	if wait, ok := p.turn(who, now); !ok || wait != 100*time.Millisecond {
		t.Errorf("after a second: %v, %v", wait, ok)
	}
	if wait, ok := p.turn(who, now.Add(10*time.Second)); !ok || wait != 0 {
		t.Errorf("after ten seconds: %v, %v", wait, ok)
	}
}

// All that one source may have open get their turn, those that it opens beyond do not cost a handshake.
func TestTurnsAreForAllPhonesOfASource(t *testing.T) {
	p := newPacer(handshakeEvery, handshakeBurst, handshakePatience)
	taken := 0
	for range 10_000 {
		if _, ok := p.turn(netip.MustParseAddr("192.0.2.1"), time.Unix(1000, 0)); ok {
			taken++
		}
	}
	if want := handshakeBurst + int(handshakePatience/handshakeEvery); taken != want || want > DefaultConnsPerSource {
		t.Errorf("%d turns, want %d", taken, want)
	}
}

// Sources without end leave no more behind than two generations, and who waits is not forgotten between them.
func TestTurnsAreBounded(t *testing.T) {
	p := newPacer(100*time.Millisecond, 1, time.Minute)
	now, who := time.Unix(1000, 0), netip.MustParseAddr("192.0.2.1")
	p.turn(who, now)
	for i := range 3 * maxPaced {
		if i%1000 == 0 {
			if wait, ok := p.turn(who, now); !ok || wait == 0 {
				t.Fatalf("after %d sources: %v, %v", i, wait, ok)
			}
		}
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 10<<24+uint32(i))
		p.turn(netip.AddrFrom4(a), now)
	}
	if n := len(p.now) + len(p.before); n > 2*maxPaced {
		t.Errorf("%d sources are remembered", n)
	}
}
