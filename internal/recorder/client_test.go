package recorder_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidetrack/internal/recorder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests.
const patience = time.Minute

// serve starts a recorder on loopback, UDP and TCP. The channel gets the summary of
// each session that ended.
func serve(t testing.TB, change func(*recorder.Config)) (*recorder.Server, chan recorder.Summary) {
	t.Helper()
	ended := make(chan recorder.Summary, 1000)
	cfg := recorder.Config{
		Listen: []string{"udp://127.0.0.1:0", "tcp://127.0.0.1:0"}, Out: filepath.Join(t.TempDir(), "out"),
		PortMin: 20000, PortMax: 23899, T1: 100 * time.Millisecond, Linger: 100 * time.Millisecond,
		OnSession: func(s recorder.Summary) { ended <- s },
	}
	if change != nil {
		change(&cfg)
	}
	s, err := recorder.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s, ended
}

// client is a Session Recording Client made of sockets and text, so that it shares no
// mistake with the stack under test.
type client struct {
	t      testing.TB
	proto  string
	conn   net.Conn
	in     chan message // responses
	asked  chan message // requests of the recorder
	callID string
	toTag  string
	cseq   int
	body   string // of the last answer
	media  []*net.UDPConn
	rtcp   []*net.UDPConn
	remote []int         // the recorder's RTP ports, 0 where refused
	closed chan struct{} // nothing more comes
}

type message struct {
	start   string
	headers map[string]string
	body    string
}

func (m message) status() int {
	n, _ := strconv.Atoi(strings.SplitN(m.start+"  ", " ", 3)[1])
	return n
}

var calls atomic.Int64

// dial makes a client with as many media sockets as there are streams to send.
func dial(t testing.TB, s *recorder.Server, proto string, streams int) *client {
	t.Helper()
	c := &client{t: t, proto: proto, in: make(chan message, 100), asked: make(chan message, 100), closed: make(chan struct{}), callID: fmt.Sprintf("call-%d@src.example", calls.Add(1))}
	for _, uri := range s.URIs() {
		addr, params, _ := strings.Cut(strings.TrimPrefix(uri, "sip:"), ";")
		if strings.Contains(params, "tcp") == (proto == "tcp") {
			conn, err := net.Dial(proto, addr)
			if err != nil {
				t.Fatal(err)
			}
			c.conn = conn
		}
	}
	for range streams {
		c.media = append(c.media, udpSocket(t, "127.0.0.1"))
		c.rtcp = append(c.rtcp, udpSocket(t, "127.0.0.1"))
	}
	go func() { defer close(c.closed); c.read() }()
	t.Cleanup(func() {
		c.conn.Close()
		<-c.closed
	})
	return c
}

func udpSocket(t testing.TB, ip string) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (c *client) read() {
	var r *bufio.Reader
	if c.proto == "tcp" {
		r = bufio.NewReader(c.conn)
	}
	buf := make([]byte, 65535)
	for {
		if c.proto == "udp" {
			n, err := c.conn.Read(buf)
			if err != nil {
				return
			}
			r = bufio.NewReader(bytes.NewReader(buf[:n]))
		}
		m, err := readMessage(r)
		if err != nil {
			return
		}
		if strings.HasPrefix(m.start, "SIP/2.0") {
			c.in <- m
		} else {
			c.asked <- m
		}
	}
}

func readMessage(r *bufio.Reader) (message, error) {
	m := message{headers: map[string]string{}}
	line, err := r.ReadString('\n')
	if err != nil {
		return m, err
	}
	m.start = strings.TrimSpace(line)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return m, err
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		m.headers[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	n, _ := strconv.Atoi(m.headers["content-length"])
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	m.body = string(b)
	return m, err
}

// send writes one request with the next CSeq (an ACK repeats the last one).
func (c *client) send(method, extra, contentType, body string) {
	c.t.Helper()
	if method != "ACK" {
		c.cseq++
	}
	c.write(c.text(method, extra, contentType, body))
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) text(method, extra, contentType, body string) string {
	to := "<sip:recorder@srs.example>"
	if c.toTag != "" {
		to += ";tag=" + c.toTag
	}
	if contentType != "" {
		extra += "Content-Type: " + contentType + "\r\n"
	}
	local := c.conn.LocalAddr().String()
	return fmt.Sprintf("%s sip:recorder@srs.example SIP/2.0\r\n"+
		"Via: SIP/2.0/%s %s;branch=z9hG4bK-%s-%d-%s\r\nMax-Forwards: 70\r\n"+
		"From: <sip:src@src.example>;tag=src\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n"+
		"Contact: <sip:src@%s;transport=%s>;+sip.src\r\n%sContent-Length: %d\r\n\r\n%s",
		method, strings.ToUpper(c.proto), local, strings.ReplaceAll(c.callID, "@", "-"), c.cseq, method,
		to, c.callID, c.cseq, method, local, c.proto, extra, len(body), body)
}

// next returns the final response to the last request. Retransmissions of earlier
// ones are passed over.
func (c *client) next() message {
	c.t.Helper()
	for {
		select {
		case m := <-c.in:
			if n, _, _ := strings.Cut(m.headers["cseq"], " "); m.status() >= 200 && n == strconv.Itoa(c.cseq) {
				return m
			}
		case <-time.After(patience):
			c.t.Fatal("no response from the recorder")
		}
	}
}

// request returns the next request of the recorder and answers it with 200.
func (c *client) request() message {
	c.t.Helper()
	select {
	case m := <-c.asked:
		c.answer(m, "", "")
		return m
	case <-time.After(patience):
		c.t.Fatal("no request from the recorder")
		return message{}
	}
}

func (c *client) answer(m message, extra, body string) {
	c.t.Helper()
	text := "SIP/2.0 200 OK\r\n"
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		text += h + ": " + m.headers[strings.ToLower(h)] + "\r\n"
	}
	c.write(fmt.Sprintf("%s%sContent-Length: %d\r\n\r\n%s", text, extra, len(body), body))
}

// ask sends a request and returns its final answer.
func (c *client) ask(method, extra, contentType, body string) message {
	c.t.Helper()
	c.send(method, extra, contentType, body)
	m := c.next()
	if method == "INVITE" {
		if _, tag, ok := strings.Cut(m.headers["to"], ";tag="); ok {
			c.toTag = tag
		}
		c.send("ACK", "", "", "")
	}
	return m
}

const siprec = "Require: siprec\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n"

// call invites the recorder and expects it to take the session; on a machine that is busy it may ask to come again.
func (c *client) call(o offer) message {
	c.t.Helper()
	contentType, body := o.body(c)
	m := c.ask("INVITE", siprec+o.headers, contentType, body)
	for end := time.Now().Add(patience); m.status() == 503 && time.Now().Before(end); {
		c.toTag = ""
		m = c.ask("INVITE", siprec+o.headers, contentType, body)
	}
	c.want(m, 200)
	c.takePorts(m)
	return m
}

func (c *client) want(m message, status int) {
	c.t.Helper()
	if m.status() != status {
		c.t.Fatalf("answer %q (warning %q), want %d", m.start, m.headers["warning"], status)
	}
}

func (c *client) takePorts(m message) {
	c.body, c.remote = m.body, nil
	for line := range strings.Lines(m.body) {
		if f := strings.Fields(line); strings.HasPrefix(line, "m=") {
			port, _ := strconv.Atoi(f[1])
			c.remote = append(c.remote, port)
		}
	}
}

func (c *client) bye() { c.want(c.ask("BYE", "", "", ""), 200) }

// rtpTo is where the recorder takes the RTP of stream i.
func (c *client) rtpTo(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(c.remote[i]))
}

// result waits for the end of a session.
func result(t testing.TB, ended chan recorder.Summary) recorder.Summary {
	t.Helper()
	select {
	case s := <-ended:
		return s
	case <-time.After(patience):
		t.Fatal("no session ended")
		return recorder.Summary{}
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func mustRead(t testing.TB, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
