package forker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// clockRig is a rig whose source speaks a codec of any clock, in slots of 20 ms, and
// whose recorder takes PCMA and telephone-events.
type clockRig struct {
	*rig
	t     *testing.T
	codec Codec
	voice [][]byte
	seq   uint16
	slot  int    // of the source's time
	whole []byte // the packet that was sent last, as it was
	left  []leaving
}

// leaving is a copy that has left.
type leaving struct {
	header
	slot    int // in which it left
	payload []byte
}

const (
	ptVoice = 96
	ptEvent = 101
)

func newClockRig(t *testing.T, c Codec, event int, cfg TapConfig) *clockRig {
	g := &clockRig{rig: newRig(), t: t, codec: c}
	if c.Name == "opus" {
		b, err := os.ReadFile("../internal/audio/testdata/celt.opus")
		if err != nil {
			t.Fatal(err)
		}
		for len(b) >= 2 {
			n := int(binary.BigEndian.Uint16(b))
			g.voice, b = append(g.voice, b[2:2+n]), b[2+n:]
		}
	} else {
		g.voice = [][]byte{bytes.Repeat([]byte{0x20}, codingOf(c).perTick()*c.Clock/50)}
	}
	g.tap.cfg = cfg
	if cfg.Transcode {
		g.tap.transcoder = &transcoder{pt: unmapped}
	}
	for i := range g.tap.pt {
		g.tap.pt[i] = unmapped
	}
	g.tap.pt[8], g.tap.pt[ptEvent] = 8, ptEvent
	if !cfg.Transcode {
		g.tap.pt[ptVoice] = ptVoice
	}
	g.tap.SetCodecs(map[uint8]Codec{ptVoice: c, 8: {Name: "PCMA", Clock: 8000}, ptEvent: {Name: "telephone-event", Clock: event}})
	g.copies.each = func(b []byte) {
		h, ok := readHeader(b)
		if !ok {
			t.Errorf("no RTP: % x", b)
		}
		payload, _ := payloadOf(b, &h)
		g.left = append(g.left, leaving{h, g.slot, bytes.Clone(payload)})
	}
	return g
}

// ticks is the source's time.
func (g *clockRig) ticks(slot int) uint32 { return 1<<31 + uint32(slot*g.codec.Clock/50) }

func (g *clockRig) send(pt uint8, ts uint32, payload []byte) {
	g.seq++
	b := append([]byte{0x80, pt, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, payload...)
	writeHeader(b, pt, g.seq, ts, 3)
	g.whole = bytes.Clone(b)
	g.now = int64(time.Hour) + int64(g.slot)*20e6
	g.caller.handle(b, g.from, g.now)
}

// say sends packets of audio.
func (g *clockRig) say(n int) {
	for range n {
		g.send(ptVoice, g.ticks(g.slot), g.voice[g.slot%len(g.voice)])
		g.slot++
	}
}

// press sends a key of so many slots, its end three times; beside: audio goes on meanwhile. The
// event begins at that time.
func (g *clockRig) press(start uint32, slots int, beside bool) {
	for i := range slots + 2 {
		lasts, end := min(i+1, slots), byte(0)
		if lasts == slots {
			end = 0x80
		}
		payload := []byte{5, 10 | end, 0, 0}
		binary.BigEndian.PutUint16(payload[2:], uint16(lasts*int(g.tap.clockOf(ptEvent))/50))
		g.send(ptEvent, start, payload)
		if i < slots {
			if beside {
				g.send(ptVoice, g.ticks(g.slot), g.voice[g.slot%len(g.voice)])
			}
			g.slot++
		}
	}
}

// audio are the copies of audio; all of them have left one number after the other.
func (g *clockRig) audio() (out []leaving) {
	g.t.Helper()
	for i, p := range g.left {
		switch {
		case i > 0 && p.seq != g.left[i-1].seq+1:
			g.t.Errorf("copy %d: %+v after %+v", i, p.header, g.left[i-1].header)
		case p.pt == ptEvent:
			continue
		case p.pt != 8:
			g.t.Errorf("copy %d: %+v", i, p.header)
		}
		out = append(out, p)
	}
	return out
}

// What is left out of a copy that is turned into G.711, and what goes beside it, is
// measured by the same clock as the rest: nothing moves the copy's time, early in a call nor late.
func TestTranscodedTime(t *testing.T) {
	for _, c := range []Codec{{Name: "opus", Clock: 48000, Channels: 2}, {Name: "L16", Clock: 16000}, {Name: "L16", Clock: 11025}} {
		silences := map[int][]int{48000: {0, 250, 1000}, 16000: {750}, 11025: {0}}
		for _, late := range silences[c.Clock] { // slots, before
			for name, tc := range map[string]struct {
				cfg   TapConfig
				event int
				do    func(g *clockRig)
				audio int // copies of audio that leave meanwhile
			}{
				"pause": {do: func(g *clockRig) { g.tap.Pause(); g.say(40); g.tap.Resume() }},
				"pause as silence": {cfg: TapConfig{Pause: PauseSilence}, audio: 40,
					do: func(g *clockRig) { g.tap.Pause(); g.say(40); g.tap.Resume() }},
				"pause as beeps": {cfg: TapConfig{Pause: PauseBeep}, audio: 40,
					do: func(g *clockRig) { g.tap.Pause(); g.say(40); g.tap.Resume() }},
				"mask":              {audio: 40, do: func(g *clockRig) { g.tap.Mask(PauseSilence); g.say(40); g.tap.Unmask() }},
				"key":               {do: func(g *clockRig) { g.press(g.ticks(g.slot), 10, false) }},
				"key, dropped":      {cfg: TapConfig{DTMF: DTMFDrop}, do: func(g *clockRig) { g.press(g.ticks(g.slot), 10, false) }},
				"key, own rate":     {event: c.Clock, do: func(g *clockRig) { g.press(g.ticks(g.slot), 10, false) }},
				"own rate, dropped": {event: c.Clock, cfg: TapConfig{DTMF: DTMFDrop}, do: func(g *clockRig) { g.press(g.ticks(g.slot), 10, false) }},
				"damaged":           {do: func(g *clockRig) { g.send(ptVoice, g.ticks(g.slot), nil); g.slot++ }},
				"an hour of nothing": {do: func(g *clockRig) {
					g.slot += 180000
				}},
			} {
				t.Run(fmt.Sprintf("%s %d/%d/%s", c.Name, c.Clock, late, name), func(t *testing.T) {
					tc.cfg.Transcode = true
					g := newClockRig(t, c, max(tc.event, 8000), tc.cfg)
					g.say(1)
					g.slot += late
					g.say(5)
					before := len(g.left)
					tc.do(g)
					meanwhile := g.audio()[before:]
					g.say(5)
					all := g.audio()
					if len(meanwhile) != tc.audio || len(all) != before+tc.audio+5 {
						t.Fatalf("%d copies of audio meanwhile, %d in all", len(meanwhile), len(all))
					}
					for _, p := range all {
						// A tick is lost to rounding where 20 ms are none of the source's.
						if got := int32(p.ts-g.left[0].ts) - int32(160*p.slot); got > 0 || got < -1 {
							t.Errorf("in slot %d the copy is %d ticks of G.711 from where it should be", p.slot, got)
						}
					}
					if silent := tc.cfg.Pause != PauseBeep; silent {
						for i, p := range meanwhile {
							if !bytes.Equal(p.payload, bytes.Repeat([]byte{0xd5}, len(p.payload))) && i > 2 { // filters ring
								t.Errorf("copy %d: % x", i, p.payload)
							}
						}
					}
					for _, p := range g.left {
						if p.pt == ptEvent && p.ts != g.left[before].ts {
							t.Errorf("event at %d, and at %d", p.ts, g.left[before].ts)
						}
					}
					last := g.left[len(g.left)-1]
					if got := g.tap.nums.timestamp(g.now) - last.ts; got != 0 {
						t.Errorf("a report would be off by %d ticks", int32(got))
					}
				})
			}
		}
	}
}

// A key is masked, and silence stands for it, whether its events count by the clock of the audio
// or by another one, for their timestamps too; before and after it everything is heard.
func TestMaskedKeyOfAnotherClock(t *testing.T) {
	for _, c := range []Codec{{Name: "opus", Clock: 48000, Channels: 2}, {Name: "L16", Clock: 16000}, {Name: "PCMU", Clock: 8000}} {
		for _, beside := range []bool{false, true} {
			for _, own := range []bool{false, true} {
				if own && c.Clock == 8000 {
					continue
				}
				t.Run(fmt.Sprintf("%s, audio beside it %v, timestamps of its own %v", c.Name, beside, own), func(t *testing.T) {
					g := newClockRig(t, c, 8000, TapConfig{DTMF: DTMFMask})
					g.say(100)
					const slots, tail, keys = 10, 3, 3
					masked := map[int]bool{}
					for range keys {
						start := g.ticks(g.slot)
						if own {
							start = uint32(g.slot * 160)
						}
						for i := range slots + tail {
							masked[g.slot+i] = true
						}
						g.press(start, slots, beside)
						g.say(20)
					}
					heard, end := map[int]bool{}, uint32(0)
					for i, p := range g.left {
						lasts := codingOf(c).ticksOf(p.payload)
						slot := int(p.ts-g.left[0].ts) * 50 / c.Clock
						voice := slices.ContainsFunc(g.voice, func(v []byte) bool { return bytes.Equal(v, p.payload) })
						if voice {
							heard[slot] = true
						}
						if p.pt != ptVoice || voice && masked[slot] || i > 0 && p.seq != g.left[i-1].seq+1 {
							t.Errorf("copy %d, slot %d: %+v, heard %v", i, slot, p.header, voice)
						}
						if off := int32(p.ts - end); i > 0 && off != 0 && !(own && off == 1) { // another clock begins a tick later
							t.Errorf("copy %d, slot %d: %d ticks after the end of the one before", i, slot, int32(p.ts-end))
						}
						end = p.ts + lasts
					}
					late := int(end-g.left[0].ts) - g.slot*c.Clock/50
					if want := g.slot - len(masked); len(heard) != want || late < 0 || late > keys {
						t.Errorf("%d slots heard, want %d; the copy lasts %d ticks for %d slots", len(heard), want, end-g.left[0].ts, g.slot)
					}
				})
			}
		}
	}
}

// Under the rule that masks keys what cannot be silenced is left out while the tone may be in it: the comfort
// noise that follows a key, and codecs whose silence nobody knows. The key after them is silence
// all the same.
func TestMaskOfUnknownCodecs(t *testing.T) {
	g := newClockRig(t, Codec{Name: "PCMU", Clock: 8000}, 8000, TapConfig{DTMF: DTMFMask})
	const noise, gsm = 13, 3
	g.tap.SetCodecs(map[uint8]Codec{ptVoice: g.codec, noise: {Name: "CN", Clock: 8000}, gsm: {Name: "GSM", Clock: 8000}, ptEvent: {Name: "telephone-event", Clock: 8000}})
	g.tap.pt[noise], g.tap.pt[gsm] = noise, gsm
	g.say(2)
	g.press(g.ticks(g.slot), 5, false)
	g.send(noise, g.ticks(g.slot), []byte{60})
	g.send(gsm, g.ticks(g.slot+1), make([]byte, 33))
	g.slot += 10
	g.send(gsm, g.ticks(g.slot), []byte("the key is over"))
	g.slot++
	g.send(noise, g.ticks(g.slot), []byte{60})
	g.slot += 20
	g.press(g.ticks(g.slot), 5, false)
	var got string
	for _, p := range g.left {
		got += fmt.Sprintf("%d:%d:%x ", p.pt, len(p.payload), p.payload[0])
	}
	silence := strings.Repeat("96:160:ff ", 5)
	if want := "96:160:20 96:160:20 " + silence + "3:15:74 13:1:3c " + silence; got != want {
		t.Errorf("copies\n%s, want\n%s", got, want)
	}
	if d := g.tap.counts.dropped; d[DropDTMF] != 2+2+2 || d.Total() != d[DropDTMF] {
		t.Errorf("%v", d)
	}
}

// All packets of an event have one timestamp, that of its beginning: a report in its midst, and a
// source that begins after it, go by how long it has lasted.
func TestTimeWhileAnEventLasts(t *testing.T) {
	for _, rule := range []DTMF{DTMFPass, DTMFDrop, DTMFMask} {
		for _, event := range []int{8000, 48000} {
			t.Run(fmt.Sprint(rule, event), func(t *testing.T) {
				g := newClockRig(t, Codec{Name: "opus", Clock: 48000, Channels: 2}, event, TapConfig{DTMF: rule, CNAME: "c"})
				g.say(10)
				g.press(g.ticks(g.slot), 50, false)
				g.tap.reports.due, g.tap.reports.reported = g.now, 0
				g.tap.sendReports(g.now)
				sr := firstReport(t, g.rtcp.last).(*rtcp.SenderReport)
				if got := int32(g.mediaTime(sr, g.now, 48000) - g.left[0].ts - uint32(g.slot*960)); got < -962 || got > 2 { // a packet comes when it is over, or begins
					t.Errorf("after %d slots the report is %d ticks off", g.slot, got)
				}
				if got := g.tap.nums.cur.clock; got != 48000 {
					t.Errorf("jitter would be measured by %d Hz", got)
				}
				g.seq += 1000
				g.now = int64(time.Hour) + int64(g.slot)*20e6
				b := append([]byte{0x80, ptVoice, 0, 1, 0, 0, 0, 0, 0, 0, 0, 77}, g.voice[0]...)
				g.caller.handle(b, g.from, g.now)
				if got := int32(g.left[len(g.left)-1].ts - g.left[0].ts - uint32(g.slot*960)); got < -960 || got > 0 {
					t.Errorf("the next source is %d ticks off", got)
				}
			})
		}
	}
}
