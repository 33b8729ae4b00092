package forker_test

import (
	"bytes"
	"testing"
	"time"

	"sidetrack/forker"
)

// New ranges count for what begins from then on: a running call keeps its ports
// and its media, and those come back to the new range once it is over.
func TestPortsChangeUnderACall(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		lo, _ := portRange(3)
		cfg.PortMin, cfg.PortMax = lo, lo+3
		side, sideEnd := portRange(1)
		network := map[string]forker.Interface{"side": {Listen: usHost, PortMin: side, PortMax: sideEnd}}
		cfg.Interfaces = network
		e := newEngine(t, cfg)
		c := newCall(t, e)
		on, err := e.Prepare(forker.Settings{Listen: usHost, PortMin: lo, PortMax: lo + 5, Timeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		on()
		if got, want := e.Ports(), (forker.PortStats{Free: 2, Used: 4}); got != want {
			t.Errorf("three pairs, two of them with the call: %+v, want %+v", got, want)
		}
		there := rtp(0, 1, 160, 7)
		c.caller.send(c.toA, there)
		if got, _ := c.callee.recv(); !bytes.Equal(got, there) {
			t.Errorf("the running call passed % x", got)
		}
		_, err = c.relay.Fork(0, forker.AB, forker.TapConfig{Interface: "side"}) // is no more: the first one's
		if err != nil {
			t.Errorf("the third pair, for a copy of the running call: %v", err)
		}
		if _, err := c.relay.Fork(0, forker.BA, forker.TapConfig{}); err == nil {
			t.Error("a pair of the running call was given away")
		}
		c.relay.Close()
		eventually(t, "all three pairs free", func() bool { return e.Ports() == forker.PortStats{Free: 6} })
		r := e.Open()
		if err := r.SetStreams(1); err != nil {
			t.Error(err)
		}
		r.Close()
	})
}

func TestPrepareNamesMistakes(t *testing.T) {
	lo, hi := portRange(1)
	e := newEngine(t, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi})
	if _, err := e.Prepare(forker.Settings{Listen: usHost, PortMin: 9, PortMax: 9}); err == nil {
		t.Error("ports 9-9 are taken")
	}
	if got := e.Ports(); got != (forker.PortStats{Free: 2}) {
		t.Errorf("after a mistake: %+v", got)
	}
}
