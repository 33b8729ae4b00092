package forker_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sidetrack/forker"
)

func TestMetrics(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		reg := prometheus.NewPedanticRegistry()
		cfg.Registerer = reg
		e := newEngine(t, cfg)
		c := newCall(t, e)
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), srs.addr(), pcmu)
		for i := range uint16(3) {
			c.caller.send(c.toA, rtp(0, i, 0, 1))
			srs.recv()
		}
		c.caller.send(c.toA, rtp(8, 3, 0, 1))
		newPeer(t, evilHost).send(c.toB, rtp(0, 0, 0, 1))
		eventually(t, "all counted", func() bool {
			return tap.Stats().In == 4 && c.flow(forker.BA).Strangers == 1
		})
		want := `
# HELP sidetrack_fork_packets_total Packets copied to recording servers.
# TYPE sidetrack_fork_packets_total counter
sidetrack_fork_packets_total{recorder="main"} 3
# HELP sidetrack_media_ports UDP ports of the media range.
# TYPE sidetrack_media_ports gauge
sidetrack_media_ports{state="draining"} 0
sidetrack_media_ports{state="free"} 26
sidetrack_media_ports{state="used"} 6
# HELP sidetrack_rtp_packets_total Media packets accepted from the party.
# TYPE sidetrack_rtp_packets_total counter
sidetrack_rtp_packets_total{direction="callee"} 0
sidetrack_rtp_packets_total{direction="caller"} 4
# HELP sidetrack_rtp_dropped_packets_total Media and RTCP packets of a side that were not passed on.
# TYPE sidetrack_rtp_dropped_packets_total counter
sidetrack_rtp_dropped_packets_total{direction="callee",reason="early"} 0
sidetrack_rtp_dropped_packets_total{direction="callee",reason="rate"} 0
sidetrack_rtp_dropped_packets_total{direction="callee",reason="send-error"} 0
sidetrack_rtp_dropped_packets_total{direction="callee",reason="srtp-auth"} 0
sidetrack_rtp_dropped_packets_total{direction="callee",reason="srtp-key"} 0
sidetrack_rtp_dropped_packets_total{direction="callee",reason="srtp-replay"} 0
sidetrack_rtp_dropped_packets_total{direction="callee",reason="stranger"} 1
sidetrack_rtp_dropped_packets_total{direction="caller",reason="early"} 0
sidetrack_rtp_dropped_packets_total{direction="caller",reason="rate"} 0
sidetrack_rtp_dropped_packets_total{direction="caller",reason="send-error"} 0
sidetrack_rtp_dropped_packets_total{direction="caller",reason="srtp-auth"} 0
sidetrack_rtp_dropped_packets_total{direction="caller",reason="srtp-key"} 0
sidetrack_rtp_dropped_packets_total{direction="caller",reason="srtp-replay"} 0
sidetrack_rtp_dropped_packets_total{direction="caller",reason="stranger"} 0
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sidetrack_fork_packets_total",
			"sidetrack_media_ports", "sidetrack_rtp_packets_total", "sidetrack_rtp_dropped_packets_total"); err != nil {
			t.Error(err)
		}
		problems, err := testutil.GatherAndLint(reg)
		if err != nil || len(problems) > 0 {
			t.Errorf("lint: %v %v", problems, err)
		}
		if n, err := testutil.GatherAndCount(reg, "sidetrack_fork_dropped_packets_total"); err != nil || n != 14 {
			t.Errorf("%d series of dropped copies, %v", n, err)
		}
	})
}

func TestConfigMistakesAreAllNamed(t *testing.T) {
	_, err := forker.New(forker.Config{PortMin: 9, PortMax: 3, Timeout: -1})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"listen", "ports 9-3", "timeout"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q not in %v", part, err)
		}
	}
	_, err = forker.New(forker.Config{Listen: usHost, PortMin: 9, PortMax: 9})
	if err == nil || !strings.Contains(err.Error(), "ports 9-9") {
		t.Errorf("a range without a pair: %v", err)
	}
}
