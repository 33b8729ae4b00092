package resolve

import (
	"testing"
	"time"
)

// Among records of one priority the first place is drawn by weight, and every
// record stays in the list (RFC 2782).
func TestWeightedDraw(t *testing.T) {
	records := []srv{
		{target: "later", priority: 20, weight: 100},
		{target: "heavy", priority: 10, weight: 90},
		{target: "light", priority: 10, weight: 10},
		{target: "none", priority: 10},
	}
	const rounds = 5000
	first := map[string]int{}
	for range rounds {
		list := drawn(records)
		if len(list) != 4 || list[3].target != "later" {
			t.Fatalf("drew %+v", list)
		}
		first[list[0].target]++
	}
	if h := first["heavy"]; h < rounds*8/10 || h > rounds*97/100 {
		t.Errorf("first places %v, want about nine in ten for heavy", first)
	}
	if first["light"] == 0 {
		t.Errorf("first places %v: light is never drawn", first)
	}
}

// Many names do not make the cache grow without bound.
func TestCacheIsBounded(t *testing.T) {
	var c cache
	now := time.Unix(1e9, 0)
	for i := range 3 * cacheLimit {
		c.put(question{name: string(rune(i)) + "x", kind: uint16(i % 7)}, answer{expires: now.Add(maxTTL)}, now)
	}
	if n := len(c.answers); n > cacheLimit {
		t.Errorf("%d answers kept, limit %d", n, cacheLimit)
	}
}

func FuzzParseHosts(f *testing.F) {
	f.Add("127.0.0.1 localhost # x\n::1 localhost ip6-localhost\n10.0.0.1\n#\n\xff y")
	f.Fuzz(func(t *testing.T, text string) {
		for name, addrs := range parseHosts(text) {
			if name != "" && len(addrs) == 0 {
				t.Errorf("%q without address", name)
			}
		}
	})
}
