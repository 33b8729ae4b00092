package forker

import (
	"strings"
	"testing"
	"time"

	"fmt"
)

// The golden table of the numbering: each line of a script is one packet in
// and what leaves. The copy's own numbers start at sequence 1000 and timestamp
// 10000; the source's at what the script says.
//
//	+20 a 65535 160        20 ms later, SSRC a, seq, ts; copied
//	+20 a 65535 160 skip   left out on purpose (payload type)
//	pause                  Tap.Pause; packets are to be written with skip until the resume
func TestNumbering(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "+0 a 7 100; +20 a 8 260; +20 a 9 420", "1000 10000; 1001 10160; 1002 10320"},
		{"loss shows", "+0 a 7 0; +60 a 10 480; +20 a 11 640", "1000 10000; 1003 10480; 1004 10640"},
		{"reordering shows", "+0 a 7 0; +20 a 9 320; +5 a 8 160; +15 a 10 480", "1000 10000; 1002 10320; 1001 10160; 1003 10480"},
		{"duplicates show", "+0 a 7 0; +20 a 8 160; +0 a 8 160; +20 a 9 320", "1000 10000; 1001 10160; 1001 10160; 1002 10320"},
		{"before the first", "+0 a 7 160; +0 a 6 0", "1000 10000; 999 9840"},
		{"source wraps", "+0 a 65534 0; +20 a 65535 160; +20 a 0 320; +0 a 65535 160; +20 a 1 480",
			"1000 10000; 1001 10160; 1002 10320; 1001 10160; 1003 10480"},
		{"timestamp wraps", "+0 a 1 4294967200; +20 a 2 64", "1000 10000; 1001 10160"},
		{"a minute lost is a loss", "+0 a 1 0; +80000 a 4001 640000", "1000 10000; 5000 650000"},
		{"new SSRC goes on", "+0 a 7 0; +20 a 8 160; +40 b 500 777; +20 b 501 937",
			"1000 10000; 1001 10160; 1002 10480; 1003 10640"},
		{"stragglers of the old SSRC keep their numbers", "+0 a 7 0; +20 a 9 320; +20 b 500 0; +1 a 8 160; +19 b 501 160",
			"1000 10000; 1002 10320; 1003 10480; 1001 10160; 1004 10640"},
		{"an old SSRC's unseen packets are late", "+0 a 7 0; +20 b 500 0; +20 b 499 0", "1000 10000; 1001 10160; late"},
		{"restart with the same SSRC", "+0 a 7 0; +20 a 8 160; +20 a 40000 3000000000; +20 a 40001 3000000160",
			"1000 10000; 1001 10160; 1002 10320; 1003 10480"},
		{"restart a little back, the clock goes on", "+0 a 7 0; +20 a 200 160; +20 a 90 320; +20 a 91 480; +20 a 92 640; +20 a 93 800; +20 a 94 960; +20 a 95 1120",
			"1000 10000; 1193 10160; 1083 10320; 1084 10480; 1085 10640; 1086 10800; 1194 10960; 1195 11120"},
		{"four that come twice are no restart", "+0 a 7 0; +20 a 8 160; +20 a 9 320; +20 a 10 480; +0 a 7 0; +0 a 8 160; +0 a 9 320; +0 a 10 480; +20 a 11 640",
			"1000 10000; 1001 10160; 1002 10320; 1003 10480; 1000 10000; 1001 10160; 1002 10320; 1003 10480; 1004 10640"},
		{"clock restarts, numbers go on", "+0 a 7 0; +40 a 9 3000000000; +20 a 10 3000000160",
			"1000 10000; 1002 10320; 1003 10480"},
		{"left out without a gap", "+0 a 7 0; +20 a 8 160 skip; +20 a 9 320 skip; +20 a 10 480",
			"1000 10000; -; -; 1001 10480"},
		{"loss beside what is left out shows", "+0 a 7 0; +40 a 9 320 skip; +40 a 11 640",
			"1000 10000; -; 1003 10640"},
		{"late packet beside what is left out", "+0 a 7 0; +40 a 9 320 skip; +1 a 8 160; +19 a 10 480; +1 a 8 160",
			"1000 10000; -; 1001 10160; 1002 10480; 1001 10160"},
		{"late packet within what is left out", "+0 a 7 0; +20 a 8 160 skip; +40 a 10 480 skip; +1 a 9 320; +19 a 11 640; +1 a 9 320",
			"1000 10000; -; -; late; 1001 10640; late"},
		{"pause: no gap in numbers, real gap in time", "+0 a 7 0; pause; +20 a 8 160 skip; +60000 a 3008 480160 skip; +20 a 3009 480320; +20 a 3010 480480",
			"1000 10000; -; -; 1001 490320; 1002 490480"},
		{"pause: losses at its edges vanish", "+0 a 7 0; pause; +40 a 9 320 skip; +40 a 11 640", "1000 10000; -; 1001 10640"},
		{"pause while the source is silent and its clock stands", "+0 a 7 0; pause; +5000 a 8 160; +20 a 9 320",
			"1000 10000; 1001 50000; 1002 50160"},
		{"pause while the source changes", "+0 a 7 0; pause; +20 b 100 0 skip; +20 b 101 160 skip; +20 b 102 320; +20 b 103 480",
			"1000 10000; -; -; 1001 10480; 1002 10640"},
		{"packets of before a pause are late after it", "+0 a 7 0; pause; +20 a 8 160 skip; +20 a 10 480 skip; +20 a 11 640; +1 a 9 320",
			"1000 10000; -; -; 1001 10640; late"},
		{"late packets while the pause is ending", "+0 a 7 0; +20 a 9 320; pause; +20 a 10 480 skip; +1 a 8 160; +19 a 11 640",
			"1000 10000; 1002 10320; -; late; 1003 10640"},
		{"pause before anything was sent", "pause; +0 a 7 0; +20 a 8 160", "1000 10000; 1001 10160"},
		{"telephone event keeps its timestamp", "+0 a 7 0; +20 a 8 160; +20 a 9 160; +20 a 10 160; +1 a 11 160; +1 a 12 160; +18 a 13 800",
			"1000 10000; 1001 10160; 1002 10160; 1003 10160; 1004 10160; 1005 10160; 1006 10800"},
		{"a source after an event begins when that has passed", "+0 a 7 0; +20 a 8 160; +20 a 9 160; +20 a 10 160; +20 a 11 160; +20 b 1 0",
			"1000 10000; 1001 10160; 1002 10160; 1003 10160; 1004 10160; 1005 10800"},
		{"flapping SSRCs stay in order", "+0 a 7 0; +20 b 500 0; +20 a 8 160; +20 b 501 160",
			"1000 10000; 1001 10160; 1002 10320; 1003 10480"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := new(numbering).play(t, tc.in); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

// play runs a script and shows what leaves, with the SSRC where the source's are kept.
func (n *numbering) play(t *testing.T, script string) string {
	t.Helper()
	var out []string
	now := int64(time.Hour)
	for line := range strings.SplitSeq(script, "; ") {
		if line == "pause" {
			n.pause()
			continue
		}
		var ms int64
		var ssrc, opt string
		h := &header{}
		if _, err := fmt.Sscan(line+" .", &ms, &ssrc, &h.seq, &h.ts, &opt); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		h.ssrc = uint32(ssrc[0])
		now += ms * int64(time.Millisecond)
		if opt == "skip" {
			n.skip(h, 8000, now)
			out = append(out, "-")
			continue
		}
		if !n.started {
			n.start(h, 8000, now, 1000, 10000)
		}
		seq, ts, ok := n.next(h, 8000, now)
		if !ok {
			out = append(out, "late")
			continue
		}
		shown := fmt.Sprint(seq, " ", ts)
		if n.kept != nil {
			shown = fmt.Sprintf("%c %s", rune(n.leaves(h, 'o')), shown)
		}
		out = append(out, shown)
	}
	return strings.Join(out, "; ")
}

// The copy's own numbers wrap too, and a codec's clock decides how far a new
// source's timestamp moves on.
func TestNumberingWrapsAndClocks(t *testing.T) {
	var n numbering
	h := &header{seq: 5, ts: 50, ssrc: 1}
	n.start(h, 8000, 0, 65535, 1<<32-100)
	if seq, ts, _ := n.next(h, 8000, 0); seq != 65535 || ts != 1<<32-100 {
		t.Fatalf("first: %d %d", seq, ts)
	}
	h = &header{seq: 6, ts: 210, ssrc: 1}
	if seq, ts, _ := n.next(h, 8000, int64(20*time.Millisecond)); seq != 0 || ts != 60 {
		t.Fatalf("wrapped: %d %d", seq, ts)
	}
	h = &header{seq: 900, ts: 9, ssrc: 2}
	if seq, ts, _ := n.next(h, 48000, int64(1020*time.Millisecond)); seq != 1 || ts != 60+48000 {
		t.Fatalf("new clock: %d %d", seq, ts)
	}
	if got := n.timestamp(int64(1520 * time.Millisecond)); got != 60+48000+24000 {
		t.Errorf("extrapolated: %d", got)
	}
}

// Sources in good order, however they are paused, thinned out and exchanged,
// leave as one run of numbers without gap or repetition.
func FuzzNumbering(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 0x11, 3, 0, 1, 0x42, 200})
	f.Add([]byte("pausing and skipping and changing the source"))
	f.Fuzz(func(t *testing.T, script []byte) {
		var n numbering
		now, in := int64(time.Hour), header{seq: 65530, ssrc: 1}
		last, have := uint16(0), false
		for _, c := range script {
			now += int64(20 * time.Millisecond)
			in.seq++
			in.ts += 160
			switch {
			case c&7 == 1:
				n.pause()
				continue
			case c&7 == 2:
				n.skip(&in, 8000, now)
				continue
			case c&7 == 3:
				in.ssrc, in.seq, in.ts = in.ssrc+1, uint16(c)*251, uint32(c)<<20
			}
			if !n.started {
				n.start(&in, 8000, now, 65000, 0)
			}
			seq, _, ok := n.next(&in, 8000, now)
			if !ok || have && seq != last+1 {
				t.Fatalf("number %d (%v) after %d", seq, ok, last)
			}
			last, have = seq, true
		}
	})
}
