package txn_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// These tests run the layer on real sockets against peers that are sockets and
// string templates, a thousand times each way: what is sent back to back is
// handled in that order and nothing is lost (libraries that start a goroutine
// per message fail them within a second).

const rounds = 1000

func overBoth(t *testing.T, answer func(*txn.ServerTx), f func(t *testing.T, r *realBed, p *plainPeer)) {
	for _, proto := range []string{"udp", "tcp"} {
		t.Run(proto, func(t *testing.T) {
			r := newOrderBed(t, proto, answer)
			f(t, r, dialPlain(t, proto, r.listener.Bound.String()))
		})
	}
}

func TestOrderInviteCancel(t *testing.T) {
	overBoth(t, nil, func(t *testing.T, r *realBed, p *plainPeer) {
		r.window(rounds, func(i int) {
			id := fmt.Sprintf("call-%d", i)
			p.send(p.request("INVITE", id, "", "1 INVITE") + p.request("CANCEL", id, "", "1 CANCEL"))
		})
		r.wantEach(rounds, "INVITE CANCEL")
	})
}

func TestOrderAckBye(t *testing.T) {
	answer := func(tx *txn.ServerTx) { tx.Reply(200, "") }
	overBoth(t, answer, func(t *testing.T, r *realBed, p *plainPeer) {
		go p.each(func(m string) {
			if !strings.HasPrefix(m, "SIP/2.0 200") || !strings.Contains(m, "1 INVITE") {
				return
			}
			id, tag := field(m, "Call-ID"), field(m, "To")[strings.Index(field(m, "To"), ";"):]
			p.send(p.request("ACK", id, tag, "1 ACK") + p.request("BYE", id, tag, "2 BYE"))
		})
		r.window(rounds, func(i int) { p.send(p.request("INVITE", fmt.Sprintf("call-%d", i), "", "1 INVITE")) })
		r.wantEach(rounds, "INVITE ACK BYE")
	})
}

func TestOrderResponses(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		t.Run(proto, func(t *testing.T) {
			r := newOrderBed(t, proto, nil)
			p := listenPlain(t, proto, func(p *plainPeer, m string) {
				if strings.HasPrefix(m, "INVITE ") {
					p.send(answerTo(m, 180) + answerTo(m, 183) + answerTo(m, 200))
				}
			})
			r.window(rounds, func(i int) {
				lane := r.layer.LaneFor(fmt.Sprintf("call-%d", i))
				lane.Post(func() { lane.Request(r.outgoing("INVITE", i), p.target(proto), r) })
			})
			r.wantEach(rounds, "180 183 200")
		})
	}
}

// Our own ACK and BYE, sent back to back, arrive in that order.
func TestOrderOfWhatWeSend(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		t.Run(proto, func(t *testing.T) {
			r := newOrderBed(t, proto, nil)
			p := listenPlain(t, proto, func(p *plainPeer, m string) {
				method, _, _ := strings.Cut(m, " ")
				r.note(field(m, "Call-ID"), method, method == "BYE")
				if method == "BYE" {
					p.send(answerTo(m, 200))
				}
			})
			r.window(rounds, func(i int) {
				lane := r.layer.LaneFor(fmt.Sprintf("call-%d", i))
				lane.Post(func() {
					lane.SendAck(r.outgoing("ACK", i), p.target(proto))
					lane.Request(r.outgoing("BYE", i), p.target(proto), nil)
				})
			})
			r.wantEach(rounds, "ACK BYE")
		})
	}
}

// realBed is a layer on real sockets that notes what it hears per Call-ID.
type realBed struct {
	t        *testing.T
	layer    *txn.Layer
	listener *transport.Listener
	answer   func(*txn.ServerTx)

	mu    sync.Mutex
	heard map[string][]string
	calls map[string]*txn.ServerTx // INVITEs answered with 2xx
	ended int
}

func newRealBed(t *testing.T, proto string, answer func(*txn.ServerTx)) *realBed {
	t.Helper()
	return newRealBedOf(t, proto, answer, 0)
}

// newOrderBed repeats nothing: on a busy machine a repetition would be one more of what is counted in its order.
func newOrderBed(t *testing.T, proto string, answer func(*txn.ServerTx)) *realBed {
	t.Helper()
	return newRealBedOf(t, proto, answer, time.Minute)
}

func newRealBedOf(t *testing.T, proto string, answer func(*txn.ServerTx), t1 time.Duration) *realBed {
	t.Helper()
	r := &realBed{t: t, answer: answer, heard: make(map[string][]string), calls: make(map[string]*txn.ServerTx)}
	tp := transport.New(transport.Config{OnMessage: func(in transport.Inbound) { r.layer.Receive(in) }})
	r.layer = txn.New(txn.Config{Lanes: 4, Transport: tp, T1: t1})
	r.layer.Start(r)
	t.Cleanup(func() { tp.Close(); r.layer.Close() })
	var err error
	if r.listener, err = tp.Listen(proto+"://127.0.0.1:0", ""); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *realBed) note(id, what string, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard[id] = append(r.heard[id], what)
	if last {
		r.ended++
	}
}

func (r *realBed) OnRequest(tx *txn.ServerTx) {
	method := tx.Request.Method
	r.note(tx.Request.CallID(), method, method == "BYE")
	switch {
	case method == "BYE":
		tx.Reply(200, "")
	case r.answer != nil:
		r.mu.Lock()
		r.calls[tx.Request.CallID()] = tx
		r.mu.Unlock()
		r.answer(tx)
	}
}

func (r *realBed) OnAck(_ *txn.Lane, ack *sip.Message, _ transport.Flow) {
	r.note(ack.CallID(), "ACK", false)
	r.mu.Lock()
	tx := r.calls[ack.CallID()]
	r.mu.Unlock()
	if tx != nil {
		tx.Acked()
	}
}

func (r *realBed) OnCancel(tx *txn.ServerTx, cancel *sip.Message) {
	r.note(cancel.CallID(), "CANCEL", true)
	tx.Reply(487, "")
}

func (r *realBed) OnResponse(tx *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	r.note(resp.CallID(), fmt.Sprint(resp.Status), resp.Status >= 200)
	if resp.Status >= 200 {
		tx.Forget()
	}
}

func (r *realBed) OnFail(tx *txn.ClientTx, err error) { r.t.Errorf("OnFail: %v", err) }

// window starts n rounds, at most a few ahead of what has ended, so that no
// socket buffer overflows.
func (r *realBed) window(n int, start func(i int)) {
	r.t.Helper()
	for i := range n {
		start(i)
		r.await(i - 15)
	}
	r.await(n)
}

func (r *realBed) await(n int) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Microsecond) {
		r.mu.Lock()
		ended := r.ended
		r.mu.Unlock()
		if ended >= n {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d rounds ended, want %d", ended, n)
		}
	}
}

func (r *realBed) wantEach(n int, want string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.heard) != n {
		r.t.Errorf("%d calls, want %d", len(r.heard), n)
	}
	wrong := 0
	for id, what := range r.heard {
		if got := strings.Join(what, " "); got != want {
			if wrong++; wrong < 5 {
				r.t.Errorf("%s: %s, want %s", id, got, want)
			}
		}
	}
	if wrong > 0 {
		r.t.Errorf("%d of %d out of order", wrong, n)
	}
}

func (r *realBed) outgoing(method string, i int) *sip.Message {
	m := outgoing(method)
	m.Set("Call-ID", fmt.Sprintf("call-%d", i))
	return m
}
