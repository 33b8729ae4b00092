package txn_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

func TestToTagIsOne(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.respond(tx, 180)
		b.receive(incoming("CANCEL"))
		b.respond(tx, 487)
		sent := b.wire.packets()
		if len(sent) != 3 {
			t.Fatalf("sent %s", b.wire.ladder())
		}
		for _, p := range sent {
			if p.msg.ToTag() != tx.LocalTag() {
				t.Errorf("%d %s: To-tag %q, want %q", p.msg.Status, p.msg.CSeq().Method, p.msg.ToTag(), tx.LocalTag())
			}
		}
	})
}

func TestToTagOfTheOwnerIsTaken(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.do(func() {
			resp := sip.NewResponse(tx.Request, 183, "")
			resp.Set("To", sip.WithTag(resp.Get("To"), "callee"))
			tx.Respond(resp)
		})
		b.receive(incoming("CANCEL"))
		if got := b.last().msg.ToTag(); got != "callee" {
			t.Errorf("CANCEL answered with To-tag %q", got)
		}
		if tx.LocalTag() != "callee" {
			t.Errorf("LocalTag %q", tx.LocalTag())
		}
	})
}

func TestCancel(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.receive(incoming("CANCEL"))
		b.receive(incoming("CANCEL")) // a retransmission
		b.respond(tx, 487)
		b.receive(incoming("ACK"))
		b.wantSent("0s 200 CANCEL, 0s 200 CANCEL, 0s 487 INVITE")
		b.wantHeard("0s OnRequest INVITE, 0s OnCancel")
	})
}

func TestCancelAfterFinalResponse(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.respond(tx, 200)
		b.do(tx.Acked)
		b.receive(incoming("CANCEL"))
		b.wantSent("0s 200 INVITE, 0s 200 CANCEL")
		if b.last().msg.ToTag() != tx.LocalTag() {
			t.Error("another To-tag")
		}
		b.wantHeard("0s OnRequest INVITE")
	})
}

func TestCancelOfNothing(t *testing.T) {
	play(t, func(b *bed) {
		b.receive(incoming("CANCEL"))
		b.wantSent("0s 481 CANCEL")
		b.wantHeard("")
		if n := b.layer.Transactions(); n != 0 { // anybody can send any number of them
			t.Errorf("%d transactions are kept", n)
		}
	})
}

func TestMergedAndSpiral(t *testing.T) {
	play(t, func(b *bed) {
		b.offer("INVITE")
		b.receive(incoming("INVITE", "z9hG4bKone", "z9hG4bKtwo"))
		b.wantSent("0s 482 INVITE")
		b.receive(incoming("ACK", "z9hG4bKone", "z9hG4bKtwo"))
		b.offer("INVITE", "z9hG4bKone", "z9hG4bKthree", "sip:us@", "sip:them@") // a spiral
		b.offer("INVITE", "z9hG4bKone", "z9hG4bKfour", "CSeq: 3", "CSeq: 4")    // with credentials
		b.offer("INVITE", "z9hG4bKone", "z9hG4bKfive", "example.com>\r\nCall", "example.com>;tag=x\r\nCall")
		b.offer("INVITE", "192.0.2.9:5060;branch=z9hG4bKone", "192.0.2.10:5060;branch=z9hG4bKsix")         // by way of the PBX, once
		b.offer("INVITE", "z9hG4bKone", "z9hG4bKseven", "From", "Route: <sip:token@192.0.2.1;lr>\r\nFrom") // to another phone with its Path
		if b.counter("sidetrack_sip_rejected_total", "reason", "merged") != 1 {
			t.Error("not counted")
		}
		b.pass(time.Second)
		if strings.Contains(b.wire.ladder(), "500ms 482") {
			t.Error("482 resent after its ACK")
		}
	})
}

// Who was refused may be asked once more by another way: the copy is no loop then. One that was accepted stays one.
func TestCopyAfterARefusal(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.respond(tx, 503)
		b.receive(incoming("ACK"))
		second := b.offer("INVITE", "z9hG4bKone", "z9hG4bKtwo") // by way of another socket of ours
		b.pass(5 * time.Second)                                 // the first transaction ends
		b.receive(incoming("INVITE", "z9hG4bKone", "z9hG4bKthree"))
		if b.last().msg.Status != 482 {
			t.Errorf("the third copy, beside the second, got %d", b.last().msg.Status)
		}
		b.respond(second, 200)
		b.receive(incoming("INVITE", "z9hG4bKone", "z9hG4bKfour"))
		if b.last().msg.Status != 482 {
			t.Errorf("a copy of the accepted one got %d", b.last().msg.Status)
		}
		other := b.offer("MESSAGE")
		b.respond(other, 503)
		b.offer("MESSAGE", "z9hG4bKone", "z9hG4bKtwo")
	})
}

// A request of ours that comes straight back to us is a loop; one that comes by way of somebody else may be a spiral.
func TestOwnRequestIsALoop(t *testing.T) {
	play(t, func(b *bed) {
		for _, method := range []string{"INVITE", "MESSAGE"} {
			b.ask(method, udp())
			ours := b.last().raw
			before := len(b.requests)
			b.receive([]byte(ours))
			if got := b.last().msg; got.Status != 482 || got.CSeq().Method != method || len(b.requests) != before {
				t.Errorf("%s got %d, handed up %d times", method, got.Status, len(b.requests)-before)
			}
			back := strings.Replace(ours, "\r\nVia:", "\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKpbx"+method+"\r\nVia:", 1)
			b.receive([]byte(back))
			if len(b.requests) != before+1 {
				t.Errorf("a spiral of %s got %d", method, b.last().msg.Status)
			}
		}
	})
}

// Two clients may choose the same branch; sent-by and method tell them apart.
func TestKeys(t *testing.T) {
	play(t, func(b *bed) {
		b.offer("INVITE")
		b.offer("INVITE", "192.0.2.9:5060;branch", "192.0.2.9:5070;branch", "Call-ID: in", "Call-ID: other")
		b.offer("INFO")
	})
}

func TestRFC2543Peer(t *testing.T) {
	old := []string{";branch=z9hG4bKone", ""}
	play(t, func(b *bed) {
		tx := b.offer("INVITE", old...)
		b.receive(incoming("INVITE", old...))
		b.receive(incoming("CANCEL", old...))
		b.respond(tx, 487)
		b.receive(incoming("ACK", old...))
		b.pass(time.Second)
		b.wantSent("0s 100 INVITE, 0s 200 CANCEL, 0s 487 INVITE")
		b.wantHeard("0s OnRequest INVITE, 0s OnCancel")
		b.offer("INVITE", append(old, "CSeq: 3", "CSeq: 4")...)
	})
}

type dialogHandler struct{ *bed }

func (d dialogHandler) OnRequest(tx *txn.ServerTx) {
	d.note("dialog OnRequest %s", tx.Request.Method)
	d.requests = append(d.requests, tx)
}
func (d dialogHandler) OnAck(*txn.Lane, *sip.Message, transport.Flow) { d.note("dialog OnAck") }
func (d dialogHandler) OnCancel(*txn.ServerTx, *sip.Message)          { d.note("dialog OnCancel") }

func TestBind(t *testing.T) {
	inDialog := func(method, branch string) []byte {
		return incoming(method, "example.com>\r\nCall", "example.com>;tag=us\r\nCall", "one", branch)
	}
	play(t, func(b *bed) {
		b.do(func() { b.lane.Bind("in", "us", dialogHandler{b}) })
		b.receive(inDialog("INFO", "1"))
		b.receive(inDialog("ACK", "2"))
		b.receive(inDialog("INVITE", "3"))
		b.receive(inDialog("CANCEL", "3"))
		b.receive(incoming("OPTIONS", "one", "4"))
		b.do(func() { b.lane.Unbind("in", "us") })
		b.receive(inDialog("BYE", "5"))
		b.receive(inDialog("ACK", "6"))
		b.wantHeard("0s dialog OnRequest INFO, 0s dialog OnAck, 0s dialog OnRequest INVITE, 0s dialog OnCancel, " +
			"0s OnRequest OPTIONS, 0s OnRequest BYE, 0s OnAck 3")
	})
}

func TestPanicAnswers500AndTheLaneLives(t *testing.T) {
	play(t, func(b *bed) {
		b.answer = func(*txn.ServerTx) { panic("oops") }
		b.receive(incoming("INVITE"))
		b.wantSent("0s 500 INVITE")
		b.answer = func(tx *txn.ServerTx) { tx.Reply(200, "") }
		b.receive(incoming("OPTIONS"))
		b.do(func() { panic("in a posted call") })
		b.do(func() { b.lane.After(time.Second, func() { panic("in a timer") }) })
		b.receive(incoming("ACK"))
		b.pass(2 * time.Second)
		b.receive(incoming("OPTIONS", "one", "two", "CSeq: 3", "CSeq: 4"))
		b.wantSent("0s 500 INVITE, 0s 200 OPTIONS, 2s 200 OPTIONS")
		if n := b.counter("sidetrack_sip_rejected_total", "reason", "panic"); n != 3 {
			t.Errorf("%v panics counted, want 3", n)
		}
	})
}

// A response whose connection is gone reaches the client where its Via says it
// listens (RFC 3261 §18.2.2).
func TestResponseReconnects(t *testing.T) {
	play(t, func(b *bed) {
		b.stream()
		tx := b.offer("INVITE", "192.0.2.9:5060", "192.0.2.9:5099")
		b.wire.disconnect(b.conn)
		b.do(func() { tx.Reply(180, ""); tx.Reply(200, "") })
		b.wantSent("0s 180 INVITE, 0s 200 INVITE")
		if d := b.wire.dialed(); len(d) != 1 || d[0] != "back tcp 192.0.2.9:5099 0s" {
			t.Errorf("dialled %q", d)
		}
	})
}

func TestResponsesGoBackByRport(t *testing.T) {
	play(t, func(b *bed) {
		b.respond(b.offer("OPTIONS"), 200)
		if got := b.last().flow.Remote; got != peer {
			t.Errorf("with rport: to %s", got)
		}
		b.respond(b.offer("OPTIONS", "5060;branch=z9hG4bKone;rport=5060", "5099;branch=z9hG4bKtwo", "CSeq: 3", "CSeq: 4"), 200)
		if got := b.last().flow.Remote; got.Port() != 5099 || got.Addr() != peer.Addr() {
			t.Errorf("without rport: to %s", got)
		}
	})
}

func TestServerHeader(t *testing.T) {
	playWith(t, txn.Config{Lanes: 1, UserAgent: "sidetrack"}, func(b *bed) {
		b.respond(b.offer("OPTIONS"), 200)
		if got := b.last().msg.Get("Server"); got != "sidetrack" {
			t.Errorf("Server %q", got)
		}
	})
}

// Above the mailbox limit new calls are refused, without a transaction, and
// stay refused; what belongs to running ones is handled.
func TestOverload(t *testing.T) {
	playWith(t, txn.Config{Lanes: 1, MailboxLimit: 10}, func(b *bed) {
		b.offer("INVITE")
		hold, held := make(chan struct{}), make(chan struct{})
		b.lane.Post(func() { close(held); <-hold })
		<-held
		send := func(raw []byte) {
			m, _ := sip.Parse(raw)
			b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Remote: peer, Listener: b.wire.listeners[0]}})
		}
		for range 10 {
			send(incoming("OPTIONS"))
		}
		late := incoming("INVITE", "z9hG4bKone", "z9hG4bKlate", "Call-ID: in", "Call-ID: late")
		send(late)
		send(incoming("INVITE")) // known: handled
		send(incoming("BYE", "example.com>\r\nCall", "example.com>;tag=x\r\nCall"))
		for range 40 {
			send(incoming("OPTIONS"))
		}
		b.restart()
		close(hold)
		synctest.Wait()
		b.wantHeard("0s OnRequest OPTIONS, 0s OnRequest BYE")
		b.wantSent("0s 503 INVITE, 0s 100 INVITE")
		if p := b.wire.packets()[0].msg; p.Get("Retry-After") == "" || p.ToTag() == "" {
			t.Errorf("503:\n%s", p.Bytes())
		}
		b.restart()
		b.pass(time.Second)
		counted := b.counter("sidetrack_sip_rejected_total", "reason", "overload")
		send(late) // the load is over, but its client has been told
		synctest.Wait()
		b.wantSent("1s 503 INVITE")
		b.wantHeard("")
		if again := b.counter("sidetrack_sip_rejected_total", "reason", "overload"); again != counted {
			t.Errorf("a repeated request that was refused counts again: %v after %v", again, counted)
		}
		b.pass(3 * time.Minute)
		send(late)
		synctest.Wait()
		b.wantHeard("3m1s OnRequest INVITE")
		if b.counter("sidetrack_sip_rejected_total", "reason", "overload") < 10 {
			t.Error("drops are not counted")
		}
	})
}
