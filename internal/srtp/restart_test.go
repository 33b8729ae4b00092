package srtp_test

import (
	"encoding/binary"
	"testing"

	pion "github.com/pion/srtp/v3"

	"sidetrack/internal/srtp"
)

// receiver is who opens SRTP as RFC 3711 says: a replay list, a rollover counter
// that follows, and no search.
func receiver(t testing.TB, k *srtp.Key) *pion.Context {
	t.Helper()
	return newSender(t, k, pion.SRTPReplayProtection(128)).ctx
}

// A source that begins its numbers anew is heard again after a packet or a few,
// each number once; what is late or comes twice is no restart.
func TestARestartedSourceIsHeard(t *testing.T) {
	type run struct{ from, n int }
	for _, c := range []struct {
		name string
		runs []run
		lost int // of all, until the sealer believes it
		same int // packets of the last run that come twice, or late, and are not sealed
	}{
		{"back to the beginning", []run{{3000, 200}, {1, 200}}, 1, 0},
		{"far back, over the counter's end", []run{{65500, 200}, {40000, 200}}, 1, 0},
		{"to the highest number", []run{{100, 50}, {65535, 300}}, 1, 0},
		{"65535 in the middle", []run{{30000, 50}, {65535, 300}}, 1, 0},
		{"ahead, which is a loss", []run{{30000, 50}, {50000, 300}}, 0, 0},
		{"the same again, as a file that is played twice", []run{{700, 300}, {700, 300}, {700, 300}}, 2, 0},
		{"a little back", []run{{700, 50}, {705, 300}}, 4, 0},
		{"back by way of numbers that were never used", []run{{12403, 48}, {12385, 48}}, 4, 0},
		{"often", []run{{9, 40}, {50000, 40}, {20000, 40}, {60001, 40}, {3, 40}}, 3, 0},
		{"one that was late", []run{{700, 50}, {720, 1}, {750, 50}}, 0, 1},
		{"a burst that comes twice", []run{{700, 50}, {746, 4}, {750, 50}}, 0, 4},
		{"strays", []run{{700, 50}, {9, 1}, {750, 5}, {9, 1}, {755, 5}}, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := key(t, srtp.AESCM128SHA80)
			s, err := srtp.NewSealer(k)
			if err != nil {
				t.Fatal(err)
			}
			s.Renumber = true
			far, seen := receiver(t, k), map[uint16]bool{}
			missed, sent := 0, 0
			for _, r := range c.runs {
				for i := range r.n {
					p := packet(uint16(r.from+i), 7)
					sent++
					out, err := s.RTP(p)
					if err != nil {
						missed++
						continue
					}
					clear, err := far.DecryptRTP(nil, out, nil)
					if err != nil {
						t.Fatalf("packet %d of the run from %d: %v", i, r.from, err)
					}
					n := binary.BigEndian.Uint16(clear[2:])
					if seen[n] {
						t.Fatalf("number %d twice", n)
					}
					seen[n] = true
					binary.BigEndian.PutUint16(clear[2:], binary.BigEndian.Uint16(p[2:]))
					if string(clear) != string(p) {
						t.Fatalf("besides the number, % x of % x", clear, p)
					}
				}
			}
			if missed != c.lost+c.same {
				t.Errorf("%d of %d packets lost, want %d", missed, sent, c.lost+c.same)
			}
		})
	}
}

// Whatever the numbers are that a source sends, those that leave are read by who
// follows RFC 3711, and no index is used twice.
func FuzzRestart(f *testing.F) {
	f.Add([]byte("\x01\x00\x05\xff\xff\x09\x00\x00\x20"))
	f.Add([]byte("0s00a0")) // back by way of numbers that were never used
	f.Add([]byte("numbers that come as they like"))
	k := key(f, srtp.AESCM128SHA80)
	f.Fuzz(func(t *testing.T, script []byte) {
		s, err := srtp.NewSealer(k)
		if err != nil {
			t.Fatal(err)
		}
		s.Renumber = true
		far := receiver(t, k)
		for ; len(script) >= 3; script = script[3:] {
			from, n := binary.BigEndian.Uint16(script), int(script[2]%64)
			heard := 0
			for i := range n {
				out, err := s.RTP(packet(from+uint16(i), 7))
				if err != nil {
					continue
				}
				heard++
				if _, err := far.DecryptRTP(nil, out, nil); err != nil {
					t.Fatalf("packet %d: %v", from+uint16(i), err)
				}
			}
			if heard < n-4 {
				t.Fatalf("%d of %d packets from %d on are heard", heard, n, from)
			}
		}
	})
}
