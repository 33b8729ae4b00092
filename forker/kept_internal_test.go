package forker

import (
	"testing"
	"time"
)

// The golden table of copies that keep the source's numbers, as that of
// TestNumbering; before the numbers stands the SSRC that leaves, o is our own.
func TestKeptNumbering(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"as they are", "+0 a 7 100; +20 a 8 260; +60 a 11 740; +5 a 10 580; +0 a 10 580", "a 7 100; a 8 260; a 11 740; a 10 580; a 10 580"},
		{"source wraps", "+0 a 65535 4294967200; +20 a 0 64; +0 a 65535 4294967200", "a 65535 4294967200; a 0 64; a 65535 4294967200"},
		{"new SSRC", "+0 a 7 0; +40 b 500 777; +20 b 501 937", "a 7 0; b 500 777; b 501 937"},
		{"stragglers keep their SSRC", "+0 a 7 0; +20 a 9 320; +20 b 500 0; +1 a 8 160; +19 b 501 160", "a 7 0; a 9 320; b 500 0; a 8 160; b 501 160"},
		{"a source comes back", "+0 a 7 0; +20 b 500 0; +3000 a 157 24160; +20 b 501 160", "a 7 0; b 500 0; a 157 24160; b 501 160"},
		{"a source comes back anew", "+0 a 7000 0; +20 b 500 0; +3000 a 90 24160; +20 a 91 24320; +20 b 501 160; +20 a 92 24480",
			"a 7000 0; b 500 0; a 7001 24160; a 7002 24320; b 501 160; a 7003 24480"},
		{"restart with the same SSRC", "+0 a 7 0; +20 a 8 160; +20 a 40000 3000000000; +20 a 40001 3000000160", "a 7 0; a 8 160; a 9 320; a 10 480"},
		{"restart, then another and back", "+0 a 7 0; +20 a 40000 3000000000; +20 b 1 1; +20 a 40001 3000000160", "a 7 0; a 8 160; b 1 1; a 9 320"},
		{"the clock is the source's", "+0 a 7 0; +40 a 9 3000000000; +20 a 10 3000000160", "a 7 0; a 9 3000000000; a 10 3000000160"},
		{"left out is a hole", "+0 a 7 0; +20 a 8 160 skip; +20 a 9 320 skip; +20 a 10 480; +1 a 9 320", "a 7 0; -; -; a 10 480; late"},
		{"a pause is a hole", "+0 a 7 0; pause; +20 a 8 160 skip; +40 a 10 480 skip; +20 a 11 640; +1 a 9 320", "a 7 0; -; -; a 11 640; late"},
		{"pause while the source changes", "+0 a 7 0; pause; +20 b 100 0 skip; +20 b 101 160 skip; +20 b 102 320; +20 b 103 480", "a 7 0; -; -; b 102 320; b 103 480"},
		{"too many sources share ours", "+0 a 1 0; +20 b 2 0; +20 c 3 0; +20 d 4 0; +20 e 5 0; +20 f 6 0; +20 g 7 0; +20 h 8 0; +20 i 99 5; +20 i 100 165; +20 j 7 7; +20 a 2 1280; +20 i 101 999; +20 j 8 8",
			"a 1 0; b 2 0; c 3 0; d 4 0; e 5 0; f 6 0; g 7 0; h 8 0; o 99 5; o 100 165; o 101 325; a 2 1280; o 102 645; o 103 805"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := numbering{kept: &kept{own: 'o'}}
			if got := n.play(t, tc.in); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

// However sources come, go, come back and begin anew, no two packets of a copy
// that keeps their numbers look like one, and the numbers of each only rise.
func FuzzKept(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 0x11, 3, 0, 1, 0x42, 200})
	f.Add([]byte("pausing and skipping and changing the source"))
	f.Fuzz(func(t *testing.T, script []byte) {
		n := numbering{kept: &kept{own: 1 << 31}}
		now, in := int64(time.Hour), header{seq: 65530, ssrc: 1}
		newest := map[uint32]uint16{}
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
			case c&7 == 3: // another source, or one of before, that begins somewhere
				now += int64(3 * time.Second) // not its own straggler
				in.ssrc, in.seq, in.ts = uint32(c>>3), uint16(c)*251, in.ts+1<<27
			}
			if !n.started {
				n.start(&in, 8000, now, 65000, 0)
			}
			seq, _, ok := n.next(&in, 8000, now)
			if !ok {
				continue
			}
			from := n.leaves(&in, 1<<31)
			if last, known := newest[from]; known && int16(seq-last) <= 0 {
				t.Fatalf("source %d leaves as %d with number %d after %d", in.ssrc, from, seq, last)
			}
			newest[from] = seq
			if len(newest) > keptSources+1 || len(n.kept.places) > keptSources+1 {
				t.Fatalf("%d sources", len(newest))
			}
		}
	})
}
