package src

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// ether is a transport under fake time: what is sent is kept, what comes is given to the layer.
type ether struct {
	listener *transport.Listener
	began    time.Time

	mu   sync.Mutex
	sent []*sip.Message
	at   []time.Duration
}

func (e *ether) Send(_ transport.Flow, b []byte) error {
	m, err := sip.Parse(b)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.sent, e.at = append(e.sent, m), append(e.at, time.Since(e.began))
	}
	return err
}
func (e *ether) Find(f transport.Flow) (transport.Flow, bool) { return f, false }
func (e *ether) Dial(f transport.Flow, _ time.Duration, done func(transport.Flow, error)) {
	go done(f, transport.ErrNoConn) // large requests go by UDP after all
}
func (e *ether) DialBack(f transport.Flow, done func(transport.Flow, error)) { e.Dial(f, 0, done) }
func (e *ether) Retire(transport.Flow, time.Duration)                        {}
func (e *ether) Pick(string, netip.Addr) *transport.Listener                 { return e.listener }
func (e *ether) Watch(transport.Events)                                      {}
func (e *ether) take() (m *sip.Message, at time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.sent) == 0 {
		return nil, 0
	}
	m, at = e.sent[0], e.at[0]
	e.sent, e.at = e.sent[1:], e.at[1:]
	return m, at
}

var srsAddr = netip.MustParseAddrPort("192.0.2.7:5060")

// timed is a session without streams that an SRS has taken, under fake time.
type timed struct {
	t     *testing.T
	ether *ether
	layer *txn.Layer
	s     *Session
	cseq  int
}

// inFakeTime runs f with a session of that timer; the SRS's 200 has said expires.
func inFakeTime(t *testing.T, cfg SessionTimer, expires string, f func(x *timed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &ether{listener: &transport.Listener{Proto: "udp", Advertise: "192.0.2.1", Port: 5060, Bound: netip.MustParseAddrPort("192.0.2.1:5060")}, began: time.Now()}
		layer := txn.New(txn.Config{Transport: e, Lanes: 1})
		layer.Start(nobody{})
		defer layer.Close()
		rules := policy.New(policy.Config{})
		c, err := New(Config{Layer: layer, Policy: func() *policy.Engine { return rules }})
		if err != nil {
			t.Fatal(err)
		}
		x := &timed{t: t, ether: e, layer: layer}
		lane := layer.Lanes()[0]
		x.do(func() {
			k := &call{client: c, lane: lane, cs: &metadata.Snapshot{ID: "call", State: metadata.CallAnswered, Answered: time.Now()}}
			r := &Recorder{Name: "main", SRS: []string{"sip:192.0.2.7"}, MidCall: MidCallStop, Session: cfg}
			if err := r.normalize(netip.Addr{}); err != nil {
				t.Fatal(err)
			}
			x.s = newSession(k, wish{recorder: r, name: "main"})
			c.enter(x.s)
			x.answer(lane, expires)
		})
		f(x)
		x.do(func() { x.s.stop("the test is over") })
		for m, _ := e.take(); m != nil; m, _ = e.take() {
			if m.Method == "BYE" {
				x.reply(m, 200)
			}
		}
	})
}

type nobody struct{}

func (nobody) OnRequest(tx *txn.ServerTx)                    { tx.Reply(481, "") }
func (nobody) OnAck(*txn.Lane, *sip.Message, transport.Flow) {}
func (nobody) OnCancel(*txn.ServerTx, *sip.Message)          {}

// answer has an SRS take the session with that Session-Expires.
func (x *timed) answer(lane *txn.Lane, expires string) {
	s := x.s
	a := newAttempt(s, s.recorder.SRS[0])
	a.callID, a.tag = lane.NewCallID("test"), "ours"
	s.attempt, s.taken, s.takenAt, s.srs = a, true, time.Now(), a.srs
	req := sip.NewRequest("INVITE", a.srs)
	req.Add("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx")
	req.Add("From", "<sip:src@192.0.2.1>;tag=ours")
	req.Add("To", "<sip:192.0.2.7>")
	req.Add("Call-ID", a.callID)
	req.Add("CSeq", "1 INVITE")
	req.Add("Contact", "<sip:192.0.2.1:5060>;+sip.src")
	resp := sip.NewResponse(req, 200, "")
	resp.Set("To", "<sip:192.0.2.7>;tag=theirs")
	resp.Add("Contact", "<sip:192.0.2.7>")
	if expires != "" {
		resp.Add("Session-Expires", expires)
	}
	a.leg = &leg{lane: lane, auth: a.auth, dialog: dialog.NewUAC(req, resp), contact: req.Get("Contact"), updates: true}
	s.leg, s.agreed = a.leg, &agreement{told: s.document().Told()}
	lane.Bind(a.callID, a.tag, a)
	s.become(metadata.StateRecording, "")
	s.client.metrics.active.WithLabelValues("main").Inc()
	s.timer.fromResponse(s, resp)
}

// do runs f on the session's lane.
func (x *timed) do(f func()) {
	x.t.Helper()
	x.layer.Lanes()[0].Post(f)
	synctest.Wait()
}

func (x *timed) receive(m *sip.Message) {
	x.t.Helper()
	parsed, err := sip.Parse(m.Bytes())
	if err != nil {
		x.t.Fatal(err)
	}
	x.layer.Receive(transport.Inbound{Msg: parsed, Flow: transport.Flow{Proto: "udp", Listener: x.ether.listener, Remote: srsAddr}})
	synctest.Wait()
}

// reply has the SRS answer a request of ours; headers are name and value in turn.
func (x *timed) reply(req *sip.Message, status int, headers ...string) {
	x.t.Helper()
	resp := sip.NewResponse(req, status, "")
	resp.Set("Contact", "<sip:192.0.2.7>")
	for i := 0; i < len(headers); i += 2 {
		resp.Add(headers[i], headers[i+1])
	}
	x.receive(resp)
}

// ask has the SRS send a request, and gives our answer.
func (x *timed) ask(method string, headers ...string) *sip.Message {
	x.t.Helper()
	x.cseq++
	req := sip.NewRequest(method, "sip:192.0.2.1:5060")
	req.Add("Via", "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK"+decimal(x.cseq))
	req.Add("Max-Forwards", "70")
	req.Add("From", "<sip:192.0.2.7>;tag=theirs")
	req.Add("To", "<sip:src@192.0.2.1>;tag=ours")
	req.Add("Call-ID", x.s.attempt.callID)
	req.Add("CSeq", decimal(x.cseq)+" "+method)
	req.Add("Contact", "<sip:192.0.2.7>")
	for i := 0; i < len(headers); i += 2 {
		req.Add(headers[i], headers[i+1])
	}
	x.receive(req)
	resp := x.next(x.since(), "")
	if method == "INVITE" {
		ack := req.Clone()
		ack.Method = "ACK"
		ack.Set("CSeq", decimal(x.cseq)+" ACK")
		x.receive(ack)
	}
	return resp
}

func (x *timed) since() time.Duration { return time.Since(x.ether.began) }

// next is what we send next, at that time since the beginning and not before; a request of that method, "" any response.
func (x *timed) next(at time.Duration, method string) *sip.Message {
	x.t.Helper()
	time.Sleep(at - x.since())
	synctest.Wait()
	m, when := x.ether.take()
	if m == nil || m.Method != method || when != at {
		x.t.Fatalf("at %v was sent at %v: %v, wanted %q", at, when, m, method)
	}
	return m
}

// nothing is sent until that time.
func (x *timed) nothing(until time.Duration) {
	x.t.Helper()
	time.Sleep(until - x.since())
	synctest.Wait()
	if m, at := x.ether.take(); m != nil {
		x.t.Fatalf("sent at %v: %v", at, m)
	}
}

func want(t *testing.T, m *sip.Message, fields map[string]string) {
	t.Helper()
	for name, value := range fields {
		if got := m.Get(name); got != value {
			t.Errorf("%s: %q, wanted %q", name, got, value)
		}
	}
}

// RFC 4028 §7.4, §10: we refresh at half the interval, and again at half of what the answer says; a 422 makes it longer,
// with its Min-SE in every refresh from then on (§7.3).
func TestWeRefresh(t *testing.T) {
	inFakeTime(t, SessionTimer{}, "1800;refresher=uac", func(x *timed) {
		x.nothing(899 * time.Second)
		in := x.next(900*time.Second, "INVITE")
		want(t, in, map[string]string{"Session-Expires": "1800;refresher=uac", "Min-SE": ""})
		x.reply(in, 422, "Min-SE", "3600")
		x.next(900*time.Second, "ACK")
		in = x.next(900*time.Second, "INVITE")
		want(t, in, map[string]string{"Session-Expires": "3600;refresher=uac", "Min-SE": "3600"})
		x.reply(in, 200, "Session-Expires", "3600;refresher=uac")
		x.next(900*time.Second, "ACK")
		x.nothing(2699 * time.Second)
		in = x.next(2700*time.Second, "INVITE")
		want(t, in, map[string]string{"Session-Expires": "3600;refresher=uac", "Min-SE": "3600"})
		x.reply(in, 200) // no timer any more
		x.next(2700*time.Second, "ACK")
		x.nothing(24 * time.Hour)
	})
}

// By UPDATE without a body, where the recorder wants it so; by re-INVITE from the first refusal on.
func TestWeRefreshByUpdate(t *testing.T) {
	inFakeTime(t, SessionTimer{ByUpdate: true}, "100", func(x *timed) {
		in := x.next(50*time.Second, "UPDATE")
		want(t, in, map[string]string{"Session-Expires": "100;refresher=uac", "Content-Type": "", "Supported": "timer"})
		x.reply(in, 422, "Min-SE", "200")
		in = x.next(50*time.Second, "UPDATE")
		want(t, in, map[string]string{"Session-Expires": "200;refresher=uac", "Min-SE": "200"})
		x.reply(in, 200, "Session-Expires", "200;refresher=uac")
		in = x.next(150*time.Second, "UPDATE")
		x.reply(in, 501)
		in = x.next(150*time.Second, "INVITE")
		want(t, in, map[string]string{"Session-Expires": "200;refresher=uac"})
		x.reply(in, 200, "Session-Expires", "200;refresher=uac")
		x.next(150*time.Second, "ACK")
		in = x.next(250*time.Second, "INVITE")
		x.reply(in, 200, "Session-Expires", "200;refresher=uac")
		x.next(250*time.Second, "ACK")
	})
}

// §10: the SRS that is to refresh and does not is left 32 s before the end, or a third of the interval where that is less.
func TestTheSRSRefreshes(t *testing.T) {
	for expires, at := range map[string]time.Duration{"1800;refresher=uas": 1768 * time.Second, "90;refresher=uas": 60 * time.Second} {
		t.Run(expires, func(t *testing.T) {
			inFakeTime(t, SessionTimer{}, expires, func(x *timed) {
				x.nothing(at - time.Second)
				x.reply(x.next(at, "BYE"), 200)
				if v := x.s.View(); v.State != metadata.StateEnded || !strings.Contains(v.Reason, "did not refresh") {
					t.Errorf("%s: %s", v.State, v.Reason)
				}
			})
		})
	}
	inFakeTime(t, SessionTimer{}, "1800;refresher=uas", func(x *timed) { // one that does is kept
		x.nothing(900 * time.Second)
		resp := x.ask("UPDATE", "Supported", "timer", "Session-Expires", "1800;refresher=uac")
		want(t, resp, map[string]string{"Session-Expires": "1800;refresher=uac", "Require": "timer"})
		x.nothing(2667 * time.Second)
		x.reply(x.next(2668*time.Second, "BYE"), 200)
	})
}

// §9: an interval below what we grant is refused by 422 with Min-SE, to who understands that, and nothing has changed.
func TestTooShortAnInterval(t *testing.T) {
	for _, method := range []string{"INVITE", "UPDATE"} {
		t.Run(method, func(t *testing.T) {
			inFakeTime(t, SessionTimer{}, "1800;refresher=uas", func(x *timed) {
				x.nothing(100 * time.Second)
				resp := x.ask(method, "Supported", "timer", "Session-Expires", "89;refresher=uac")
				if resp.Status != 422 {
					t.Errorf("answered %d", resp.Status)
				}
				want(t, resp, map[string]string{"Min-SE": "90", "Session-Expires": ""})
				x.nothing(1767 * time.Second)
				x.reply(x.next(1768*time.Second, "BYE"), 200)
			})
		})
	}
	inFakeTime(t, SessionTimer{Min: 600 * time.Second}, "", func(x *timed) {
		want(t, x.ask("UPDATE", "Supported", "timer", "Session-Expires", "599"), map[string]string{"Min-SE": "600"})
		resp := x.ask("UPDATE", "Supported", "timer", "Session-Expires", "600")
		want(t, resp, map[string]string{"Session-Expires": "600;refresher=uac", "Require": "timer"})
	})
	inFakeTime(t, SessionTimer{}, "", func(x *timed) { // a proxy's wish: who sent this cannot refresh, so we do
		resp := x.ask("UPDATE", "Session-Expires", "60")
		want(t, resp, map[string]string{"Session-Expires": "60;refresher=uas", "Require": ""})
		x.reply(x.next(30*time.Second, "INVITE"), 200)
		x.next(30*time.Second, "ACK")
	})
}

// A refresh that is due before the SRS that asked for the recording has acknowledged waits for that.
func TestRefreshBeforeTheAck(t *testing.T) {
	inFakeTime(t, SessionTimer{ByUpdate: true}, "100;refresher=uac", func(x *timed) {
		x.do(func() {
			leg := x.s.leg
			x.s.leg = nil
			x.s.refresh()
			x.s.leg = leg
		})
		x.do(x.s.flush)
		x.reply(x.next(0, "INVITE"), 200, "Session-Expires", "100;refresher=uac")
		x.next(0, "ACK")
	})
}
