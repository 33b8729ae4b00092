package txn_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// The machines of RFC 3261 §17 and RFC 6026 under events in any order, with losses: what may never happen, whatever does.

const (
	games     = 150 // of each kind and method
	someSteps = 25
	lastTimer = 10 * time.Minute // by then all is over: Timer C, and 64*T1 for its CANCEL
)

// game is one sequence of random steps, told when it fails.
type game struct {
	*bed
	rand  *rand.Rand
	steps []string
	uac   *txn.ClientTx

	slow, refuses atomic.Bool // what becomes of connections
}

func playGames(t *testing.T, f func(g *game)) {
	for seed := range uint64(games) {
		if t.Failed() {
			return
		}
		play(t, func(b *bed) {
			g := &game{bed: b, rand: rand.New(rand.NewPCG(seed, 1))}
			f(g)
			if t.Failed() {
				t.Logf("game %d\nsteps %s\nheard %s\nsent  %s", seed, strings.Join(g.steps, ", "), strings.Join(b.heard, ", "), b.wire.ladder())
			}
		})
	}
}

// step does one of these at random, after some time or none.
func (g *game) step(does map[string]func(), names ...string) {
	g.pass([]time.Duration{0, 0, 10 * time.Millisecond, 300 * time.Millisecond, time.Second, 5 * time.Second, 20 * time.Second}[g.rand.IntN(7)])
	name := names[g.rand.IntN(len(names))]
	g.steps = append(g.steps, fmt.Sprintf("%v %s", time.Since(g.began), name))
	does[name]()
}

// fortune says what becomes of the next connections that we make.
func (g *game) fortune() {
	g.slow.Store(g.rand.IntN(2) == 0)
	g.refuses.Store(g.rand.IntN(3) == 0)
}

func (g *game) dial(transport.Flow) (delay time.Duration, err error) {
	if g.slow.Load() {
		delay = 1100 * time.Millisecond
	}
	if g.refuses.Load() {
		err = errRefused
	}
	return delay, err
}

// over lets all timers pass: nothing is kept then, and nothing is said any more.
func (g *game) over() {
	g.pass(lastTimer)
	if n, entered := g.layer.Transactions(), g.lane.Entered(); n != 0 || entered != 0 {
		g.t.Errorf("%d transactions are left, %d Call-IDs", n, entered)
	}
	sent, heard := len(g.wire.packets()), len(g.heard)
	g.pass(lastTimer)
	if len(g.wire.packets()) != sent || len(g.heard) != heard {
		g.t.Error("not over")
	}
}

// same checks that all packets of a kind are the same octets.
func (g *game) same(kind string, is func(m *sip.Message) bool) (count int) {
	g.t.Helper()
	first := map[string]string{} // by protocol: the Via names it
	for _, p := range g.wire.packets() {
		if !is(p.msg) {
			continue
		}
		if count++; first[p.flow.Proto] == "" {
			first[p.flow.Proto] = p.raw
		} else if first[p.flow.Proto] != p.raw {
			g.t.Errorf("%s is not repeated as it was:\n%s\n%s", kind, first[p.flow.Proto], p.raw)
		}
	}
	return count
}

func (g *game) count(what string) (n int) {
	for _, h := range g.heard {
		if strings.HasSuffix(h, " "+what) {
			n++
		}
	}
	return n
}

// A request that we are asked is handled once, and has one answer, which is repeated as it was; nothing follows it.
func TestRandomServerTransactions(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		for _, method := range []string{"INVITE", "OPTIONS"} {
			t.Run(proto+" "+method, func(t *testing.T) {
				playGames(t, func(g *game) { g.serve(proto, method) })
			})
		}
	}
}

func (g *game) serve(proto, method string) {
	open := func() {
		if proto == "tcp" {
			g.proto, g.conn = "tcp", g.wire.connect(transport.Flow{Proto: "tcp", Listener: g.wire.Pick("tcp", peer.Addr()), Remote: peer}).Conn
		}
	}
	via := func(m []byte) []byte {
		return []byte(strings.Replace(string(m), "SIP/2.0/UDP", "SIP/2.0/"+strings.ToUpper(proto), 1))
	}
	open()
	g.wire.dial = g.dial
	g.receive(via(incoming(method)))
	tx := g.requests[0]
	final, acked, ackedAt := 0, false, time.Duration(0)
	answer := func(status int) func() {
		return func() {
			if final == 0 && status >= 200 {
				final = status
			}
			g.do(func() { tx.Reply(status, "") })
		}
	}
	does := map[string]func(){
		"nothing": func() {},
		"fortune": g.fortune,
		"repeat": func() {
			if time.Since(g.began) < 30*time.Second && !(final >= 300 && acked) && !(proto == "tcp" && method != "INVITE" && final > 0) { // else it is a new request
				g.receive(via(incoming(method)))
			}
		},
		"cancel": func() { g.receive(via(incoming("CANCEL"))) },
		"ack": func() {
			if final >= 300 || final >= 200 && acked {
				if !acked {
					acked, ackedAt = true, time.Since(g.began)
				}
				g.receive(via(incoming("ACK", "To: <sip:us@example.com>", "To: <sip:us@example.com>;tag=x")))
			} else if final >= 200 {
				acked = true
				g.receive(via(incoming("ACK", "z9hG4bKone", "z9hG4bKack", "To: <sip:us@example.com>", "To: <sip:us@example.com>;tag=x")))
				g.do(tx.Acked)
			}
		},
		"break": func() {
			if proto == "tcp" {
				g.wire.disconnect(g.conn)
				synctest.Wait()
				open()
			}
		},
		"trying": answer(100), "ringing": answer(180), "ok": answer(200), "busy": answer(486),
	}
	names := []string{"fortune", "nothing", "repeat", "break", "trying", "ringing", "ok", "busy"}
	if method == "INVITE" {
		names = append(names, "cancel", "ack", "ack")
	}
	for range someSteps {
		g.step(does, names...)
	}
	if final == 0 {
		answer(500)()
	}
	g.over()

	if n := g.count("OnRequest " + method); n != 1 {
		g.t.Errorf("handled %d times", n)
	}
	said := 0
	for _, p := range g.wire.packets() {
		if p.msg.CSeq().Method != method || p.msg.Status == 0 {
			continue
		}
		if said >= 200 && p.msg.Status != said {
			g.t.Errorf("%d after %d", p.msg.Status, said)
		}
		if proto == "udp" && final >= 300 && acked && p.after > ackedAt {
			g.t.Errorf("%d after its ACK", p.msg.Status)
		}
		said = p.msg.Status
	}
	for _, status := range []int{180, 200, 486, 500} {
		g.same(fmt.Sprint(status), func(m *sip.Message) bool { return m.Status == status && m.CSeq().Method == method })
	}
}

// A request of ours leaves as it was the first time, and its handler hears one end of it: a final response, or that there
// is none. Only further 2xx follow. A CANCEL leaves only where it was asked for, and after a 1xx.
func TestRandomClientTransactions(t *testing.T) {
	for _, proto := range []string{"udp", "tcp", "probe"} {
		for _, method := range []string{"INVITE", "OPTIONS"} {
			t.Run(proto+" "+method, func(t *testing.T) {
				playGames(t, func(g *game) { g.query(proto, method) })
			})
		}
	}
}

func (g *game) query(proto, method string) {
	g.wire.dial = g.dial
	g.fortune()
	to := udp()
	if proto == "tcp" {
		to = tcp()
	}
	to.Patient = g.rand.IntN(2) == 0
	g.do(func() {
		m := outgoing(method)
		if proto == "probe" {
			m.SetBody("text/plain", []byte(strings.Repeat("a=x\r\n", 800)))
		}
		g.uac = g.lane.Request(m, to, g)
	})
	request := func() *packet {
		for _, p := range g.wire.packets() {
			if p.msg.Method == method {
				return &p
			}
		}
		return nil
	}
	answer := func(status int, tag string) func() {
		return func() {
			sent := request()
			if sent == nil {
				return
			}
			g.proto, g.conn = "", 0
			if sent.flow.Proto == "tcp" {
				g.proto, g.conn = "tcp", sent.flow.Conn
			}
			g.reply(sent.msg, status, tag)
		}
	}
	canceled, rang, canceledAt := false, false, time.Duration(0)
	does := map[string]func(){
		"nothing": func() {},
		"fortune": g.fortune,
		"ICMP":    g.unreachable,
		"cancel": func() {
			if !canceled {
				canceled, canceledAt = true, time.Since(g.began)
			}
			g.do(func() { g.uac.Cancel() })
		},
		"break": func() {
			for id := range uint64(20) {
				g.wire.mu.Lock()
				_, open := g.wire.conns[id]
				g.wire.mu.Unlock()
				if open {
					g.wire.disconnect(id)
				}
			}
			synctest.Wait()
		},
		"retire": func() {
			if f, open := g.wire.Find(transport.Flow{Proto: "tcp", Remote: peer}); open {
				g.wire.Retire(f, 0)
			}
		},
		"answer to the CANCEL": func() {
			for _, p := range g.wire.packets() {
				if p.msg.Method == "CANCEL" {
					g.reply(p.msg, 200, "")
					return
				}
			}
		},
		"trying": answer(100, ""), "ringing": answer(180, "x"), "ok": answer(200, "x"), "other ok": answer(200, "y"), "busy": answer(486, "x"),
	}
	names := []string{"fortune", "nothing", "nothing", "ICMP", "break", "retire", "trying", "ringing", "ok", "busy"}
	if method == "INVITE" {
		names = append(names, "cancel", "answer to the CANCEL", "other ok", "ringing")
	}
	for range someSteps {
		g.step(does, names...)
	}
	g.over()

	final, failed := 0, 0
	for _, h := range g.heard {
		var status int
		_, what, _ := strings.Cut(h, " ")
		switch n, _ := fmt.Sscanf(what, "OnResponse %d", &status); {
		case n == 0:
			failed++
			if final > 0 || failed > 1 {
				g.t.Errorf("%s, after %d and %d failures", what, final, failed-1)
			}
		case failed > 0 || final >= 300 || final > 0 && (status/100 != 2 || method != "INVITE"):
			g.t.Errorf("%s, after %d and %d failures", what, final, failed)
		case status >= 200:
			final = status
		default:
			rang = true
		}
	}
	if final == 0 && failed == 0 {
		g.t.Error("no end is heard")
	}
	g.same(method, func(m *sip.Message) bool { return m.Method == method })
	if first := request(); first != nil && canceled && first.after > canceledAt {
		g.t.Error("left although it had been cancelled")
	}
	acks := g.same("ACK", func(m *sip.Message) bool { return m.Method == "ACK" })
	if acks > 0 && final < 300 || acks == 0 && final >= 300 && method == "INVITE" && proto == "udp" {
		g.t.Errorf("%d ACKs after %d", acks, final)
	}
	cancels := g.same("CANCEL", func(m *sip.Message) bool { return m.Method == "CANCEL" })
	if cancels > 0 && (!rang || !canceled && time.Since(g.began) < 181*time.Second) {
		g.t.Errorf("%d CANCELs", cancels)
	}
}
