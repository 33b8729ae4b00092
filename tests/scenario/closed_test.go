package scenario_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// inTable is an IPv4 address as /proc/net/tcp has it.
func inTable(a netip.Addr) string {
	four := a.As4()
	return fmt.Sprintf("%08X", binary.NativeEndian.Uint32(four[:]))
}

// awaitClosed waits until the system has closed its end of the connections between an address of its and a peer's.
func (st *stage) awaitClosed(ours netip.AddrPort, peers netip.Addr) {
	st.t.Helper()
	local, remote := fmt.Sprintf("%s:%04X", inTable(ours.Addr()), ours.Port()), inTable(peers)+":"
	if !peer.Eventually(func() bool {
		table, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			st.t.Skip(err)
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line)
			if len(f) > 3 && f[1] == local && strings.HasPrefix(f[2], remote) && (f[3] == "01" || f[3] == "08") { // open, or closed by the peer alone
				return false
			}
		}
		return true
	}) {
		st.t.Fatalf("a connection between %v and %v is open", ours, peers)
	}
}

// loseCaller closes the caller's connections, of which that one is from this address of the system's.
func (st *stage) loseCaller(from netip.AddrPort) {
	st.t.Helper()
	st.caller.DropConnections()
	st.awaitClosed(from, st.caller.Addr().Addr())
}

// The connection by which a request has come is gone before the answer: it goes by a new one to where the caller takes
// them (RFC 3261 §18.2.2), be it a 1xx, a refusal, a 200, or the answer to a request within the call.
func TestCallersConnectionClosesInMidTransaction(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		st := newStage(t, setup{})
		c := st.invite(dialing{network: "tcp"})
		c.in.Reply(180)
		c.out.Expect(180)
		st.loseCaller(st.sys.SIP)
		c.in.Reply(183)
		st.loseCaller(c.out.Expect(183).From)
		c.in.Reply(486)
		c.out.Expect(486)
		c.in.ExpectOther("ACK")
	})
	t.Run("answered", func(t *testing.T) {
		st := newStage(t, setup{})
		c := st.invite(dialing{network: "tcp"})
		c.in.Reply(180)
		c.out.Expect(180)
		st.loseCaller(st.sys.SIP)
		c.answer(dialing{})
		rs := st.srs().Accept()
		c.recorded(rs, 5)

		info := c.left.Send("INFO")
		in := c.right.Expect("INFO")
		st.loseCaller(c.ok.From)
		in.Reply(200)
		info.Expect(200)

		c.left.Move(st.caller) // to a connection of his own
		c.hangUp()
		rs.End()
		c.judge(rs)
	})
	t.Run("repeated", func(t *testing.T) {
		st := newStage(t, setup{})
		c := st.invite(dialing{network: "tcp"})
		c.in.Reply(100)
		st.loseCaller(st.sys.SIP)
		c.out.Again() // by a new connection; the callee is not asked twice
		c.out.Expect(100)
		c.in.Reply(486)
		c.out.Expect(486)
		c.in.ExpectOther("ACK")
	})
}

// The connection by which the callee has the INVITE is gone while it rings: the call goes on by other ones, whoever of the
// two opens them, to its answer or to the end of the ringing.
func TestCalleesConnectionClosesInMidTransaction(t *testing.T) {
	ringing := func(t *testing.T) *call {
		st := newStage(t, setup{callee: "tcp"})
		c := st.invite(dialing{})
		c.in.Reply(180)
		c.out.Expect(180)
		st.callee.DropConnections()
		st.awaitClosed(c.in.From, st.callee.Addr().Addr())
		c.in.Elsewhere(st.sys.SIP)
		return c
	}
	t.Run("answered", func(t *testing.T) {
		c := ringing(t)
		c.answer(dialing{})
		rs := c.st.srs().Accept()
		c.recorded(rs, 5)
		c.hangUp()
		rs.End()
		c.judge(rs)
	})
	t.Run("cancelled", func(t *testing.T) {
		c := ringing(t)
		c.out.Cancel().Expect(200)
		c.cancelled("")
	})
	t.Run("gone", func(t *testing.T) {
		st := newStage(t, setup{callee: "tcp"})
		c := st.invite(dialing{})
		c.in.Reply(180)
		c.out.Expect(180)
		st.callee.Close()
		if got := c.out.ExpectFinal(); got.Status() != 503 {
			t.Errorf("the caller got %s", got.Start)
		}
	})
}
