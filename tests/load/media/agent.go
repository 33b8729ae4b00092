//go:build linux

package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sidetrack/tests/peer"
)

// agent is a SIP address that answers at once, over UDP on loopback, where
// nothing is lost.
type agent struct {
	at   netip.AddrPort
	conn *net.UDPConn

	mu      sync.Mutex
	waiting map[string]chan *peer.Message // by Call-ID
	offers  map[int]netip.AddrPort        // by call
}

func newAgent(at netip.AddrPort) (*agent, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	return &agent{at: at, conn: conn, waiting: map[string]chan *peer.Message{}, offers: map[int]netip.AddrPort{}}, nil
}

func (a *agent) close() { _ = a.conn.Close() }

func (a *agent) note(call int, at netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offers[call] = at
}

func (a *agent) forget(call int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.offers, call)
}

func (a *agent) offered(call int) (netip.AddrPort, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.offers[call]
	return at, ok
}

// serve reads until the agent is closed. answer says what to reply to a request.
func (a *agent) serve(answer func(*peer.Message) (status, sdp string)) {
	buf := make([]byte, 65536)
	for {
		n, from, err := a.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		m, err := peer.Parse(append([]byte(nil), buf[:n]...))
		switch {
		case err != nil:
		case !m.Request():
			a.mu.Lock()
			waiting := a.waiting[m.CallID()]
			a.mu.Unlock()
			if waiting != nil && m.Status() >= 200 {
				select {
				case waiting <- m:
				default: // a repetition
				}
			}
		case m.Method() != "ACK":
			status, sdp := answer(m)
			a.reply(m, from, status, sdp)
		}
	}
}

func (a *agent) reply(m *peer.Message, to netip.AddrPort, status, sdp string) {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for _, via := range m.All("Via") {
		fmt.Fprintf(&b, "Via: %s\r\n", via)
	}
	target := m.Get("To")
	if m.ToTag() == "" {
		target += ";tag=t" + strings.TrimPrefix(m.CallID(), "-")
	}
	for _, route := range m.All("Record-Route") {
		fmt.Fprintf(&b, "Record-Route: %s\r\n", route)
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:%v>\r\nSupported: siprec\r\n",
		m.Get("From"), target, m.CallID(), m.Get("CSeq"), a.at)
	a.send(to, b.String(), sdp)
}

// send sends a message whose headers end without the empty line.
func (a *agent) send(to netip.AddrPort, head, sdp string) {
	kind := ""
	if sdp != "" {
		kind = "Content-Type: application/sdp\r\n"
	}
	_, _ = a.conn.WriteToUDPAddrPort(fmt.Appendf(nil, "%s%sContent-Length: %d\r\n\r\n%s", head, kind, len(sdp), sdp), to)
}

// ask sends a request and waits for its final response, a 200.
func (a *agent) ask(to netip.AddrPort, head, sdp, callID string) (*peer.Message, error) {
	answer := make(chan *peer.Message, 1)
	a.mu.Lock()
	a.waiting[callID] = answer
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.waiting, callID)
		a.mu.Unlock()
	}()
	a.send(to, head, sdp)
	select {
	case m := <-answer:
		if m.Status() != 200 {
			return nil, fmt.Errorf("%s", m.Start)
		}
		return m, nil
	case <-time.After(10 * time.Second):
		return nil, fmt.Errorf("no final response")
	}
}
