package txn_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// What messages cost the one processor of a storm, about ten times what they do: parsing, a new call, and each further
// step of it. A call has five messages.
const (
	stormParse = 1 * time.Millisecond
	stormCall  = 10 * time.Millisecond
	stormStep  = 3 * time.Millisecond
	stormRate  = float64(time.Second) / float64(5*stormParse+stormCall+4*stormStep) // calls a second that there is time for
)

// storm is a proxy between callers and a callee that behave as RFC 3261 wants: they repeat what is not answered.
type storm struct {
	layer    *txn.Layer
	listener *transport.Listener
	cpu      chan struct{} // who has the processor
	socket   chan []byte   // what has arrived
	done     chan struct{}

	mu      sync.Mutex
	ends    map[string]chan string // by role and Call-ID: start lines
	callees sync.WaitGroup
	calls   map[string]*txn.ServerTx // at the proxy; one lane

	answered, ended, refused, lost, failed atomic.Int64
	slowest                                atomic.Int64 // from a BYE to its 200
}

// work takes so much of the processor, which goroutines share in slices.
func (s *storm) work(d time.Duration) {
	for ; d > 0; d -= stormParse {
		s.cpu <- struct{}{}
		time.Sleep(min(d, stormParse))
		<-s.cpu
	}
}

// read is the reader of the proxy's socket.
func (s *storm) read() {
	for {
		select {
		case <-s.done:
			return
		case raw := <-s.socket:
			s.work(stormParse)
			m, err := sip.Parse(raw)
			if err != nil {
				panic(err)
			}
			s.layer.Receive(transport.Inbound{Msg: m, More: len(s.socket) > 0, Flow: transport.Flow{Proto: "udp", Listener: s.listener, Remote: peer}})
		}
	}
}

// arrive puts a message into the socket's buffer, which has an end.
func (s *storm) arrive(text string) {
	select {
	case s.socket <- []byte(text):
	default:
		s.lost.Add(1)
	}
}

func (s *storm) Watch(transport.Events)                       {}
func (s *storm) Pick(string, netip.Addr) *transport.Listener  { return s.listener }
func (s *storm) Find(f transport.Flow) (transport.Flow, bool) { return f, false }
func (s *storm) Dial(f transport.Flow, _ time.Duration, done func(transport.Flow, error)) {
	done(f, transport.ErrClosed)
}

func (s *storm) DialBack(f transport.Flow, done func(transport.Flow, error)) { s.Dial(f, 0, done) }
func (s *storm) Retire(transport.Flow, time.Duration)                        {}

// Send is what the proxy says, to a caller or to the callee of a call.
func (s *storm) Send(f transport.Flow, b []byte) error {
	raw := string(b)
	role := "caller "
	if f.Remote == peer2 {
		role = "callee "
	}
	id := role + field(raw, "Call-ID")
	s.mu.Lock()
	to, known := s.ends[id]
	if !known && role == "callee " && strings.HasPrefix(raw, "INVITE ") {
		to = s.enter(id)
		s.callees.Go(func() { s.callee(to) })
	}
	s.mu.Unlock()
	select {
	case to <- raw:
	case <-s.done:
	}
	return nil
}

// enter makes a mailbox. The caller holds mu.
func (s *storm) enter(id string) chan string {
	c := make(chan string, 64)
	s.ends[id] = c
	return c
}

// answer is a response of the callee's.
func answer(req string, status string) string {
	text := "SIP/2.0 " + status + "\r\n"
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		text += name + ": " + field(req, name)
		if name == "To" && !strings.Contains(field(req, name), ";tag=") {
			text += ";tag=far"
		}
		text += "\r\n"
	}
	return text + "Content-Length: 0\r\n\r\n"
}

// callee answers a call with 200, until it is acknowledged, and each BYE.
func (s *storm) callee(in chan string) {
	ok, wait, again := "", 500*time.Millisecond, (<-chan time.Time)(nil)
	for {
		select {
		case <-s.done:
			return
		case <-again:
			s.arrive(ok)
			wait = min(2*wait, 4*time.Second)
			again = time.After(wait)
		case raw := <-in:
			switch {
			case strings.HasPrefix(raw, "INVITE ") && ok == "":
				ok = answer(raw, "200 OK")
				s.arrive(ok)
				again = time.After(wait)
			case strings.HasPrefix(raw, "ACK "):
				again = nil
			case strings.HasPrefix(raw, "BYE "):
				s.arrive(answer(raw, "200 OK"))
			}
		}
	}
}

// until sends a request until a final answer has come, which it returns.
func (s *storm) until(request string, in chan string) (status string) {
	s.arrive(request)
	wait := 500 * time.Millisecond
	again, over := time.After(wait), time.After(32*time.Second)
	for {
		select {
		case <-s.done:
			return ""
		case <-over:
			return "408"
		case <-again:
			s.arrive(request)
			wait = min(2*wait, 4*time.Second)
			again = time.After(wait)
		case raw := <-in:
			if status = raw[8:11]; status[0] != '1' {
				return status
			}
			again = nil
		}
	}
}

// caller makes one call, and ends it after a second.
func (s *storm) caller(i int) {
	id := fmt.Sprint("call-", i)
	s.mu.Lock()
	in := s.enter("caller " + id)
	s.mu.Unlock()
	request := func(method, branch, to string) string {
		return string(incoming(method, "bKone", fmt.Sprintf("bK%s%d", branch, i), "Call-ID: in", "Call-ID: "+id, "us@example.com>", "us@example.com>"+to))
	}
	switch s.until(request("INVITE", "i", ""), in) {
	case "200":
		s.arrive(request("ACK", "a", ";tag=us"))
	case "503":
		s.refused.Add(1)
		s.arrive(request("ACK", "i", ";tag=us"))
		return
	case "":
		return
	default:
		s.failed.Add(1)
		return
	}
	s.answered.Add(1)
	for hold := time.After(time.Second); ; {
		select {
		case <-in: // the 200 once more
			s.arrive(request("ACK", "a", ";tag=us"))
			continue
		case <-hold:
		case <-s.done:
			return
		}
		break
	}
	began := time.Now()
	switch s.until(request("BYE", "b", ";tag=us"), in) {
	case "200":
		s.ended.Add(1)
		if took := int64(time.Since(began)); took > s.slowest.Load() {
			s.slowest.Store(took)
		}
	case "":
	default:
		s.failed.Add(1)
	}
}

// The proxy.

func (s *storm) OnRequest(tx *txn.ServerTx) {
	id := tx.Request.CallID()
	out := outgoing(tx.Request.Method)
	out.Set("Call-ID", id)
	to := txn.Target{Proto: "udp", Addr: peer2, ExplicitUDP: true}
	if tx.Request.Method == "BYE" {
		s.work(stormStep)
		tx.Reply(200, "")
		tx.Lane.Request(out, to, s)
		return
	}
	s.work(stormCall)
	s.calls[id] = tx
	tx.Lane.Request(out, to, s)
}

func (s *storm) OnResponse(tx *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	s.work(stormStep)
	if server := s.calls[resp.CallID()]; resp.CSeq().Method == "INVITE" && server != nil && server.Final() == 0 {
		ok := sip.NewResponse(server.Request, 200, "")
		ok.Set("To", sip.WithTag(ok.Get("To"), "us"))
		server.Respond(ok)
	}
}

func (s *storm) OnFail(*txn.ClientTx, error) {}

func (s *storm) OnAck(lane *txn.Lane, ack *sip.Message, _ transport.Flow) {
	server := s.calls[ack.CallID()]
	if server == nil {
		return // of a call that was refused
	}
	s.work(stormStep)
	server.Acked()
	out := outgoing("ACK")
	out.Set("Call-ID", ack.CallID())
	lane.SendAck(out, txn.Target{Proto: "udp", Addr: peer2, ExplicitUDP: true})
}

func (s *storm) OnCancel(*txn.ServerTx, *sip.Message) {}

// blow offers so many calls a second for a while, and counts what became of those of the second half.
func blow(t *testing.T, rate float64, seconds int) (s *storm, answered float64) {
	t.Helper()
	s = &storm{listener: newWire().listeners[0], cpu: make(chan struct{}, 1), socket: make(chan []byte, 2048), done: make(chan struct{}),
		ends: map[string]chan string{}, calls: map[string]*txn.ServerTx{}}
	s.layer = txn.New(txn.Config{Transport: s, Lanes: 1})
	s.layer.Start(s)
	var all sync.WaitGroup
	all.Go(s.read)
	half := int64(0)
	for i := range int(rate * float64(seconds)) {
		if i == int(rate*float64(seconds))/2 {
			half = s.answered.Load()
		}
		all.Go(func() { s.caller(i) })
		time.Sleep(time.Duration(float64(time.Second) / rate))
	}
	answered = float64(s.answered.Load()-half) / float64(seconds) * 2
	time.Sleep(40 * time.Second) // what runs ends
	close(s.done)
	all.Wait()
	s.callees.Wait()
	synctest.Wait()
	s.layer.Close()
	return s, answered
}

// Offered three times the calls that there is time for, by callers and callees that repeat what is not answered in time,
// a proxy goes on answering four fifths of what it can, ends what it has answered without making anybody wait, and tells
// the others to come later.
func TestOverloadKeepsThePeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, peak := blow(t, 0.9*stormRate, 5)
		if s.refused.Load()+s.failed.Load() > 0 || s.ended.Load() != s.answered.Load() {
			t.Fatalf("without overload: %d refused, %d failed, %d of %d ended", s.refused.Load(), s.failed.Load(), s.ended.Load(), s.answered.Load())
		}
		s, answered := blow(t, 3*stormRate, 16)
		t.Logf("%.0f calls a second are answered of %.0f at most; %d of %d ended, the slowest BYE took %v; %d refused, %d failed, %d messages lost",
			answered, peak, s.ended.Load(), s.answered.Load(), time.Duration(s.slowest.Load()), s.refused.Load(), s.failed.Load(), s.lost.Load())
		if answered < 0.8*peak {
			t.Errorf("%.0f calls a second are answered of %.0f", answered, peak)
		}
		if s.ended.Load() != s.answered.Load() {
			t.Errorf("%d of %d calls ended", s.ended.Load(), s.answered.Load())
		}
	})
}
