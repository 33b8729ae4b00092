package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sidetrack/internal/sip"
)

// nameServer answers questions for addresses, as it is told.
type nameServer struct {
	addr  string
	asked atomic.Int32
	pc    net.PacketConn
}

// serveNames has reply asked for what to answer; nil is silence.
func serveNames(t *testing.T, reply func(m *dns.Msg) *dns.Msg) *nameServer {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, done := &nameServer{addr: pc.LocalAddr().String(), pc: pc}, make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			s.asked.Add(1)
			m := new(dns.Msg)
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			if out := reply(m); out != nil {
				b, _ := out.Pack()
				_, _ = pc.WriteTo(b, from)
			}
		}
	}()
	t.Cleanup(func() { pc.Close(); <-done })
	return s
}

func silent(*dns.Msg) *dns.Msg { return nil }

// addressed is a reply with an address.
func addressed(m *dns.Msg) *dns.Msg {
	reply := new(dns.Msg)
	reply.SetReply(m)
	if m.Question[0].Qtype == dns.TypeA {
		reply.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1)}}
	}
	return reply
}

// slowServer answers a question with an address, each time that something comes by the channel.
func slowServer(t *testing.T, cfg Config) (r *Resolver, answer chan struct{}) {
	t.Helper()
	answer = make(chan struct{}, 1)
	s := serveNames(t, func(m *dns.Msg) *dns.Msg {
		if _, more := <-answer; !more {
			return nil
		}
		return addressed(m)
	})
	t.Cleanup(func() { close(answer) }) // before the server's
	cfg.Servers, cfg.Timeout = []string{s.addr}, time.Minute
	return opened(t, cfg), answer
}

func opened(t *testing.T, cfg Config) *Resolver {
	r := New(cfg)
	t.Cleanup(r.Close)
	return r
}

// awaitLanding waits until a question is not under way any more.
func (r *Resolver) awaitLanding(t *testing.T, qs ...question) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		n := 0
		for _, q := range qs {
			if r.flights[q] != nil {
				n++
			}
		}
		r.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d questions are still under way", n)
		}
	}
}

func answerOf(addr string) answer {
	return answer{addrs: []netip.Addr{netip.MustParseAddr(addr)}}
}

func uri(t *testing.T, text string) sip.URI {
	t.Helper()
	u, err := sip.ParseURI(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A question goes on when nobody waits any more, and its answer is for who asks next.
func TestQuestionsOutliveWhoAsked(t *testing.T) {
	r, answer := slowServer(t, Config{})
	q := question{"one.test", dns.TypeA}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.fetch(ctx, q, false).err; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	answer <- struct{}{}
	r.awaitLanding(t, q)
	if a, ok := r.cache.get(q, time.Now()); !ok || len(a.addrs) != 1 {
		t.Errorf("kept: %+v, %t", a, ok)
	}
}

// An answer that comes after an old one stood in is kept: the next call has it.
func TestLateAnswersAreKept(t *testing.T) {
	var skew atomic.Int64
	r, answer := slowServer(t, Config{Stale: time.Millisecond, Now: func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }})
	q := question{"one.test", dns.TypeA}
	old := answerOf("192.0.2.99")
	old.expires = time.Now().Add(time.Minute)
	r.cache.put(q, old, time.Now())
	skew.Store(int64(2 * time.Minute))
	if a := r.fetch(context.Background(), q, false); a.err != nil || a.addrs[0] != old.addrs[0] {
		t.Errorf("while the server takes its time: %+v", a)
	}
	answer <- struct{}{}
	r.awaitLanding(t, q)
	if a, ok := r.cache.get(q, r.cfg.Now()); !ok || a.stands || a.addrs[0].String() != "192.0.2.1" {
		t.Errorf("afterwards: %+v, %t", a, ok)
	}
}

// Trouble that comes at the same time as an answer does not spoil it.
func TestTroubleDoesNotAgeWhatIsFresh(t *testing.T) {
	var c cache
	now := time.Now()
	q, fresh := question{"one.test", dns.TypeA}, answerOf("192.0.2.1")
	fresh.expires = now.Add(time.Hour)
	c.put(q, fresh, now)
	c.late(q, now)
	if a, ok := c.get(q, now.Add(59*time.Minute)); !ok || a.stands {
		t.Errorf("%+v, %t", a, ok)
	}
}

// When several name servers are silent the caller's time is over before all have been asked twice. That is remembered
// all the same, and the next one who asks does not wait as long.
func TestSilenceOfAllServersIsRemembered(t *testing.T) {
	one, two := serveNames(t, silent), serveNames(t, silent)
	var skew atomic.Int64
	r := opened(t, Config{Servers: []string{one.addr, two.addr}, Timeout: 200 * time.Millisecond, Stale: time.Millisecond,
		Now: func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }})
	u := uri(t, "sip:one.test:5060")
	qs := []question{{"one.test", dns.TypeA}, {"one.test", dns.TypeAAAA}}
	if _, err := r.Lookup(context.Background(), u); err == nil {
		t.Fatal("found")
	}
	r.awaitLanding(t, qs...)
	asked := one.asked.Load()
	if _, err := r.Lookup(context.Background(), u); err == nil {
		t.Fatal("found")
	}
	if n := one.asked.Load(); n != asked || n == 0 {
		t.Errorf("asked %d times, then %d", asked, n)
	}

	skew.Store(int64(10 * time.Second)) // asked again, but the caller goes on
	r.cfg.Timeout = time.Minute
	if _, err := r.Lookup(context.Background(), u); err == nil {
		t.Fatal("found")
	}
	if left := r.underWay(); len(left) != 2 {
		t.Errorf("under way: %v", left)
	}
}

// After Close nothing is under way, and nothing is asked.
func TestClose(t *testing.T) {
	r, _ := slowServer(t, Config{})
	failed := make(chan error)
	go func() {
		_, err := r.Lookup(context.Background(), uri(t, "sip:one.test:5060"))
		failed <- err
	}()
	for len(r.underWay()) == 0 {
		time.Sleep(time.Millisecond)
	}
	r.Close()
	if err := <-failed; err == nil {
		t.Error("found")
	}
	if left := r.underWay(); len(left) != 0 {
		t.Error(left)
	}
	if _, err := r.Lookup(context.Background(), uri(t, "sip:two.test")); err == nil {
		t.Error("found")
	}
}

func (r *Resolver) underWay() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for q := range r.flights {
		list = append(list, fmt.Sprint(q))
	}
	return list
}
