package trace

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

func same(t *testing.T, got, want Ladder) {
	t.Helper()
	if len(got.Messages) != len(want.Messages) || got.LeftOut != want.LeftOut {
		t.Fatalf("%d messages, %d left out, want %d and %d", len(got.Messages), got.LeftOut, len(want.Messages), want.LeftOut)
	}
	for i, g := range got.Messages {
		w := want.Messages[i]
		if !bytes.Equal(g.Data, w.Data) || !g.Time.Equal(w.Time) || g.Received != w.Received || g.Proto != w.Proto || g.Local != w.Local || g.Remote != w.Remote {
			t.Errorf("message %d:\n%+v\nwant\n%+v", i, g, w)
		}
	}
}

// kept is what the shards say that they keep, which must be what is there.
func kept(t *testing.T, tr *Tracer) int64 {
	t.Helper()
	var all int64
	for i := range tr.shards {
		var bytes, wasted int64
		s := &tr.shards[i]
		for _, d := range s.dialogs {
			var n int64
			for _, m := range d.said {
				n += cost(m)
			}
			for _, p := range d.packs {
				n += p.cost()
			}
			if bytes += n; d.in == &s.vain {
				wasted += n
			}
		}
		if bytes != s.bytes || wasted != s.wasted {
			t.Errorf("shard %d says %d bytes, %d of them in vain; it has %d and %d", i, s.bytes, s.wasted, bytes, wasted)
		}
		all += bytes
	}
	return all
}

// What is silent gets smaller and says the same; what speaks on is added, and packed in turn.
func TestPack(t *testing.T) {
	tr := tracer(1 << 20)
	six := netip.MustParseAddrPort("[2001:db8::1%eth0]:5061")
	via := strings.Repeat("Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKnashds8\r\nRecord-Route: <sip:192.0.2.7;lr>\r\n", 5)
	say := func(first string) { tr.Observe("tls", us, six, first[0] != 'S', message(first, "a", "1 INVITE", via)) }
	say("INVITE sip:x SIP/2.0")
	say("SIP/2.0 100 Trying")
	say("SIP/2.0 180 Ringing")
	say("SIP/2.0 200 OK")
	loose, before := tr.Ladder(false, "a"), kept(t, tr)
	tr.pack(noon)
	if kept(t, tr) != before {
		t.Error("what has just been said is packed")
	}
	tr.pack(noon.Add(time.Hour))
	if after := kept(t, tr); after > before/3 {
		t.Errorf("%d bytes packed, %d before", after, before)
	}
	same(t, tr.Ladder(false, "a"), loose)
	say("ACK sip:x SIP/2.0")
	say("BYE sip:x SIP/2.0")
	loose = tr.Ladder(false, "a")
	if n := len(loose.Messages); n != 6 || loose.Messages[5].Summary() != "BYE" {
		t.Errorf("%d messages after two more", n)
	}
	tr.pack(noon.Add(time.Hour))
	same(t, tr.Ladder(false, "a"), loose)
	kept(t, tr)
}

// What other calls have said helps, and is learned anew; what was packed before is read by what it was packed with.
func TestPackLearns(t *testing.T) {
	tr := tracer(1 << 30)
	now := noon
	tr.now = func() time.Time { now = now.Add(time.Millisecond); return now }
	loose := map[string]Ladder{}
	call := func(id, name string) (cost int64) {
		before := kept(t, tr)
		allow := "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, OPTIONS, INFO\r\nUser-Agent: " + name + "/7.4.1-cf (64bit)\r\nSupported: 100rel, timer, replaces, norefersub"
		for _, first := range []string{"INVITE sip:bob@pbx.example SIP/2.0", "SIP/2.0 100 Trying", "SIP/2.0 200 OK", "ACK sip:bob@pbx.example SIP/2.0"} {
			tr.Observe("udp", us, phone, first[0] != 'S', message(first, id, "1 INVITE", allow, "Contact: <sip:alice@"+name+".example>"))
		}
		loose[id] = tr.Ladder(false, id)
		tr.pack(now.Add(time.Hour))
		return kept(t, tr) - before
	}
	first := call("first", "weir")
	for i := range 30 {
		call(fmt.Sprint("more", i), "weir")
	}
	learned := tr.dict
	if last := call("last", "weir"); learned == nil || last > first*2/3 {
		t.Errorf("the last call takes %d bytes, the first %d", last, first)
	}
	now = now.Add(2 * dictTime)
	for i := range 30 {
		call(fmt.Sprint("other", i), "lock")
	}
	if tr.dict == nil || tr.dict == learned {
		t.Error("nothing new is learned")
	}
	for id, want := range loose {
		same(t, tr.Ladder(false, id), want)
	}
}

// What a dialog has said is packed also where another that spoke after it, and very much,
// was packed before it, and the look at both came late.
func TestPackBehindABusyOne(t *testing.T) {
	tr := New(1 << 20)
	now := noon
	tr.now = func() time.Time { return now }
	say := func(id string) { tr.Observe("udp", us, phone, true, message("INVITE sip:x SIP/2.0", id, "1 INVITE")) }
	shard := func(id string) *shard { return &tr.shards[maphash.String(tr.seed, id)%shards] }
	busy := "busy"
	for i := 0; shard(busy) != shard("calm"); i++ {
		busy = fmt.Sprint("busy", i)
	}
	say("calm")
	for range packMany {
		say(busy)
	}
	tr.pack(now.Add(-packCalm))
	now = now.Add(time.Minute)
	tr.pack(now.Add(-packCalm))
	for _, id := range []string{"calm", busy} {
		if d := shard(id).dialogs[id]; len(d.said) > 0 || len(d.packs) != 1 {
			t.Errorf("%s: %d messages are not packed, in %d packs", id, len(d.said), len(d.packs))
		}
	}
}

// A dialog that says very much is thinned out whether it is packed or not.
func TestPackOfALongDialog(t *testing.T) {
	long := func(pack bool) Ladder {
		tr := tracer(1 << 40)
		tr.Observe("udp", us, phone, true, message("INVITE sip:x SIP/2.0", "long", "1 INVITE"))
		for i := range 1000 {
			tr.Observe("udp", us, phone, true, message("INFO sip:x SIP/2.0", "long", fmt.Sprintf("%d INFO", i+2)))
			if pack && i%50 == 0 {
				tr.pack(noon.Add(time.Hour))
			}
		}
		kept(t, tr)
		return tr.Ladder(false, "long")
	}
	same(t, long(true), long(false))
}

// Packing goes on beside calls; nothing is lost, doubled or miscounted.
func TestPackBesideCalls(t *testing.T) {
	tr := tracer(1 << 30)
	const dialogs, messages = 8, 400
	var wg sync.WaitGroup
	for d := range dialogs {
		wg.Go(func() {
			for i := range messages {
				tr.Observe("udp", us, phone, i%2 == 0, message("INVITE sip:x SIP/2.0", fmt.Sprint("d", d), fmt.Sprintf("%d INVITE", i)))
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		default:
		}
		tr.pack(noon.Add(time.Hour))
	}
	kept(t, tr)
	for d := range dialogs {
		l := tr.Ladder(false, fmt.Sprint("d", d))
		if n := len(l.Messages); n+l.LeftOut != messages || !bytes.Contains(l.Messages[n-1].Data, fmt.Appendf(nil, "%d INVITE", messages-1)) {
			t.Errorf("dialog %d: %d messages and %d left out", d, n, l.LeftOut)
		}
	}
}

func BenchmarkPack(b *testing.B) {
	tr := New(64 << 20)
	b.ReportAllocs()
	for b.Loop() {
		for i := range 10 {
			tr.Observe("udp", us, phone, true, message("INVITE sip:x SIP/2.0", "a", "1 INVITE", fmt.Sprint("Subject: ", i, strings.Repeat("x", 500))))
		}
		tr.pack(time.Now().Add(time.Minute))
		tr.Resize(0)
		tr.Resize(64 << 20)
	}
}
