package forker_test

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"sidetrack/forker"
	codec "sidetrack/internal/audio"
)

// An announcement is one source that begins with a marker and has neither gap nor
// step; the callee, not heard meanwhile, goes on with a marker, bit for bit.
func TestAnnouncement(t *testing.T) {
	for name, c := range mixable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newToneCall(t, name, c)
			k.hear(3)
			c.Name = k.codec.Name
			said := codec.Sine(11025, 700, .3, 11025*29/100) // 290 ms: 15 packets
			if err := k.relay.Play(forker.SideA, 0, 0, c, forker.Announcement{PCM: said, Rate: 11025}); err != nil {
				t.Fatal(err)
			}
			k.callee.send(k.toB, k.frame()) // nobody hears it
			dec, heard := k.codec.NewDecoder(), []int16(nil)
			var ssrc, first uint32
			var seq uint16
			for i := range 15 {
				raw, from := k.caller.recv()
				p := parse(t, raw)
				if i == 0 {
					ssrc, first, seq = p.SSRC, p.Timestamp, p.SequenceNumber
				}
				step := uint32(k.codec.Ticks(int64(k.codec.Rate / 50)))
				if p.Marker != (i == 0) || p.SSRC != ssrc || p.Timestamp != first+uint32(i)*step || p.SequenceNumber != seq+uint16(i) || p.PayloadType != 0 || from != k.toA {
					t.Errorf("packet %d from %v: %+v", i, from, p.Header)
				}
				heard = dec.Decode(heard, p.Payload)
			}
			if ssrc == 7 {
				t.Error("the callee's SSRC")
			}
			found := codec.Bursts(left(k.codec, heard), k.codec.Rate, 700)
			if len(found) != 1 || !within(found[0].Hertz, 700, .01) || !within(found[0].Amplitude, .3, .02) || !within(found[0].Length, .29, .02) {
				t.Errorf("%+v", found)
			}
			var sent [][]byte
			var got []byte
			for resumed := false; !resumed; { // until the end of the announcement has been seen to
				b := k.frame()
				sent = append(sent, b)
				k.callee.send(k.toB, b)
				got, _, resumed = k.caller.tryRecv(20e6)
			}
			for len(sent) > 0 && !bytes.Equal(got[2:], sent[0][2:]) {
				sent = sent[1:] // not heard
			}
			if len(sent) == 0 || got[1] != sent[0][1]|0x80 {
				t.Fatalf("the callee goes on with % x", got[:16])
			}
			for _, b := range sent[1:] { // it came later than awaited
				k.caller.want(b)
			}
			if _, altered := k.hear(5); altered > 0 {
				t.Error("the callee is not heard as sent")
			}
		})
	}
}

// The recorder has the callee all the time, or with Copy what the caller hears.
func TestAnnouncementAndTheCopy(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		for _, copied := range []bool{false, true} {
			c := newCall(t, newEngine(t, cfg))
			tap, err := c.relay.Fork(0, forker.BA, forker.TapConfig{Label: "2"})
			if err != nil {
				t.Fatal(err)
			}
			srs := newPeer(t, srsHost)
			tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{0: 0})
			said := bytes.Repeat([]byte{0xff}, 160)
			if err := c.relay.Play(forker.SideA, 0, 0, forker.Codec{Name: "PCMU", Clock: 8000}, forker.Announcement{PCM: make([]int16, 320), Rate: 8000, Copy: copied}); err != nil {
				t.Fatal(err)
			}
			c.caller.recv()
			c.callee.send(c.toB, audioPacket(0, 9, 0))
			c.caller.recv()
			eventually(t, "copies", func() bool { return tap.Stats().Copied >= 1 })
			raw, _ := srs.recv()
			if p := parse(t, raw); bytes.Equal(p.Payload, said) != copied {
				t.Errorf("copied %v: % x", copied, p.Payload[:4])
			}
			c.relay.Close()
		}
	})
}

// Another announcement takes the place of the first; what cannot be played is
// refused, and a relay may close while one is heard.
func TestAnnouncementsEnd(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		g711 := forker.Codec{Name: "PCMA", Clock: 8000}
		long := forker.Announcement{PCM: make([]int16, 80000), Rate: 8000}
		for range 2 {
			if err := c.relay.Play(forker.SideB, 0, 8, g711, long); err != nil {
				t.Fatal(err)
			}
		}
		sources := map[uint32]int{}
		for sources[lastOf(sources)] < 4 || len(sources) > 2 {
			raw, _ := c.callee.recv()
			sources[parse(t, raw).SSRC]++
		}
		for _, refused := range []error{
			c.relay.Play(forker.SideA, 0, 18, forker.Codec{Name: "G729", Clock: 8000}, long),
			c.relay.Play(forker.SideA, 0, 0, g711, forker.Announcement{PCM: long.PCM}),
			c.relay.Play(7, 0, 0, g711, long),
		} {
			if !errors.Is(refused, forker.ErrNotPlayable) {
				t.Errorf("%v", refused)
			}
		}
		secure := audio(c.caller.addr())
		secure.Secure = true
		c.relay.SetRemote(forker.SideA, 0, secure)
		if err := c.relay.Play(forker.SideA, 0, 8, g711, long); !errors.Is(err, forker.ErrNotPlayable) {
			t.Errorf("into SRTP: %v", err)
		}
		c.relay.Close()
		if err := c.relay.Play(forker.SideB, 0, 8, g711, long); !errors.Is(err, forker.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}

// lastOf is the source with the most packets.
func lastOf(sources map[uint32]int) (best uint32) {
	for ssrc, n := range sources {
		if n > sources[best] {
			best = ssrc
		}
	}
	return best
}
