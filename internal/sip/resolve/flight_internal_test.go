package resolve

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// slowServer answers every question with an address, each time that something comes by the channel.
func slowServer(t *testing.T) (r *Resolver, answer chan struct{}) {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answer, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			m, reply := new(dns.Msg), new(dns.Msg)
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			reply.SetReply(m)
			reply.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1)}}
			b, _ := reply.Pack()
			if _, more := <-answer; !more {
				continue
			}
			_, _ = pc.WriteTo(b, from)
		}
	}()
	t.Cleanup(func() { close(answer); pc.Close(); <-done })
	return New(Config{Servers: []string{pc.LocalAddr().String()}, Timeout: time.Minute}), answer
}

func (r *Resolver) awaitWaiting(t *testing.T, q question, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		f := r.flights[q]
		ok := n == 0 && f == nil || f != nil && f.waiting == n
		r.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not %d wait", n)
		}
	}
}

// One whose time is over does not take the answer from others who wait longer; when the last one goes, the question ends.
func TestWaitersHaveTheirOwnTime(t *testing.T) {
	r, answer := slowServer(t)
	q := question{"one.test", dns.TypeA}
	ask := func(ctx context.Context) chan error {
		done := make(chan error, 1)
		go func() { done <- r.fetch(ctx, q, false).err }()
		return done
	}
	ctx, cancel := context.WithCancel(context.Background())
	first := ask(ctx)
	r.awaitWaiting(t, q, 1)
	second := ask(context.Background())
	r.awaitWaiting(t, q, 2)
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	answer <- struct{}{}
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}
	r.awaitWaiting(t, q, 0)
}

// A question for which nobody waits any more leaves nothing behind, least of all trouble for the next one who asks it.
func TestQuestionsEndWithTheirLastWaiter(t *testing.T) {
	r, _ := slowServer(t)
	q := question{"one.test", dns.TypeA}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.fetch(ctx, q, false).err }()
	r.awaitWaiting(t, q, 1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	r.awaitWaiting(t, q, 0)
	if a, ok := r.cache.get(q, time.Now()); ok {
		t.Errorf("kept: %+v", a)
	}
}
