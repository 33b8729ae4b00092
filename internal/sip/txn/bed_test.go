package txn_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// bed is a layer on a wire under fake time, and what its handlers heard.
type bed struct {
	t     *testing.T
	wire  *wire
	layer *txn.Layer
	lane  *txn.Lane
	reg   *prometheus.Registry

	heard    []string        // "8s OnResponse 180"
	requests []*txn.ServerTx // given to OnRequest
	began    time.Time
	answer   func(tx *txn.ServerTx) // in OnRequest; may be nil
	proto    string                 // of what the peer sends; "" is udp
	conn     uint64                 // connection of the peer on a stream
}

// play runs a test under fake time.
func play(t *testing.T, f func(b *bed)) { playWith(t, txn.Config{Lanes: 1}, f) }

func playWith(t *testing.T, cfg txn.Config, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t, wire: newWire(), began: time.Now(), reg: prometheus.NewRegistry()}
		cfg.Transport, cfg.Registerer = b.wire, b.reg
		b.layer = txn.New(cfg)
		b.lane = b.layer.Lanes()[0]
		b.layer.Start(b)
		defer b.layer.Close()
		f(b)
	})
}

func (b *bed) note(format string, args ...any) {
	b.heard = append(b.heard, fmt.Sprintf("%v ", time.Since(b.began))+fmt.Sprintf(format, args...))
}

func (b *bed) OnRequest(tx *txn.ServerTx) {
	b.note("OnRequest %s", tx.Request.Method)
	b.requests = append(b.requests, tx)
	if b.answer != nil {
		b.answer(tx)
	}
}

func (b *bed) OnAck(_ *txn.Lane, ack *sip.Message, _ transport.Flow) {
	b.note("OnAck %d", ack.CSeq().Num)
}

func (b *bed) OnCancel(tx *txn.ServerTx, _ *sip.Message) { b.note("OnCancel") }

func (b *bed) OnResponse(tx *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	b.note("OnResponse %d", resp.Status)
}

func (b *bed) OnFail(tx *txn.ClientTx, err error) { b.note("OnFail %v", err) }

// do runs f on the lane and waits for everything that follows at once.
func (b *bed) do(f func()) {
	b.lane.Post(f)
	synctest.Wait()
}

func (b *bed) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// restart sets all clocks and records to zero.
func (b *bed) restart() {
	b.wire.clear()
	b.heard, b.began = nil, time.Now()
}

func (b *bed) wantSent(want string) {
	b.t.Helper()
	if got := b.wire.ladder(); got != want {
		b.t.Errorf("sent\n  %s\nwant\n  %s", got, want)
	}
}

func (b *bed) wantHeard(want string) {
	b.t.Helper()
	if got := strings.Join(b.heard, ", "); got != want {
		b.t.Errorf("heard\n  %s\nwant\n  %s", got, want)
	}
}

func (b *bed) last() packet {
	b.t.Helper()
	sent := b.wire.packets()
	if len(sent) == 0 {
		b.t.Fatal("nothing was sent")
	}
	return sent[len(sent)-1]
}

// ask sends a request of ours.
func (b *bed) ask(method string, to txn.Target) *txn.ClientTx {
	var tx *txn.ClientTx
	b.do(func() { tx = b.lane.Request(outgoing(method), to, b) })
	return tx
}

func outgoing(method string) *sip.Message {
	m := sip.NewRequest(method, "sip:bob@192.0.2.9")
	m.Add("Max-Forwards", "70")
	m.Add("From", "<sip:alice@example.com>;tag=a")
	m.Add("To", "<sip:bob@example.com>")
	m.Add("Call-ID", "out")
	m.Add("CSeq", "7 "+method)
	m.Add("Route", "<sip:proxy.example.com;lr>")
	return m
}

// reply has the peer answer a request that we sent.
func (b *bed) reply(req *sip.Message, status int, tag string) {
	resp := sip.NewResponse(req, status, "")
	if tag != "" {
		resp.Set("To", sip.WithTag(resp.Get("To"), tag))
	}
	b.receive(resp.Bytes())
}

// receive hands octets to the layer as the transport does.
func (b *bed) receive(raw []byte) {
	b.t.Helper()
	m, err := sip.Parse(raw)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, raw)
	}
	f := transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: peer}
	if b.proto != "" {
		f = transport.Flow{Proto: b.proto, Listener: b.wire.Pick(b.proto, peer.Addr()), Remote: peer, Conn: b.conn}
	}
	b.layer.Receive(transport.Inbound{Msg: m, Flow: f})
	synctest.Wait()
}

// udp and tcp are targets at the peer.
func udp() txn.Target { return txn.Target{Proto: "udp", Addr: peer} }
func tcp() txn.Target { return txn.Target{Proto: "tcp", Addr: peer} }

// incoming writes a request of the peer's; edits are old, new pairs.
func incoming(method string, edits ...string) []byte {
	text := method + " sip:us@192.0.2.1 SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKone;rport=5060\r\n" +
		"Max-Forwards: 70\r\n" +
		"From: <sip:caller@example.com>;tag=c\r\n" +
		"To: <sip:us@example.com>\r\n" +
		"Call-ID: in\r\n" +
		"CSeq: 3 " + method + "\r\n" +
		"Content-Length: 0\r\n\r\n"
	for i := 0; i+1 < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			panic("nothing to edit: " + edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	return []byte(text)
}

// rejected reads sidetrack_sip_rejected_total.
func (b *bed) counter(name string, labels ...string) float64 {
	b.t.Helper()
	families, err := b.reg.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	metrics:
		for _, m := range f.GetMetric() {
			for i := 0; i+1 < len(labels); i += 2 {
				ok := false
				for _, p := range m.GetLabel() {
					ok = ok || (p.GetName() == labels[i] && p.GetValue() == labels[i+1])
				}
				if !ok {
					continue metrics
				}
			}
			sum += m.GetCounter().GetValue()
		}
	}
	return sum
}
