package probe_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
	"sidetrack/internal/sip/probe"
	"sidetrack/internal/sip/resolve"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Three places of one name.
const names = "192.0.2.1 srs.test\n192.0.2.2 srs.test\n192.0.2.3 srs.test\n"

// bed is a prober under fake time, on a wire in memory whose far ends answer as told.
type bed struct {
	t     *testing.T
	layer *txn.Layer
	lane  *txn.Lane
	us    *transport.Listener
	began time.Time

	mu     sync.Mutex
	sent   []*sip.Message              // without repetitions
	asked  []string                    // their last octets
	says   map[string][]int            // by last octet: what it answers, the last one for ever; none: nothing
	breaks map[string]bool             // cannot be sent to
	late   map[string]time.Duration    // how long its answers take
	edit   func(resp *sip.Message) int // may change an answer; returns its status
	heard  []string                    // "4s 200", "4s .1 silent"
}

var _ txn.Transport = (*bed)(nil)

func (b *bed) Find(f transport.Flow) (transport.Flow, bool)                      { return f, false }
func (b *bed) Dial(transport.Flow, time.Duration, func(transport.Flow, error))   {}
func (b *bed) DialBack(transport.Flow, func(transport.Flow, error))              {}
func (b *bed) Retire(transport.Flow, time.Duration)                              {}
func (b *bed) Pick(proto string, remote netip.Addr) (picked *transport.Listener) { return b.us }
func (b *bed) Watch(transport.Events)                                            {}
func (b *bed) OnRequest(*txn.ServerTx)                                           {}
func (b *bed) OnAck(*txn.Lane, *sip.Message, transport.Flow)                     {}
func (b *bed) OnCancel(*txn.ServerTx, *sip.Message)                              {}
func (b *bed) note(format string, args ...any) {
	b.heard = append(b.heard, fmt.Sprintf("%v ", time.Since(b.began))+fmt.Sprintf(format, args...))
}
func last(a netip.AddrPort) string { return fmt.Sprintf(".%d", a.Addr().As4()[3]) }
func (b *bed) told() string        { return strings.Join(b.heard, ", ") }

func (b *bed) Send(f transport.Flow, raw []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := sip.Parse(raw)
	if err != nil {
		b.t.Errorf("%v:\n%s", err, raw)
		return nil
	}
	to := last(f.Remote)
	repeated := slices.ContainsFunc(b.sent, func(o *sip.Message) bool { return o.TopVia().Branch() == m.TopVia().Branch() })
	if !repeated {
		b.sent, b.asked = append(b.sent, m), append(b.asked, to)
	}
	if b.breaks[to] {
		return fmt.Errorf("connection refused")
	}
	if repeated {
		return nil
	}
	codes := b.says[to]
	if len(codes) == 0 {
		return nil
	}
	if len(codes) > 1 {
		b.says[to] = codes[1:]
	}
	resp := sip.NewResponse(m, codes[0], "")
	if b.edit != nil {
		b.edit(resp)
	}
	in := transport.Inbound{Msg: resp, Flow: f}
	if wait := b.late[to]; wait > 0 {
		time.AfterFunc(wait, func() { b.layer.Receive(in) })
		return nil
	}
	b.layer.Receive(in)
	return nil
}

// question asks what is at uri every 10 s, each place for 2 s.
func (b *bed) question(uri string) *probe.Question {
	return &probe.Question{
		URI: uri, Interval: 10 * time.Second, Timeout: 2 * time.Second,
		Leave: func(to txn.Target) txn.Target { return to },
		Dress: func(req *sip.Message, _ txn.Target) { req.Add("From", "<sip:us@192.0.2.200>") },
		Answered: func(code int, err error) {
			b.note("%d%s", code, map[bool]string{true: " error"}[err != nil])
		},
		Heard: func(to txn.Target, any bool) {
			if !any {
				b.note("%s silent", last(to.Addr))
			}
		},
	}
}

func play(t *testing.T, f func(b *bed)) {
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte(names), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t, began: time.Now(), says: map[string][]int{}, breaks: map[string]bool{}}
		b.us = &transport.Listener{Proto: "udp", Bound: netip.MustParseAddrPort("192.0.2.200:5060"), Advertise: "192.0.2.200", Port: 5060}
		b.layer = txn.New(txn.Config{Lanes: 1, Transport: b, Resolver: resolve.New(resolve.Config{Hosts: hosts})})
		b.lane = b.layer.Lanes()[0]
		b.layer.Start(b)
		defer b.layer.Close()
		f(b)
	})
}

// A name is there when one of its places answers; they are asked in turn, each for its time.
func TestPlacesOfOneName(t *testing.T) {
	for _, tc := range []struct {
		says   map[string][]int
		breaks map[string]bool
		asked  string
		heard  string
	}{
		{map[string][]int{".1": {200}}, nil, ".1", "0s 200"},
		{map[string][]int{".1": {404}, ".2": {200}}, nil, ".1", "0s 404"}, // what it means is not for us to say
		{map[string][]int{".2": {200}}, nil, ".1 .2", "2s .1 silent, 2s 200"},
		{map[string][]int{".3": {486}}, map[string]bool{".1": true}, ".1 .2 .3", "500ms .1 silent, 2.5s .2 silent, 2.5s 486"},
		{map[string][]int{".1": {503}, ".2": {200}}, nil, ".1 .2", "0s 200"},
		{map[string][]int{".1": {503}, ".2": {503}, ".3": {503}}, nil, ".1 .2 .3", "0s 503"},
		{map[string][]int{".1": {503}, ".2": {503}}, nil, ".1 .2 .3", "2s .3 silent, 2s 408"},
		{nil, nil, ".1 .2 .3", "2s .1 silent, 4s .2 silent, 6s .3 silent, 6s 408"},
		{nil, map[string]bool{".1": true, ".2": true, ".3": true}, ".1 .2 .3", "500ms .1 silent, 1s .2 silent, 1.5s .3 silent, 1.5s 503 error"},
	} {
		play(t, func(b *bed) {
			b.says, b.breaks = tc.says, tc.breaks
			p := probe.Start(b.lane, []*probe.Question{b.question("sip:srs.test:5060")})
			time.Sleep(9 * time.Second)
			synctest.Wait()
			if asked := strings.Join(b.asked, " "); asked != tc.asked || b.told() != tc.heard {
				t.Errorf("%v: asked %s, heard %s; want %s, %s", tc.says, asked, b.told(), tc.asked, tc.heard)
			}
			callIDs := map[string]bool{}
			for _, m := range b.sent {
				callIDs[m.CallID()] = true
				if m.Method != "OPTIONS" || m.RequestURI != "sip:srs.test:5060" || m.From().Tag() == "" || m.ToTag() != "" || m.Get("Max-Forwards") == "" {
					t.Errorf("sent:\n%s", m.Bytes())
				}
			}
			if len(callIDs) != len(b.sent) {
				t.Errorf("%d Call-IDs for %d places", len(callIDs), len(b.sent))
			}
			p.Stop()
		})
	}
}

// It asks again and again, but one thing at a time; what comes late is not heard, and nothing is after the end.
func TestAgainAndAgain(t *testing.T) {
	play(t, func(b *bed) {
		b.says[".9"] = []int{200, 200, 500}
		b.says[".1"], b.late = []int{200}, map[string]time.Duration{".1": 3 * time.Second}
		slow := b.question("sip:srs.test:5060") // 6 s to find out, asked each 4 s
		slow.Interval = 4 * time.Second
		fast := b.question("sip:192.0.2.9")
		fast.Interval = 9500 * time.Millisecond
		p := probe.Start(b.lane, []*probe.Question{fast, slow})
		time.Sleep(23 * time.Second)
		synctest.Wait()
		want := "0s 200, 2s .1 silent, 4s .2 silent, 6s .3 silent, 6s 408, 9.5s 200, 10s .1 silent, 12s .2 silent, 14s .3 silent, 14s 408, " +
			"18s .1 silent, 19s 500, 20s .2 silent, 22s .3 silent, 22s 408"
		if b.told() != want {
			t.Errorf("heard %s\nwant  %s", b.told(), want)
		}
		p.Stop()
		synctest.Wait()
		b.heard = nil
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(b.heard) > 0 {
			t.Errorf("after the end: %s", b.told())
		}
	})
}

// A peer that asks who we are is told, once; a name that leads nowhere cannot be asked.
func TestProvesWhoWeAre(t *testing.T) {
	for _, tc := range []struct {
		login *digest.Credentials
		codes []int
		want  string
		sent  int
	}{
		{&digest.Credentials{User: "u", Password: "p"}, []int{401, 200}, "0s 200", 2},
		{&digest.Credentials{User: "u", Password: "p"}, []int{407, 407}, "0s 407", 2},
		{nil, []int{401}, "0s 401", 1},
	} {
		play(t, func(b *bed) {
			b.says[".9"] = tc.codes
			b.edit = func(resp *sip.Message) int {
				resp.Add(map[int]string{401: "WWW-Authenticate", 407: "Proxy-Authenticate", 200: "X-None"}[resp.Status], `Digest realm="r", nonce="n"`)
				return resp.Status
			}
			q := b.question("sip:192.0.2.9")
			q.Login = tc.login
			p := probe.Start(b.lane, []*probe.Question{q})
			synctest.Wait()
			if b.told() != tc.want || len(b.sent) != tc.sent {
				t.Errorf("%v: %s, %d sent", tc.codes, b.told(), len(b.sent))
			}
			if tc.sent == 2 {
				first, again := b.sent[0], b.sent[1]
				if again.CallID() != first.CallID() || again.CSeq().Num != first.CSeq().Num+1 || again.Get("Authorization")+again.Get("Proxy-Authorization") == "" {
					t.Errorf("the second was\n%s", again.Bytes())
				}
			}
			p.Stop()
		})
	}
	play(t, func(b *bed) {
		p := probe.Start(b.lane, []*probe.Question{b.question("sip:192.0.2.9;transport=sctp")})
		synctest.Wait()
		if b.told() != "0s 503 error" {
			t.Error(b.told())
		}
		p.Stop()
	})
	(*probe.Prober)(nil).Stop()
}
