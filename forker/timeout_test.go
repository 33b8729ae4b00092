package forker_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidetrack/forker"
)

func TestTimeoutWithoutMedia(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.Timeout = 500 * time.Millisecond
		e := newEngine(t, cfg)
		c := newCall(t, e)
		var fired atomic.Int32
		c.relay.OnTimeout(func() { fired.Add(1); c.relay.Close() })
		for end := time.Now().Add(2 * cfg.Timeout); time.Now().Before(end); { // media from one side only
			sent := time.Now()
			c.caller.send(c.toA, rtp(0, 1, 0, 1))
			time.Sleep(cfg.Timeout / 20)
			if fired.Load() != 0 && time.Since(sent) < cfg.Timeout/2 { // unless we have been held up
				t.Fatal("fired with media flowing")
			}
		}
		eventually(t, "fired", func() bool { return fired.Load() == 1 })
		if last := c.flow(forker.AB).Last; time.Since(last) < cfg.Timeout {
			t.Errorf("fired %v after the last packet", time.Since(last))
		}
		eventually(t, "relay closed by its own timeout", func() bool { return e.Ports().Used == 0 })
	})
}

func TestNoTimeoutOnHold(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		cfg.Timeout = 60 * time.Millisecond
		c := newCall(t, newEngine(t, cfg))
		held := func(side forker.Side, p *peer) {
			remote := audio(p.addr())
			remote.Sends = false
			c.relay.SetRemote(side, 0, remote)
		}
		held(forker.SideA, c.caller)
		held(forker.SideB, c.callee)
		var fired atomic.Bool
		c.relay.OnTimeout(func() { fired.Store(true) })
		time.Sleep(4 * cfg.Timeout)
		if fired.Load() {
			t.Fatal("fired on hold")
		}
		resumed := time.Now()
		c.relay.SetRemote(forker.SideA, 0, audio(c.caller.addr()))
		eventually(t, "fired after the hold", fired.Load)
		if d := time.Since(resumed); d < cfg.Timeout {
			t.Errorf("fired %v after the hold's end", d)
		}
	})
}

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Strangers are told of once, not once per packet.
func TestStrangersAreLoggedOnce(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		log := &lines{}
		cfg.Log = slog.New(slog.NewTextHandler(log, nil))
		c := newCall(t, newEngine(t, cfg))
		evil := newPeer(t, evilHost)
		for i := range 50 { // each when the one before has been seen, so that none is lost on the way
			evil.send(c.toA, rtp(0, uint16(i), 0, 1))
			eventually(t, "counted", func() bool { return c.flow(forker.AB).Strangers == uint64(i+1) })
		}
		eventually(t, "logged", func() bool { return strings.Contains(log.String(), evil.addr().String()) })
		if n := strings.Count(log.String(), "strangers"); n != 1 {
			t.Errorf("%d lines:\n%s", n, log)
		}
	})
}
