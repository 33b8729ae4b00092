package resolve_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/resolve"
	"sidetrack/tests/peer"
)

// zone is a name server on loopback with a few records.
type zone struct {
	records []string
	asked   atomic.Int32
	broken  atomic.Bool   // SERVFAIL to everything
	delay   time.Duration // before each answer
	fails   string        // kinds of records for which it is SERVFAIL
	mute    atomic.Bool   // no answer at all
	moved   atomic.Bool   // all addresses are 192.0.2.2 now
	skew    atomic.Int64  // how far the resolver's clock is ahead
	gate    chan struct{} // if not nil, answers wait for it to be closed
	asking  atomic.Int32  // questions under way
	most    atomic.Int32  // the largest number of them
	names   sync.Map      // asked for, with the kind of record

	parse  sync.Once
	parsed []dns.RR
}

// pass has time go by for the resolver.
func (z *zone) pass(d time.Duration) { z.skew.Add(int64(d)) }

func (z *zone) ServeDNS(w dns.ResponseWriter, m *dns.Msg) {
	z.asked.Add(1)
	z.names.Store(m.Question[0], true)
	for n := z.asking.Add(1); ; {
		if most := z.most.Load(); n <= most || z.most.CompareAndSwap(most, n) {
			break
		}
	}
	if z.gate != nil {
		<-z.gate
	}
	time.Sleep(z.delay)
	z.asking.Add(-1)
	if z.mute.Load() {
		return
	}
	reply := new(dns.Msg)
	reply.SetReply(m)
	if z.broken.Load() || z.fails != "" && slices.Contains(strings.Fields(z.fails), dns.TypeToString[m.Question[0].Qtype]) {
		reply.Rcode = dns.RcodeServerFailure
		_ = w.WriteMsg(reply)
		return
	}
	q := m.Question[0]
	z.parse.Do(func() {
		for _, text := range z.records {
			rr, err := dns.NewRR(text)
			if err != nil {
				panic(err)
			}
			z.parsed = append(z.parsed, rr)
		}
	})
	for _, rr := range z.parsed {
		if !strings.EqualFold(rr.Header().Name, q.Name) || rr.Header().Rrtype != q.Qtype {
			continue
		}
		if a, ok := rr.(*dns.A); ok && z.moved.Load() {
			rr = &dns.A{Hdr: a.Hdr, A: net.IPv4(192, 0, 2, 2)}
		}
		reply.Answer = append(reply.Answer, rr)
	}
	if len(reply.Answer) > 20 && w.LocalAddr().Network() == "udp" {
		reply.Answer, reply.Truncated = nil, true
	}
	_ = w.WriteMsg(reply)
}

func serve(t *testing.T, z *zone) *resolve.Resolver {
	return serveWith(t, z, resolve.Config{})
}

func serveWith(t *testing.T, z *zone, cfg resolve.Config) *resolve.Resolver {
	t.Helper()
	pc, nl := bothPorts(t)
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: z}, {Listener: nl, Handler: z}} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		done := make(chan struct{})
		go func() { defer close(done); _ = s.ActivateAndServe() }()
		<-up
		t.Cleanup(func() { _ = s.Shutdown(); <-done })
	}
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("10.9.9.9 pbx.local PBX # the exchange\n::9 pbx.local\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Servers, cfg.Hosts = []string{pc.LocalAddr().String()}, hosts
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(z.skew.Load())) }
	r := resolve.New(cfg)
	t.Cleanup(r.Close)
	return r
}

// bothPorts opens a UDP and a TCP socket on the same port.
func bothPorts(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if nl, err := net.Listen("tcp4", pc.LocalAddr().String()); err == nil {
			return pc, nl
		}
		pc.Close() // the port is taken over TCP
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

func lookup(t *testing.T, r *resolve.Resolver, uri string) ([]string, error) {
	t.Helper()
	u, err := sip.ParseURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	found, err := r.Lookup(context.Background(), u)
	var list []string
	for _, e := range found {
		list = append(list, fmt.Sprintf("%s %s %s", e.Proto, e.Addr, e.Host))
	}
	return list, err
}

func TestLookup(t *testing.T) {
	z := &zone{records: []string{
		"plain.test. 60 IN A 192.0.2.1",
		"plain.test. 60 IN AAAA 2001:db8::1",
		"_sip._udp.both.test. 60 IN SRV 20 0 5070 b.test.",
		"_sip._udp.both.test. 60 IN SRV 10 0 5060 a.test.",
		"_sip._tcp.both.test. 60 IN SRV 10 0 5080 a.test.",
		"_sips._tcp.both.test. 60 IN SRV 10 0 5081 a.test.",
		"both.test. 60 IN A 192.0.2.99",
		"a.test. 60 IN A 192.0.2.2",
		"b.test. 60 IN A 192.0.2.3",
		`naptr.test. 60 IN NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.both.test.`,
		`naptr.test. 60 IN NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.both.test.`,
		`naptr.test. 60 IN NAPTR 5 10 "u" "E2U+sip" "!x!y!" .`,
		"_sip._udp.none.test. 60 IN SRV 0 0 0 .",
		"none.test. 60 IN A 192.0.2.7",
	}}
	for i := range 30 {
		z.records = append(z.records, fmt.Sprintf("many.test. 60 IN A 198.51.100.%d", i))
	}
	r := serve(t, z)
	for _, tc := range []struct {
		uri  string
		want []string
	}{
		{"sip:192.0.2.5", []string{"udp 192.0.2.5:5060 192.0.2.5"}},
		{"sip:192.0.2.5:5099;transport=tcp", []string{"tcp 192.0.2.5:5099 192.0.2.5"}},
		{"sips:192.0.2.5", []string{"tls 192.0.2.5:5061 192.0.2.5"}},
		{"sip:192.0.2.5;transport=tls", []string{"tls 192.0.2.5:5061 192.0.2.5"}},
		{"sip:a@[2001:db8::5]:5062", []string{"udp [2001:db8::5]:5062 2001:db8::5"}},
		{"sip:plain.test;maddr=192.0.2.6", []string{"udp 192.0.2.6:5060 plain.test"}},
		{"sip:plain.test", []string{"udp 192.0.2.1:5060 plain.test", "udp [2001:db8::1]:5060 plain.test"}},
		{"sip:PLAIN.test.:5066", []string{"udp 192.0.2.1:5066 PLAIN.test.", "udp [2001:db8::1]:5066 PLAIN.test."}},
		{"sip:both.test", []string{"udp 192.0.2.2:5060 both.test", "udp 192.0.2.3:5070 both.test", "tcp 192.0.2.2:5080 both.test"}},
		{"sip:both.test;transport=udp", []string{"udp 192.0.2.2:5060 both.test", "udp 192.0.2.3:5070 both.test"}},
		{"sip:both.test;transport=tcp", []string{"tcp 192.0.2.2:5080 both.test"}},
		{"sips:both.test", []string{"tls 192.0.2.2:5081 both.test"}},
		{"sip:both.test:5060", []string{"udp 192.0.2.99:5060 both.test"}},
		{"sip:naptr.test", []string{"tcp 192.0.2.2:5080 naptr.test", "udp 192.0.2.2:5060 naptr.test", "udp 192.0.2.3:5070 naptr.test"}},
		{"sip:none.test", []string{"udp 192.0.2.7:5060 none.test"}},
		{"sip:pbx.local", []string{"udp 10.9.9.9:5060 pbx.local", "udp [::9]:5060 pbx.local"}},
		{"sip:Pbx;transport=tcp", []string{"tcp 10.9.9.9:5060 Pbx"}},
		{"sip:localhost:5070", []string{"udp 127.0.0.1:5070 localhost", "udp [::1]:5070 localhost"}},
	} {
		got, err := lookup(t, r, tc.uri)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, %v; want %q", tc.uri, got, err, tc.want)
		}
	}
	if got, err := lookup(t, r, "sip:many.test:5060"); err != nil || len(got) != 30 {
		t.Errorf("truncated answer: got %d addresses, %v; want 30", len(got), err)
	}
}

func TestLookupFailures(t *testing.T) {
	r := serve(t, &zone{})
	for uri, want := range map[string]error{
		"sip:absent.test":           resolve.ErrNotFound,
		"tel:+15551234":             resolve.ErrUnsupported,
		"sip:x.test;transport=ws":   resolve.ErrUnsupported,
		"sips:x.test;transport=udp": resolve.ErrUnsupported,
	} {
		if _, err := lookup(t, r, uri); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", uri, err, want)
		}
	}
}

func TestCache(t *testing.T) {
	z := &zone{records: []string{"short.test. 60 IN A 192.0.2.1"}}
	r := serve(t, z)
	if _, err := lookup(t, r, "sip:short.test:5060"); err != nil {
		t.Fatal(err)
	}
	asked := z.asked.Load()
	if got, due := known(t, r, "sip:short.test:5060"); got != "udp 192.0.2.1:5060" || due {
		t.Errorf("known after a lookup: %q, due %t", got, due)
	}
	if z.asked.Load() != asked {
		t.Error("Known asked a name server")
	}
	z.pass(time.Minute)
	if got, _ := known(t, r, "sip:short.test:5060"); got != "" {
		t.Errorf("%s outlives its time to live", got)
	}
}

func TestEqualQuestionsAreAskedOnce(t *testing.T) {
	z := &zone{records: []string{"one.test. 60 IN A 192.0.2.1"}, delay: 50 * time.Millisecond}
	r := serve(t, z)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := lookup(t, r, "sip:one.test:5060"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := z.asked.Load(); n != 2 { // A and AAAA
		t.Errorf("%d questions asked, want 2", n)
	}
}

func TestSilentServerEndsInTime(t *testing.T) {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	r := resolve.New(resolve.Config{Servers: []string{pc.LocalAddr().String()}, Timeout: 100 * time.Millisecond})
	defer r.Close()
	watch := peer.StartStopwatch(t)
	if _, err := lookup(t, r, "sip:silent.test"); err == nil {
		t.Error("no error from a silent name server")
	}
	if took := watch.Took(); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}
