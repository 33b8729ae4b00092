package recorder_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/recorder"
)

func TestSilentClientIsGivenUp(t *testing.T) {
	s, ended := serve(t, func(c *recorder.Config) {
		c.IdleTimeout, c.RTCPInterval = 150*time.Millisecond, 30*time.Millisecond
	})
	c := dial(t, s, "udp", 2)
	c.call(two)
	if m := c.request(); !strings.HasPrefix(m.start, "BYE ") || !strings.Contains(m.headers["reason"], "idle") {
		t.Errorf("request %q, reason %q", m.start, m.headers["reason"])
	}
	if sum := result(t, ended); sum.Reason != "idle" || sum.Complete {
		t.Errorf("%+v", sum)
	}
	// While all is paused another limit holds.
	c = dial(t, s, "udp", 2)
	c.call(offer{sections: []section{{label: "1", dir: "inactive"}, {label: "2", dir: "inactive"}}})
	start := time.Now()
	eventually(t, "more than the idle time passes", func() bool { return time.Since(start) > 400*time.Millisecond })
	c.bye()
	if sum := result(t, ended); sum.Reason != "BYE from the client" {
		t.Errorf("%+v", sum)
	}
}

func TestNoAck(t *testing.T) {
	s, ended := serve(t, func(c *recorder.Config) { c.T1 = 3 * time.Millisecond })
	c := dial(t, s, "udp", 2)
	contentType, body := two.body(c)
	c.send("INVITE", siprec, contentType, body)
	c.want(c.next(), 200)
	if m := c.request(); !strings.HasPrefix(m.start, "BYE ") {
		t.Errorf("request %q", m.start)
	}
	if sum := result(t, ended); sum.Reason != "no ACK" {
		t.Errorf("%+v", sum)
	}
}

// A BYE does not leave before the ACK of the 200 (RFC 3261 §15), whatever ends the session.
func TestNoByeBeforeTheAck(t *testing.T) {
	s, ended := serve(t, func(c *recorder.Config) {
		c.IdleTimeout, c.RTCPInterval, c.T1 = 50*time.Millisecond, 20*time.Millisecond, patience
	})
	invite := func(proto string) *client {
		c := dial(t, s, proto, 2)
		contentType, body := two.body(c)
		c.send("INVITE", siprec, contentType, body)
		m := c.next()
		c.want(m, 200)
		_, c.toTag, _ = strings.Cut(m.headers["to"], ";tag=")
		return c
	}
	doomed := func(n int) {
		t.Helper()
		eventually(t, "the recorder has seen that they are idle", func() bool {
			silent := 0
			for _, sum := range s.Sessions() {
				if len(sum.Problems) > 0 {
					silent++
				}
			}
			return silent == n
		})
	}
	c := invite("udp")
	doomed(1)
	if sum := s.Sessions()[0]; sum.Reason != "" {
		t.Errorf("ended: %s", sum.Reason)
	}
	c.send("ACK", "", "", "")
	if m := c.request(); !strings.HasPrefix(m.start, "BYE ") || !strings.Contains(m.headers["reason"], "idle") {
		t.Errorf("request %q, reason %q", m.start, m.headers["reason"])
	}
	if sum := result(t, ended); sum.Reason != "idle" {
		t.Errorf("%+v", sum)
	}

	// When the recorder stops, none leaves for a client that sends no ACK in time.
	c = invite("tcp")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err == nil {
		t.Error("no word of the client that sent no ACK")
	}
	result(t, ended)
	<-c.closed
	select {
	case m := <-c.asked:
		t.Errorf("asked: %s", m.start)
	default:
	}
}

func TestRetransmissionsMakeOneSession(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 2)
	contentType, body := two.body(c)
	c.cseq = 1
	invite := c.text("INVITE", siprec, contentType, body)
	for range 5 {
		c.write(invite)
	}
	m := c.next()
	_, c.toTag, _ = strings.Cut(m.headers["to"], ";tag=")
	c.send("ACK", "", "", "")
	c.send("ACK", "", "", "")
	c.bye()
	result(t, ended)
	if n := len(s.Sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestCloseSaysGoodbye(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		s, ended := serve(t, nil)
		c := dial(t, s, proto, 2)
		c.call(two)
		newSender(c, 0, "PCMU", 0, 0).talk(50)
		packets(t, s, 0, 50)
		closed := make(chan error)
		go func() { closed <- s.Close(context.Background()) }()
		if m := c.request(); !strings.HasPrefix(m.start, "BYE ") {
			t.Errorf("request %q", m.start)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		sum := result(t, ended)
		only(t, "until the end", wav(t, sum, 0).PCM, 8000, 0)
		if sum.Reason != "recorder stopped" || sum.Complete {
			t.Errorf("%+v", sum)
		}
	}
}

func TestCloseDoesNotWaitForTheDeaf(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 2)
	c.call(two)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err == nil {
		t.Error("no word of the client that did not answer")
	}
	result(t, ended)
}

func TestTwentyAtOnce(t *testing.T) {
	s, ended := serve(t, nil)
	var wg sync.WaitGroup
	for i := range 20 {
		c := dial(t, s, []string{"udp", "tcp"}[i%2], 2)
		wg.Go(func() {
			c.call(two)
			a, b := newSender(c, 0, "PCMU", 0, i%8), newSender(c, 1, "PCMU", 0, (i+1)%8)
			for range 10 {
				a.talk(10)
				b.talk(10)
			}
			c.bye()
		})
	}
	wg.Wait()
	folders := map[string]bool{}
	for range 20 {
		sum := result(t, ended)
		folders[sum.Folder] = true
		if !sum.Complete || sum.Streams[0].Packets != 100 || sum.Streams[1].Packets != 100 {
			t.Errorf("%+v", sum)
		}
	}
	if len(folders) != 20 {
		t.Errorf("%d folders", len(folders))
	}
}

// A fault while a session is concluded costs what it would have told, and does not keep the recorder from ending.
func TestCloseAfterAFault(t *testing.T) {
	s, _ := serve(t, func(c *recorder.Config) { c.OnSession = func(recorder.Summary) { panic("a fault of the test") } })
	c := dial(t, s, "udp", 2)
	c.call(two)
	c.bye()
	eventually(t, "the session is over", func() bool { return s.Live() == 0 })
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
