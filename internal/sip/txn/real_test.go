package txn_test

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	testpeer "sidetrack/tests/peer"
)

// outcome is a ClientHandler that waits for how a request ends.
type outcome chan any // *sip.Message or error

func (o outcome) OnResponse(_ *txn.ClientTx, resp *sip.Message, _ transport.Flow) { o <- resp }
func (o outcome) OnFail(_ *txn.ClientTx, err error)                               { o <- err }

func (r *realBed) ask(req *sip.Message, to txn.Target) any {
	r.t.Helper()
	o := make(outcome, 10)
	lane := r.layer.LaneFor(req.CallID())
	lane.Post(func() { lane.Request(req, to, o) })
	select {
	case v := <-o:
		return v
	case <-time.After(time.Minute):
		r.t.Fatal("no outcome")
		return nil
	}
}

func largeInvite() *sip.Message {
	m := outgoing("INVITE")
	m.SetBody("application/sdp", []byte(strings.Repeat("a=x\r\n", 800)))
	return m
}

// nobody is an address on which nobody listens, over UDP nor TCP: of this process alone, and clear of the ports that the
// kernel gives away.
var nobody = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 90, byte(os.Getpid() >> 8), byte(os.Getpid())}), 9)

func TestDeadTargetsFailAtOnce(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("ICMP errors of unconnected sockets")
	}
	for name, tc := range map[string]struct {
		proto string
		req   *sip.Message
	}{
		"udp":       {"udp", outgoing("INVITE")},
		"udp large": {"udp", largeInvite()},
		"tcp":       {"tcp", outgoing("INVITE")},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRealBed(t, tc.proto, nil)
			watch := testpeer.StartStopwatch(t)
			v := r.ask(tc.req, txn.Target{Proto: tc.proto, Addr: nobody})
			if err, ok := v.(error); !ok || !errors.Is(err, txn.ErrTransport) {
				t.Errorf("got %v, want ErrTransport", v)
			}
			if took := watch.Took(); took > 15*time.Second { // silence would have ended it after 32 s
				t.Errorf("after %v", took)
			}
		})
	}
}

// A peer without TCP gets the large INVITE as one datagram, one with TCP by a
// connection; both answer.
func TestLargeInviteOnRealSockets(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		t.Run(proto, func(t *testing.T) {
			r := newRealBed(t, "udp", nil)
			seen := make(chan string, 10)
			p := listenPlain(t, proto, func(p *plainPeer, m string) {
				if strings.HasPrefix(m, "INVITE ") {
					seen <- m
					p.send(answerTo(m, 486))
				}
			})
			v := r.ask(largeInvite(), p.target("udp"))
			if resp, ok := v.(*sip.Message); !ok || resp.Status != 486 {
				t.Fatalf("got %v", v)
			}
			if m := <-seen; !strings.Contains(m, "Via: SIP/2.0/"+strings.ToUpper(proto)+" ") {
				t.Errorf("peer saw\n%.300s", m)
			}
		})
	}
}

// A connection that its peer closes without a word fails the request at once.
func TestClosedConnectionFailsAtOnce(t *testing.T) {
	r := newRealBed(t, "tcp", nil)
	p := listenPlain(t, "tcp", func(p *plainPeer, _ string) { p.conn.Close() })
	watch := testpeer.StartStopwatch(t)
	v := r.ask(outgoing("INVITE"), p.target("tcp"))
	if err, ok := v.(error); !ok || !errors.Is(err, txn.ErrTransport) {
		t.Errorf("got %v, want ErrTransport", v)
	}
	if took := watch.Took(); took > 15*time.Second { // silence would have ended it after 32 s
		t.Errorf("after %v", took)
	}
}

// A name is resolved by a worker and its answer comes on the lane.
func TestResolveInAWorker(t *testing.T) {
	r := newRealBed(t, "udp", nil)
	lane := r.layer.Lanes()[1]
	done := make(chan error, 1)
	atOnce := true
	lane.Post(func() {
		lane.Resolve("sip:no-such-name.invalid", func(targets []txn.Target, err error) {
			if atOnce || len(targets) > 0 {
				t.Errorf("at once: %v, targets %v", atOnce, targets)
			}
			done <- err
		})
		atOnce = false
	})
	select {
	case err := <-done:
		if err == nil {
			t.Error("no error for a name that cannot exist")
		}
	case <-time.After(time.Minute):
		t.Fatal("no answer")
	}
}
