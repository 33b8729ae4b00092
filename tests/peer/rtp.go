package peer

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Packet is one RTP packet that a Media received.
type Packet struct {
	From    netip.AddrPort
	At      time.Time
	PT      uint8
	Marker  bool
	Seq     uint16
	Stamp   uint32
	SSRC    uint32
	Payload []byte
	Raw     []byte

	// The identity that the sending Media wrote into the payload; Party is "" in a foreign packet.
	Call, Party string
	Number      int
}

// Media is one end of one m-line: an even RTP port and the odd RTCP port above it. Its packets tell in their payload
// which call and party they belong to and which number they have, so that whoever gets one knows whose it is.
type Media struct {
	Call, Party string
	PT          uint8  // payload type of what is sent; set before Talk or Send
	SSRC        uint32 // of what is sent
	Stride      uint32 // timestamp units from one packet to the next; Frame when 0

	// Every is the time from one packet of Talk to the next, instead of Pace. The clock is the real one then, as in a phone:
	// silence between two Talks shows in the timestamp and the marker bit.
	Every time.Duration

	t         testing.TB
	rtp, rtcp *net.UDPConn

	mu       sync.Mutex
	seal     func([]byte) []byte
	open     func([]byte) []byte
	changed  chan struct{} // closed and renewed at each arrival
	packets  []Packet
	control  [][]byte // RTCP as received
	seq      uint16
	stamp    uint32
	spurt    bool      // the next packet begins a talkspurt
	sent     []Packet  // as sent, in order; From is zero
	due      time.Time // of the next packet, when Every is set
	talking  chan struct{}
	talkDone chan struct{}
	readers  sync.WaitGroup
}

// Frame is what one packet of ours holds: 20 ms of G.711.
const Frame = 160

// NewMedia binds a pair of ports on ip. The sockets are closed at the end of the test.
func NewMedia(t testing.TB, ip, call, party string) *Media {
	t.Helper()
	addr := net.ParseIP(ip)
	for range 100 {
		rtp, err := net.ListenUDP("udp", &net.UDPAddr{IP: addr})
		if err != nil {
			t.Fatalf("binding RTP on %s: %v", ip, err)
		}
		port := rtp.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 {
			if rtcp, err := net.ListenUDP("udp", &net.UDPAddr{IP: addr, Port: port + 1}); err == nil {
				return startMedia(t, rtp, rtcp, call, party)
			}
		}
		rtp.Close()
	}
	t.Fatalf("no even and odd port pair on %s", ip)
	return nil
}

func startMedia(t testing.TB, rtp, rtcp *net.UDPConn, call, party string) *Media {
	m := &Media{
		Call: call, Party: party, SSRC: newSSRC(), t: t, rtp: rtp, rtcp: rtcp,
		seq: uint16(newSSRC()), stamp: newSSRC(), changed: make(chan struct{}),
	}
	m.readers.Go(func() { m.read(rtp, m.onRTP) })
	m.readers.Go(func() { m.read(rtcp, m.onRTCP) })
	t.Cleanup(m.Close)
	return m
}

// Close stops talking, closes the sockets and waits for the readers.
func (m *Media) Close() {
	m.Quiet()
	m.rtp.Close()
	m.rtcp.Close()
	m.readers.Wait()
}

// Addr is the RTP socket's address, RTCPAddr the other's.
func (m *Media) Addr() netip.AddrPort { return m.rtp.LocalAddr().(*net.UDPAddr).AddrPort() }

// RTCPAddr is the RTCP socket's address.
func (m *Media) RTCPAddr() netip.AddrPort { return m.rtcp.LocalAddr().(*net.UDPAddr).AddrPort() }

func (m *Media) read(conn *net.UDPConn, on func([]byte, netip.AddrPort)) {
	buf := make([]byte, 65536)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if strings.Contains(err.Error(), "closed") {
				return
			}
			continue // an ICMP error told on the socket
		}
		on(append([]byte(nil), buf[:n]...), from)
	}
}

func (m *Media) onRTP(b []byte, from netip.AddrPort) {
	if len(b) > 1 && b[1] >= 192 && b[1] <= 223 { // RTCP on the RTP port (RFC 5761 §4)
		m.onRTCP(b, from)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open != nil {
		if clear := m.open(b); clear != nil {
			b = clear
		}
	}
	p, ok := parsePacket(b, from)
	if !ok {
		return
	}
	m.packets = append(m.packets, p)
	m.signal()
}

func (m *Media) onRTCP(b []byte, _ netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.control = append(m.control, b)
	m.signal()
}

func (m *Media) signal() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func parsePacket(b []byte, from netip.AddrPort) (Packet, bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return Packet{}, false
	}
	p := Packet{
		From: from, At: time.Now(), PT: b[1] & 0x7f, Marker: b[1]&0x80 != 0, Seq: binary.BigEndian.Uint16(b[2:]),
		Stamp: binary.BigEndian.Uint32(b[4:]), SSRC: binary.BigEndian.Uint32(b[8:]), Payload: b[12:], Raw: b,
	}
	if fields := strings.Split(string(p.Payload), "|"); len(fields) > 3 && fields[0] == "id" {
		if n, err := strconv.Atoi(fields[3]); err == nil {
			p.Call, p.Party, p.Number = fields[1], fields[2], n
		}
	}
	return p, true
}

// Protect sets what happens to packets on their way out and in (SRTP); nil leaves it as it is. Both are called under a
// lock. What open gives nil for is kept as it came.
func (m *Media) Protect(seal, open func([]byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if seal != nil {
		m.seal = seal
	}
	if open != nil {
		m.open = open
	}
}

// Send sends the next packet to that address and gives its number, the first being 1.
func (m *Media) Send(to netip.AddrPort) int {
	m.mu.Lock()
	p := m.next()
	raw := p.Raw
	if m.seal != nil {
		raw = m.seal(raw)
	}
	m.mu.Unlock()
	_, _ = m.rtp.WriteToUDPAddrPort(raw, to) // an ICMP error from an earlier packet may surface here
	return p.Number
}

// next makes the next packet. The caller holds mu.
func (m *Media) next() Packet {
	number := len(m.sent) + 1
	b := make([]byte, 12+Frame)
	b[0], b[1] = 0x80, m.PT
	if number == 1 || m.spurt {
		b[1] |= 0x80 // marker: a talkspurt begins
	}
	m.spurt = false
	m.seq, m.stamp = m.seq+1, m.stamp+cmp.Or(m.Stride, Frame)
	binary.BigEndian.PutUint16(b[2:], m.seq)
	binary.BigEndian.PutUint32(b[4:], m.stamp)
	binary.BigEndian.PutUint32(b[8:], m.SSRC)
	for i := range Frame {
		b[12+i] = '.'
	}
	copy(b[12:], fmt.Sprintf("id|%s|%s|%d|", m.Call, m.Party, number))
	p, _ := parsePacket(b, netip.AddrPort{})
	m.sent = append(m.sent, p)
	return p
}

// SendNumber sends the packet of that number, which need not be the next one and may have been sent before: for loss,
// reordering and duplicates.
func (m *Media) SendNumber(to netip.AddrPort, number int) {
	m.mu.Lock()
	for len(m.sent) < number {
		m.next()
	}
	p := m.sent[number-1]
	m.mu.Unlock()
	_, _ = m.rtp.WriteToUDPAddrPort(p.Raw, to)
}

// StartAt has the next packet bear that sequence number.
func (m *Media) StartAt(seq uint16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq = seq - 1
}

// Restart makes the media a new source: another SSRC, sequence and timestamp from here on.
func (m *Media) Restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.SSRC, m.seq, m.stamp = newSSRC(), uint16(newSSRC()), newSSRC()
}

// Skip lets that much of the RTP clock pass without a packet.
func (m *Media) Skip(ticks uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stamp += ticks
}

// SendRTCP sends a datagram from the RTCP port.
func (m *Media) SendRTCP(to netip.AddrPort, b []byte) {
	_, _ = m.rtcp.WriteToUDPAddrPort(b, to)
}

// SendRaw sends a datagram from the RTP port: RTCP where the two share one (RFC 5761), or what is no RTP at all.
func (m *Media) SendRaw(to netip.AddrPort, b []byte) {
	_, _ = m.rtp.WriteToUDPAddrPort(b, to)
}

// Pace is the time between two packets of Talk: four times real time, so that tests are short.
const Pace = 5 * time.Millisecond

// Talk sends packets to that address at Pace until Quiet. A second Talk moves the target.
func (m *Media) Talk(to netip.AddrPort) {
	m.Quiet()
	m.mu.Lock()
	stop, done := make(chan struct{}), make(chan struct{})
	m.talking, m.talkDone = stop, done
	m.mu.Unlock()
	if m.Every > 0 {
		go func() {
			defer close(done)
			m.speak(to, stop)
		}()
		return
	}
	go func() {
		defer close(done)
		tick := time.NewTicker(Pace)
		defer tick.Stop()
		for {
			m.Send(to)
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
}

// Quiet ends Talk; when it returns nothing more is sent.
func (m *Media) Quiet() {
	m.mu.Lock()
	stop, done := m.talking, m.talkDone
	m.talking, m.talkDone = nil, nil
	m.mu.Unlock()
	if stop != nil {
		close(stop)
		<-done
	}
}

// Sent is how many packets were sent so far.
func (m *Media) Sent() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sent)
}

// SentPackets is what was sent so far.
func (m *Media) SentPackets() []Packet {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Packet(nil), m.sent...)
}

// Packets is what was received so far.
func (m *Media) Packets() []Packet {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Packet(nil), m.packets...)
}

// RTCP is what arrived at the RTCP port so far.
func (m *Media) RTCP() [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([][]byte(nil), m.control...)
}

// Await waits until the condition holds over what was received and gives it; the test fails when it never does.
func (m *Media) Await(what string, holds func([]Packet) bool) []Packet {
	m.t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		m.mu.Lock()
		packets, changed := append([]Packet(nil), m.packets...), m.changed
		m.mu.Unlock()
		if holds(packets) {
			return packets
		}
		select {
		case <-changed:
		case <-deadline.C:
			m.t.Fatalf("%s of call %s: no %s; got %d packets", m.Party, m.Call, what, len(packets))
		}
	}
}

// AwaitRTCP waits until a datagram has come to the RTCP port for which the condition holds.
func (m *Media) AwaitRTCP(what string, holds func([]byte) bool) []byte {
	m.t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		m.mu.Lock()
		control, changed := m.control, m.changed
		m.mu.Unlock()
		for _, b := range control {
			if holds(b) {
				return b
			}
		}
		select {
		case <-changed:
		case <-deadline.C:
			m.t.Fatalf("%s of call %s: no %s; got %d RTCP datagrams", m.Party, m.Call, what, len(control))
		}
	}
}

// AwaitFrom waits until n packets of that party's have come, numbered above after.
func (m *Media) AwaitFrom(party string, after, n int) []Packet {
	m.t.Helper()
	return m.Await(fmt.Sprintf("%d packets of %s after number %d", n, party, after), func(all []Packet) bool {
		count := 0
		for _, p := range all {
			if p.Party == party && p.Number > after {
				count++
			}
		}
		return count >= n
	})
}

// Press sends a key as a telephone-event of that payload type (RFC 4733): its beginning, and its end three times.
func (m *Media) Press(to netip.AddrPort, pt, event uint8) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range 4 {
		b := []byte{0x80, pt, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, event, 10, 0, 160}
		if i == 0 {
			b[1] |= 0x80
		} else {
			b[13] |= 0x80
		}
		binary.BigEndian.PutUint16(b[2:], m.seq)
		binary.BigEndian.PutUint32(b[4:], m.stamp)
		binary.BigEndian.PutUint32(b[8:], m.SSRC)
		m.seq++
		if _, err := m.rtp.WriteToUDPAddrPort(b, to); err != nil {
			m.t.Errorf("sending a key: %v", err)
		}
	}
	m.stamp += Frame
}
