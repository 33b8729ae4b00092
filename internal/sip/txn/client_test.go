package txn_test

import (
	"strings"
	"testing"
	"time"

	"sidetrack/internal/sip"
)

func TestTimersAandB(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.pass(40 * time.Second)
		b.wantSent("0s INVITE, 500ms INVITE, 1.5s INVITE, 3.5s INVITE, 7.5s INVITE, 15.5s INVITE, 31.5s INVITE")
		b.wantHeard("32s OnFail no answer in time")
		if !tx.Terminated() {
			t.Error("not terminated")
		}
		for _, p := range b.wire.packets() {
			if p.raw != b.wire.packets()[0].raw {
				t.Error("a retransmission differs")
			}
		}
	})
}

func TestTimerBOnStream(t *testing.T) {
	play(t, func(b *bed) {
		b.ask("INVITE", tcp())
		b.pass(40 * time.Second)
		b.wantSent("0s INVITE")
		b.wantHeard("32s OnFail no answer in time")
	})
}

func TestTimersEandF(t *testing.T) {
	play(t, func(b *bed) {
		b.ask("OPTIONS", udp())
		b.pass(40 * time.Second)
		b.wantSent("0s OPTIONS, 500ms OPTIONS, 1.5s OPTIONS, 3.5s OPTIONS, 7.5s OPTIONS, 11.5s OPTIONS, " +
			"15.5s OPTIONS, 19.5s OPTIONS, 23.5s OPTIONS, 27.5s OPTIONS, 31.5s OPTIONS")
		b.wantHeard("32s OnFail no answer in time")
	})
}

func TestTimerEAfterProvisional(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("BYE", udp())
		b.reply(tx.Request(), 100, "")
		b.pass(10 * time.Second)
		b.wantSent("0s BYE, 500ms BYE, 4.5s BYE, 8.5s BYE")
		b.pass(30 * time.Second)
		b.wantHeard("0s OnResponse 100, 32s OnFail no answer in time")
	})
}

func TestTimerK(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("BYE", udp())
		req := tx.Request()
		b.reply(req, 200, "x")
		b.pass(4900 * time.Millisecond)
		b.reply(req, 200, "x") // absorbed
		if n := b.counter("sidetrack_sip_rejected_total"); n != 0 {
			t.Errorf("%v strays before Timer K", n)
		}
		b.pass(200 * time.Millisecond)
		b.reply(req, 200, "x")
		if n := b.counter("sidetrack_sip_rejected_total", "reason", "stray"); n != 1 {
			t.Errorf("%v strays after Timer K, want 1", n)
		}
		b.wantSent("0s BYE")
		b.wantHeard("0s OnResponse 200")
	})
}

func TestTimerD(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		req := tx.Request()
		b.reply(req, 180, "x")
		b.reply(req, 486, "x")
		ack := b.last()
		b.pass(time.Second)
		b.reply(req, 486, "x")
		b.reply(req, 180, "x") // late
		if b.last().raw != ack.raw {
			t.Error("the repeated ACK differs")
		}
		b.pass(32 * time.Second)
		b.reply(req, 486, "x") // nobody knows it any more
		b.wantSent("0s INVITE, 0s ACK, 1s ACK")
		b.wantHeard("0s OnResponse 180, 0s OnResponse 486")
	})
}

// The ACK of a non-2xx is made of the INVITE but for To (RFC 3261 §17.1.1.3).
func TestAckOfFailure(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		invite := tx.Request()
		b.reply(invite, 404, "x")
		ack := b.last().msg
		for _, name := range []string{"Via", "From", "Call-ID", "Route"} {
			if ack.Get(name) != invite.Get(name) {
				t.Errorf("%s: %q, in the INVITE %q", name, ack.Get(name), invite.Get(name))
			}
		}
		if ack.RequestURI != invite.RequestURI || ack.ToTag() != "x" || ack.CSeq() != (sip.CSeq{Num: 7, Method: "ACK"}) {
			t.Errorf("ACK:\n%s", ack.Bytes())
		}
		if len(ack.List("Via")) != 1 {
			t.Error("more than one Via")
		}
	})
}

func TestTimerDOnStreamIsZero(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", tcp())
		b.reply(tx.Request(), 486, "x")
		b.wantSent("0s INVITE, 0s ACK")
		if !tx.Terminated() {
			t.Error("not terminated")
		}
	})
}

func TestTimerM(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		req := tx.Request()
		b.reply(req, 183, "x")
		b.reply(req, 200, "x")
		b.pass(time.Second)
		b.reply(req, 200, "x")
		b.reply(req, 200, "y")
		b.reply(req, 486, "z")
		b.pass(30 * time.Second)
		b.reply(req, 200, "x")
		b.pass(2 * time.Second)
		b.reply(req, 200, "x")
		b.wantSent("0s INVITE")
		b.wantHeard("0s OnResponse 183, 0s OnResponse 200, 1s OnResponse 200, 1s OnResponse 200, 31s OnResponse 200")
	})
}

func TestTimerC(t *testing.T) {
	ringing := func(b *bed) *sip.Message {
		tx := b.ask("INVITE", udp())
		b.reply(tx.Request(), 100, "")
		b.pass(60 * time.Second)
		b.reply(tx.Request(), 180, "x") // starts the clock anew
		b.restart()
		b.pass(181 * time.Second)
		b.wantSent("3m1s CANCEL")
		return tx.Request()
	}
	t.Run("487", func(t *testing.T) {
		play(t, func(b *bed) {
			invite := ringing(b)
			b.reply(b.last().msg, 200, "")
			b.reply(invite, 487, "x")
			b.wantHeard("3m1s OnFail no final answer in time")
			b.wantSent("3m1s CANCEL, 3m1s ACK")
		})
	})
	t.Run("silence", func(t *testing.T) {
		play(t, func(b *bed) {
			ringing(b)
			b.pass(40 * time.Second)
			b.wantHeard("3m33s OnFail no final answer in time")
		})
	})
	t.Run("answered after all", func(t *testing.T) {
		play(t, func(b *bed) {
			b.reply(ringing(b), 200, "x")
			b.pass(time.Minute)
			b.wantHeard("3m1s OnResponse 200")
		})
	})
}

func TestProvisional100DoesNotRestartTimerC(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		for range 4 {
			b.reply(tx.Request(), 100, "")
			b.pass(50 * time.Second)
		}
		b.wantSent("0s INVITE, 3m1s CANCEL, 3m1.5s CANCEL, 3m2.5s CANCEL, 3m4.5s CANCEL, 3m8.5s CANCEL, 3m12.5s CANCEL, " +
			"3m16.5s CANCEL")
	})
}

func TestCancelWaitsForProvisional(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.do(func() { tx.Cancel(sip.Header{Name: "Reason", Value: "SIP;cause=200"}) })
		b.pass(time.Second)
		b.wantSent("0s INVITE, 500ms INVITE")
		b.reply(tx.Request(), 100, "")
		cancel := b.last().msg
		if cancel.Method != "CANCEL" || cancel.Get("Reason") != "SIP;cause=200" || cancel.CSeq().Num != 7 ||
			cancel.TopVia().Branch() != tx.Request().TopVia().Branch() || cancel.Get("Route") == "" {
			t.Errorf("CANCEL:\n%s", cancel.Bytes())
		}
		b.reply(cancel, 200, "")
		b.do(func() { tx.Cancel() }) // once is enough
		b.reply(tx.Request(), 487, "x")
		b.wantSent("0s INVITE, 500ms INVITE, 1s CANCEL, 1s ACK")
		b.wantHeard("1s OnResponse 100, 1s OnResponse 487")
	})
}

func TestCancelOfSilentPeer(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.do(func() { tx.Cancel() })
		b.pass(40 * time.Second)
		b.wantHeard("32s OnFail no answer in time")
		b.wantSent("0s INVITE, 500ms INVITE, 1.5s INVITE, 3.5s INVITE") // then only its last words count
	})
}

// A peer that was slow, not away, is cancelled whenever it speaks.
func TestCancelOfSlowPeer(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.do(func() { tx.Cancel() })
		b.pass(20 * time.Second)
		b.wire.clear()
		b.reply(tx.Request(), 180, "x")
		b.wantSent("0s CANCEL")
	})
}

func TestCancelWithout487(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.reply(tx.Request(), 180, "x")
		b.pass(10 * time.Second)
		b.do(func() { tx.Cancel() })
		b.reply(b.last().msg, 200, "")
		b.reply(tx.Request(), 180, "x") // must not bring Timer C back
		b.pass(40 * time.Second)
		b.wantSent("0s INVITE, 10s CANCEL")
		b.wantHeard("0s OnResponse 180, 10s OnResponse 180, 42s OnFail no answer in time")
	})
}

func TestCancelCrosses200(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.reply(tx.Request(), 180, "x")
		b.do(func() { tx.Cancel() })
		b.reply(tx.Request(), 200, "x")
		b.reply(b.last().msg, 481, "")
		b.pass(time.Minute)
		b.wantSent("0s INVITE, 0s CANCEL")
		b.wantHeard("0s OnResponse 180, 0s OnResponse 200")
	})
}

func TestCancelAfterFinalDoesNothing(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.reply(tx.Request(), 200, "x")
		b.do(func() { tx.Cancel() })
		bye := b.ask("BYE", udp())
		b.do(func() { bye.Cancel() })
		b.wantSent("0s INVITE, 0s BYE")
	})
}

func TestForget(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.do(tx.Forget)
		b.reply(tx.Request(), 180, "x")
		b.reply(tx.Request(), 486, "x")
		b.wantSent("0s INVITE, 0s ACK")
		b.wantHeard("")
	})
}

func TestRequestIsCloned(t *testing.T) {
	play(t, func(b *bed) {
		req := outgoing("OPTIONS")
		b.do(func() {
			b.lane.Request(req, udp(), nil)
			req.Set("Call-ID", "changed")
			req.RequestURI = "sip:changed@x"
		})
		if req.Has("Via") {
			t.Error("the caller's message got a Via")
		}
		b.pass(time.Second)
		if first, again := b.wire.packets()[0], b.last(); first.raw != again.raw || first.msg.CallID() != "out" {
			t.Error("a change after the call was sent")
		}
	})
}

func TestVia(t *testing.T) {
	play(t, func(b *bed) {
		b.ask("OPTIONS", udp())
		via := b.last().msg.TopVia()
		if via.Transport != "UDP" || via.Host != "192.0.2.1" || via.Port != 5060 || !via.Params.Has("rport") ||
			!strings.HasPrefix(via.Branch(), "z9hG4bK") {
			t.Errorf("Via %s", via)
		}
	})
}

// Who knows that somebody is still being rung begins Timer C anew.
func TestKeepRinging(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.do(tx.KeepRinging) // nobody rings yet: Timer B goes on
		b.reply(tx.Request(), 180, "x")
		b.pass(120 * time.Second)
		b.do(tx.KeepRinging)
		b.restart()
		b.pass(180 * time.Second)
		b.wantSent("")
		b.pass(2 * time.Second)
		b.wantSent("3m1s CANCEL, 3m1.5s CANCEL")
		b.do(tx.KeepRinging)
		b.pass(40 * time.Second)
		b.wantHeard("3m33s OnFail no final answer in time")
	})
}
