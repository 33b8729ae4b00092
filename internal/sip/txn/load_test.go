package txn_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// mirror is a transport whose far side answers each INVITE and BYE with 200 at
// once and keeps nothing.
type mirror struct {
	listener *transport.Listener
	layer    *txn.Layer
	ack      []byte // sent for each 200 to an INVITE; may be nil
}

func (m *mirror) Watch(transport.Events)                       {}
func (m *mirror) Pick(string, netip.Addr) *transport.Listener  { return m.listener }
func (m *mirror) Find(f transport.Flow) (transport.Flow, bool) { return f, false }
func (m *mirror) Dial(f transport.Flow, _ time.Duration, done func(transport.Flow, error)) {
	done(f, transport.ErrClosed)
}
func (m *mirror) DialBack(f transport.Flow, done func(transport.Flow, error)) { m.Dial(f, 0, done) }
func (m *mirror) Retire(transport.Flow, time.Duration)                        {}

func (m *mirror) Send(_ transport.Flow, b []byte) error {
	if m.ack != nil && bytes.HasPrefix(b, []byte("SIP/2.0 200")) {
		m.receive(m.ack)
		return nil
	}
	if !bytes.HasPrefix(b, []byte("INVITE ")) && !bytes.HasPrefix(b, []byte("BYE ")) {
		return nil
	}
	raw := string(b)
	text := "SIP/2.0 200 OK\r\n"
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		text += name + ": " + field(raw, name)
		if name == "To" && !strings.Contains(field(raw, name), ";tag=") {
			text += ";tag=far"
		}
		text += "\r\n"
	}
	m.receive([]byte(text + "Content-Length: 0\r\n\r\n"))
	return nil
}

func (m *mirror) receive(raw []byte) {
	msg, err := sip.Parse(raw)
	if err != nil {
		panic(err)
	}
	m.layer.Receive(transport.Inbound{Msg: msg, Flow: transport.Flow{Proto: "udp", Listener: m.listener, Remote: peer}})
}

// relay is the least that a B2BUA does: each INVITE makes two of ours, the
// second of SIPREC's size; the answer of the first is the call's.
type relay struct {
	body  []byte
	legs  int
	ended chan struct{}            // told of each ACK; may be nil
	open  map[string]*txn.ServerTx // answered, not yet ACKed; one lane only
}

type relayLeg struct {
	server *txn.ServerTx // nil on all legs but the first
	lane   *txn.Lane
}

func (r *relay) OnRequest(tx *txn.ServerTx) {
	if tx.Request.Method == "BYE" {
		tx.Reply(200, "")
		for i := range r.legs {
			tx.Lane.Request(r.request("BYE", tx.Request.CallID(), 8+i), explicit(), nil)
		}
		return
	}
	tx.Reply(100, "")
	r.open[tx.Request.CallID()] = tx
	for i := range r.legs {
		invite := r.request("INVITE", tx.Request.CallID(), 7)
		invite.SetBody("application/sdp", append([]byte(nil), r.body[:1000+i*3000]...))
		leg := &relayLeg{lane: tx.Lane}
		if i == 0 {
			leg.server = tx
		}
		tx.Lane.Request(invite, explicit(), leg)
	}
}

func (r *relay) request(method, callID string, cseq int) *sip.Message {
	m := outgoing(method)
	m.Set("Call-ID", callID)
	m.Set("CSeq", fmt.Sprintf("%d %s", cseq, method))
	return m
}

func (l *relayLeg) OnResponse(tx *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	ack := outgoing("ACK")
	ack.Set("Call-ID", resp.CallID())
	l.lane.SendAck(ack, tx.Target())
	if l.server != nil {
		l.server.Reply(200, "")
		l.server.OnNoAck(func() { panic("no ACK") })
	}
}

func (l *relayLeg) OnFail(_ *txn.ClientTx, err error) { panic(err) }

func (r *relay) OnAck(_ *txn.Lane, ack *sip.Message, _ transport.Flow) {
	r.open[ack.CallID()].Acked()
	delete(r.open, ack.CallID())
	if r.ended != nil {
		r.ended <- struct{}{}
	}
}

func (r *relay) OnCancel(*txn.ServerTx, *sip.Message) {}

func explicit() txn.Target { return txn.Target{Proto: "udp", Addr: peer, ExplicitUDP: true} }

func newMirror(cfg txn.Config, h txn.Handler) *mirror {
	m := &mirror{listener: newWire().listeners[0]}
	cfg.Transport = m
	m.layer = txn.New(cfg)
	m.layer.Start(h)
	return m
}

func inCall(method string, i int) []byte {
	return incoming(method, "z9hG4bKone", fmt.Sprintf("z9hG4bK%s%d", method, i), "Call-ID: in", fmt.Sprintf("Call-ID: call-%d", i),
		"example.com>\r\nCall", map[string]string{"INVITE": "example.com>", "ACK": "example.com>;tag=us", "BYE": "example.com>;tag=us"}[method]+"\r\nCall")
}

// What the layer keeps of an ended call of three legs (caller, callee, SRS) is
// far below 20 KB, and nothing 40 s later.
func TestMemoryOfEndedCalls(t *testing.T) {
	const calls = 1000
	synctest.Test(t, func(t *testing.T) {
		r := &relay{body: make([]byte, 4000), legs: 2, open: map[string]*txn.ServerTx{}}
		m := newMirror(txn.Config{Lanes: 1}, r)
		defer m.layer.Close()
		run := func(from int) {
			for i := from; i < from+calls; i++ {
				m.receive(inCall("INVITE", i))
				synctest.Wait()
				m.receive(inCall("ACK", i))
				m.receive(inCall("BYE", i))
				synctest.Wait()
			}
		}
		run(0) // maps and heaps grow to their size
		time.Sleep(time.Minute)
		synctest.Wait()
		before := heap()
		run(calls)
		kept := (heap() - before) / calls
		t.Logf("%d octets kept of an ended call", kept)
		if kept > 20<<10 {
			t.Errorf("%d octets kept of an ended call, want less than 20 KB", kept)
		}
		if len(r.open) > 0 {
			t.Errorf("%d calls were not ACKed", len(r.open))
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if left := (heap() - before) / calls; left > 200 {
			t.Errorf("%d octets of each call left after 40 s", left)
		}
	})
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// BenchmarkInvitePair is one INVITE in and out: a server and a client
// transaction, six messages, parsing included.
func BenchmarkInvitePair(b *testing.B) {
	r := &relay{body: make([]byte, 4000), legs: 1, ended: make(chan struct{}, 1), open: map[string]*txn.ServerTx{}}
	m := newMirror(txn.Config{Lanes: 1, T1: 5 * time.Millisecond, T4: 20 * time.Millisecond}, r)
	defer m.layer.Close()
	const distinct = 1 << 15 // more than live at once
	invites, acks := make([][]byte, distinct), make([][]byte, distinct)
	for i := range invites {
		invites[i], acks[i] = inCall("INVITE", i), inCall("ACK", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.ack = acks[i%distinct]
		m.receive(invites[i%distinct])
		<-r.ended
		i++
	}
}
