package demo

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sidetrack/internal/audio"
)

const (
	rate     = 8000
	interval = 20 * time.Millisecond
	frame    = rate / 50
)

// media is one party's end of a call: it speaks in the party's own voice and
// counts what it hears.
type media struct {
	user string
	addr netip.AddrPort
	conn *net.UDPConn

	remote  atomic.Pointer[netip.AddrPort]
	muted   atomic.Bool
	sent    atomic.Int64
	heard   atomic.Int64
	stop    chan struct{}
	running sync.WaitGroup
}

// newMedia opens an RTP socket and starts to speak as soon as sendTo tells where.
func newMedia(user string, voice int) (*media, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	m := &media{user: user, conn: conn, addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), stop: make(chan struct{})}
	m.running.Go(m.listen)
	m.running.Go(func() { m.speak(audio.NewVoice(rate, voice)) })
	return m, nil
}

func (m *media) sendTo(remote netip.AddrPort) { m.remote.Store(&remote) }

func (m *media) talk(on bool) { m.muted.Store(!on) }

func (m *media) close() {
	close(m.stop)
	m.conn.Close()
	m.running.Wait()
}

func (m *media) listen() {
	var b [2048]byte
	for {
		n, _, err := m.conn.ReadFromUDPAddrPort(b[:])
		if err != nil {
			return
		}
		if n >= 12 && b[0]>>6 == 2 {
			m.heard.Add(1)
		}
	}
}

// maxLag is how far a party may fall behind its clock and catch up; beyond it
// the machine was asleep, and what was not said in time is not said at all.
const maxLag = time.Second

// speak sends one packet for every 20 ms that pass (RFC 3550, RFC 3551 PCMU):
// on a busy machine some of them late, but none fewer. The timestamp runs on
// while the party is muted, as a sound card's clock would.
func (m *media) speak(voice *audio.Voice) {
	codec, _ := audio.FindCodec("PCMU", rate, 1)
	encoder := codec.NewEncoder()
	pcm, packet := make([]int16, frame), make([]byte, 12, 12+frame)
	packet[0] = 2 << 6
	seq, stamp := uint16(rand.Uint32()), rand.Uint32()
	binary.BigEndian.PutUint32(packet[8:], rand.Uint32())
	due := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for marker := byte(0x80); ; stamp += frame {
		select {
		case <-m.stop:
			return
		case <-timer.C:
		}
		for due = due.Add(interval); time.Since(due) > maxLag; due = due.Add(interval) {
			stamp += frame
		}
		timer.Reset(time.Until(due))
		to := m.remote.Load()
		voice.Read(pcm)
		if to == nil || m.muted.Load() {
			marker = 0x80
			continue
		}
		packet[1] = marker // payload type 0
		binary.BigEndian.PutUint16(packet[2:], seq)
		binary.BigEndian.PutUint32(packet[4:], stamp)
		if _, err := m.conn.WriteToUDPAddrPort(encoder.Encode(packet[:12], pcm), *to); err == nil {
			m.sent.Add(1)
		}
		seq++
		marker = 0
	}
}
