package txn_test

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sidetrack/internal/sip/resolve"
	"sidetrack/internal/sip/txn"
)

// After an outage of the name servers no call waits, and they are asked again while calls go by the old answer.
func TestOldAddressesAreAskedForAgain(t *testing.T) {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var down, moved atomic.Bool
	up := make(chan struct{})
	server := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(up) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		reply := new(dns.Msg).SetReply(m)
		addr := net.IPv4(192, 0, 2, 9)
		if moved.Load() {
			addr = net.IPv4(192, 0, 2, 10)
		}
		if down.Load() {
			reply.Rcode = dns.RcodeServerFailure
		} else if q := m.Question[0]; q.Qtype == dns.TypeA {
			reply.Answer = append(reply.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 60}, A: addr})
		}
		_ = w.WriteMsg(reply)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.ActivateAndServe() }()
	<-up
	defer func() { _ = server.Shutdown(); <-done }()

	var skew atomic.Int64
	pass := func(d time.Duration) { skew.Add(int64(d)) }
	layer := txn.New(txn.Config{Lanes: 1, Transport: newWire(), Resolver: resolve.New(resolve.Config{
		Servers: []string{pc.LocalAddr().String()}, Hosts: t.TempDir() + "/none", Timeout: time.Minute,
		Now: func() time.Time { return time.Now().Add(time.Duration(skew.Load())) },
	})})
	layer.Start(nil)
	defer layer.Close()
	type result struct {
		addr   netip.AddrPort
		atOnce bool
	}
	resolved := func() result {
		found := make(chan result, 1)
		lane := layer.Lanes()[0]
		lane.Post(func() {
			atOnce := true
			lane.Resolve("sip:pbx.test:5060", func(targets []txn.Target, err error) {
				if len(targets) != 1 {
					found <- result{}
					return
				}
				found <- result{targets[0].Addr, atOnce}
			})
			atOnce = false
		})
		return <-found
	}
	if got := resolved(); got != (result{peer, false}) {
		t.Fatalf("%+v", got)
	}
	down.Store(true)
	pass(2 * time.Minute)
	for _, atOnce := range []bool{false, true} {
		if got := resolved(); got != (result{peer, atOnce}) {
			t.Errorf("when the name server fails: %+v, want at once %t", got, atOnce)
		}
	}
	down.Store(false)
	moved.Store(true)
	pass(31 * time.Second)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		got := resolved()
		if !got.atOnce || got.addr != peer && got.addr != peer2 || time.Now().After(deadline) {
			t.Fatalf("after that: %+v", got)
		}
		if got.addr == peer2 {
			return
		}
	}
}
