package forker_test

import (
	"sync"
	"testing"
	"time"

	"sidetrack/forker"
	"sidetrack/internal/srtp"
)

// pressed collects what a relay tells of keys.
type pressed struct {
	mu  sync.Mutex
	got []forker.Digit
}

func (p *pressed) tell(d forker.Digit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, d)
}

func (p *pressed) want(t *testing.T, want ...forker.Digit) {
	t.Helper()
	same := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.got) < len(want) {
			return false
		}
		for i, d := range want {
			if p.got[i] != d {
				t.Fatalf("key %d: %+v, want %+v", i, p.got[i], d)
			}
		}
		if len(p.got) > len(want) {
			t.Fatalf("too much: %+v", p.got)
		}
		return true
	}
	eventually(t, "the keys", same)
}

func key(code byte, b []byte) []byte {
	b[12] = code
	return b
}

func listen(c *call) *pressed {
	p := &pressed{}
	for _, f := range []forker.Flow{forker.AB, forker.BA} {
		c.relay.SetCodecs(0, f, codecs)
	}
	c.relay.OnDigit(p.tell)
	return p
}

// A key is many packets and one digit: three ends, a repeated packet, a late one.
func TestDigitIsToldOnce(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		p := listen(c)
		c.play(digit(0))
		c.play([][]byte{event(6, 320, true, 640), event(4, 320, false, 320), audioPacket(0, 11, 1280)})
		p.want(t, forker.Digit{Side: forker.SideA, Key: '5', Duration: 80 * time.Millisecond})
		c.callee.send(c.toB, key(11, event(1, 7, true, 800)))
		p.want(t, forker.Digit{Side: forker.SideA, Key: '5', Duration: 80 * time.Millisecond},
			forker.Digit{Side: forker.SideB, Key: '#', Duration: 100 * time.Millisecond})
	})
}

// Where all ends are lost the next key, another source or silence ends it; what
// is no key (16 is a flash) is none; a key of nine seconds comes in segments.
func TestDigitsWithoutEnds(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		p := listen(c)
		long := func(seq uint16, ts uint32, end bool, duration uint16) []byte {
			return key(10, event(seq, ts, end, duration))
		}
		c.play([][]byte{
			key(1, event(1, 100, false, 160)), key(1, event(2, 100, false, 320)),
			key(1, event(3, 900, false, 160)), // the same key again
			key(16, event(4, 1500, true, 160)),
			long(5, 2000, false, 65535), long(6, 67535, false, 3200), long(7, 67535, true, 6465), long(8, 67535, true, 6465),
			key(9, event(9, 90000, false, 400)),
		})
		p.want(t, forker.Digit{Key: '1', Duration: 40 * time.Millisecond}, forker.Digit{Key: '1', Duration: 20 * time.Millisecond},
			forker.Digit{Key: '*', Duration: 9 * time.Second}, forker.Digit{Key: '9', Duration: 50 * time.Millisecond})
		c.relay.OnDigit(nil)
		c.play([][]byte{key(2, event(10, 99000, true, 400))})
		if c.relay.Press(forker.Digit{Key: '3'}) {
			t.Error("swallowed unasked")
		}
	})
}

// Swallowed keys do not reach the other party, whose packets are numbered as if
// there had been none; the copy still has them.
func TestSwallowedDigit(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		p := listen(c)
		_, srs := forkRule(t, c, forker.TapConfig{Label: "1"})
		c.relay.SwallowDigits(forker.SideA, true)
		for _, b := range digit(0) {
			c.caller.send(c.toA, b)
		}
		c.relay.SwallowDigits(forker.SideB, true)
		for i, ts := range []uint32{0, 160, 960, 1120} {
			c.callee.want(audioPacket(0, uint16(1+i), ts))
		}
		p.want(t, forker.Digit{Side: forker.SideA, Key: '5', Duration: 80 * time.Millisecond})
		if !c.relay.Press(forker.Digit{Side: forker.SideB, Key: 'A', Duration: time.Second}) {
			t.Error("a key in the signalling goes on")
		}
		c.relay.Press(forker.Digit{Side: forker.SideA, Key: '5', Duration: time.Second}) // the same press
		p.want(t, forker.Digit{Side: forker.SideA, Key: '5', Duration: 80 * time.Millisecond},
			forker.Digit{Side: forker.SideB, Key: 'A', Duration: time.Second})
		for range digit(0) {
			srs.recv()
		}
		c.relay.SwallowDigits(forker.SideA, false)
		c.caller.send(c.toA, event(11, 1280, true, 160))
		c.callee.want(event(5, 1280, true, 160))
		fresh := rtp(0, 77, 5, 9)
		c.caller.send(c.toA, fresh) // another source: as it is
		c.callee.want(fresh)
	})
}

// Keys in SRTP that only passes are told where its key is known; they cannot be
// swallowed.
func TestDigitInSRTP(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		party := newPhone(t, srtp.AESCM128SHA80)
		c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), party.key))
		p := listen(c)
		c.relay.SwallowDigits(forker.SideA, true)
		for _, b := range digit(0) {
			c.passes(party.seal(b))
		}
		p.want(t, forker.Digit{Side: forker.SideA, Key: '5', Duration: 80 * time.Millisecond})
	})
}
