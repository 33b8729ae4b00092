package hep

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"testing"

	"github.com/pion/rtcp"
)

// counting is a context that knows how many watch for its end.
type counting struct {
	context.Context
	watches int
}

func (c *counting) Done() <-chan struct{} { return make(chan struct{}) }

func (c *counting) AfterFunc(func()) func() bool {
	c.watches++
	return func() bool { c.watches--; return true }
}

// A receiver that takes connections and ends them costs nothing that stays.
func TestConnectionsLeaveNothing(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx := &counting{Context: t.Context()}
	l := &link{ctx: ctx, log: slog.New(slog.DiscardHandler), tell: func(Kind, bool) {}}
	for range 3 {
		l.turn(&Receiver{Proto: "tcp", Address: ln.Addr().String()})
		l.send(SIP, []byte("x"), true)
		if ctx.watches != 1 {
			t.Fatalf("%d connections", ctx.watches)
		}
		l.turn(nil)
		if ctx.watches != 0 {
			t.Fatalf("%d watches of connections that are closed", ctx.watches)
		}
	}
}

// What a phone puts behind its report does not keep the report from being mirrored.
func TestReportsAmongOthers(t *testing.T) {
	sr, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 7, PacketCount: 3, Reports: []rtcp.ReceptionReport{{SSRC: 8, Jitter: 5}}}})
	if err != nil {
		t.Fatal(err)
	}
	odd := []byte{0x80, 207, 0, 2, 0, 0, 0, 7, 4, 0, 0, 9} // an extended report whose block is longer than it
	for name, b := range map[string][]byte{"alone": sr, "before": append(bytes.Clone(odd), sr...), "behind": append(bytes.Clone(sr), odd...)} {
		var r report
		if err := json.Unmarshal(reportOf(b), &r); err != nil || r.SSRC != 7 || r.Sender.Packets != 3 || r.Blocks[0].Jitter != 5 || r.Type != rtcp.TypeSenderReport {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
	}
	for name, b := range map[string][]byte{"none": odd, "cut": sr[:len(sr)-4], "nothing": nil, "short": {0x80}} {
		if out := reportOf(b); out != nil {
			t.Errorf("%s: %s", name, out)
		}
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte{0x81, 201, 0, 7, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if out := reportOf(b); out != nil && !json.Valid(out) {
			t.Errorf("%s", out)
		}
	})
}
