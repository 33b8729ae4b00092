package recorder

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"sidetrack/internal/sdp"
)

const maxDatagram = 65535

// stream is one m= section of a session: two sockets, each with a goroutine that
// reads it, and the track. The sockets live as long as the session, whatever
// its offers say, so that ports never change.
type stream struct {
	// Set once.
	index   int
	kind    string
	label   string // as in the first offer
	rtp     *net.UDPConn
	rtcp    *net.UDPConn
	ssrc    uint32 // ours, in receiver reports
	epoch   time.Time
	trouble func(text string) // tells the session of a fault; any goroutine
	readers sync.WaitGroup

	// Owned by the session.
	active   bool // by the last offer
	wanted   bool // active at any time
	disabled bool // port 0 in the last offer

	mu      sync.Mutex
	latch   latch
	rx      receiver
	track   track
	align   alignment
	reports netip.AddrPort // where receiver reports go
	heard   time.Duration  // when the last datagram came
	badRTCP uint64
	crypt   crypt
	closed  bool
	settled *settled // while finish, without mu, has the track; else nil
}

func newStream(index int, kind, label string, rtp, rtcp *net.UDPConn, epoch time.Time) *stream {
	s := &stream{index: index, kind: kind, label: label, rtp: rtp, rtcp: rtcp, epoch: epoch}
	s.rx.deliver = s.deliver
	s.rx.changed = s.track.sourceChanged
	return s
}

// deliver is called by rx, under mu.
func (s *stream) deliver(p *packet, lost uint64) {
	if f := &s.track.formats[p.pt]; f.clock > 0 && f.use != event {
		s.rx.current.report.arrived(p.ts, p.at, f.clock)
	}
	s.track.deliver(p, lost)
}

func (s *stream) local() netip.AddrPort { return s.rtp.LocalAddr().(*net.UDPAddr).AddrPort() }

// now is the time on the session's clock.
func (s *stream) now() time.Duration { return time.Since(s.epoch) }

// start begins to read. Until then the sockets' buffers hold what comes.
func (s *stream) start() {
	s.readers.Add(2)
	go s.read(s.rtp, s.takeRTP)
	go s.read(s.rtcp, s.takeRTCP)
}

// read passes datagrams on until the socket is closed or its deadline has come.
func (s *stream) read(conn *net.UDPConn, take func([]byte, netip.AddrPort)) {
	defer s.readers.Done()
	for !s.readSome(conn, take) {
	}
}

// readSome reports whether reading is over. A fault in the handling of a datagram
// costs that datagram, not the process.
func (s *stream) readSome(conn *net.UDPConn, take func([]byte, netip.AddrPort)) (over bool) {
	defer func() {
		if v := recover(); v != nil {
			s.trouble(fmt.Sprintf("fault while handling a datagram: %v\n%s", v, debug.Stack()))
		}
	}()
	for {
		err := receive(conn, take)
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
			return true
		case err != nil:
			// An ICMP error is cleared by the read; whatever else it is must not spin.
			time.Sleep(time.Millisecond)
		}
	}
}

// takeRTP handles a datagram from the RTP port.
func (s *stream) takeRTP(b []byte, from netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.latch.media(from) {
		return
	}
	at := s.now()
	s.heard = at
	control := isRTCP(b) // the client multiplexes without being asked to
	b, ok := s.crypt.open(b, control)
	if !ok {
		return
	}
	if control {
		s.control(b, at)
		return
	}
	s.track.from = from
	s.rx.receive(b, at)
}

// takeRTCP handles a datagram from the RTCP port.
func (s *stream) takeRTCP(b []byte, from netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.latch.accepts(from.Addr()) {
		return
	}
	b, ok := s.crypt.open(b, true)
	if !ok {
		return
	}
	at := s.now()
	s.heard = at
	s.reports = from // symmetric RTCP, whatever the SDP says
	s.control(b, at)
}

// expect tells where the client's packets come from and where its RTCP goes.
func (s *stream) expect(media, rtcp netip.AddrPort, signalling netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latch.expect(media.Addr(), signalling)
	s.latch.announce(media)
	if rtcp.IsValid() && !rtcp.Addr().IsUnspecified() {
		s.reports = rtcp
	}
}

// negotiate takes the keys of an offer and gives ours.
func (s *stream) negotiate(m *sdp.Media) ([]sdp.Crypto, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crypt.negotiate(m)
}

// learn adds the payload types of an offer. It tells of one that means something
// else than before, which is not followed.
func (s *stream) learn(list []sdp.Format) (changed string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.track.offer(list)
	return s.track.formats.learn(list)
}

// replacedBy reports whether a section that was disabled has been taken for
// another stream (RFC 3264 §8.1).
func (s *stream) replacedBy(m *sdp.Media) bool {
	return s.disabled && (m.Kind != s.kind || m.Label() != "" && m.Label() != s.label)
}

// setActive tells whether the client's offer lets the stream flow. The session's mu
// is held.
func (s *stream) setActive(active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if active {
		s.track.resume(s.now())
	} else {
		s.track.pause(s.now())
	}
	s.active = active
	s.wanted = s.wanted || active
}

// lastHeard is when the last datagram came, on the session's clock.
func (s *stream) lastHeard() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard
}

// hush bounds how long the readers still take what is under way.
func (s *stream) hush(until time.Time) {
	s.rtp.SetReadDeadline(until)
	s.rtcp.SetReadDeadline(until)
}

const (
	sweepQuiet = 20 * time.Millisecond // a socket that gives nothing for so long is empty
	sweepLimit = 2 * time.Second       // a client that goes on after its BYE is not listened to for ever
)

// sweep reads what still waits in the RTP socket: on a starved machine that is
// more than the readers had time for before their deadline.
func (s *stream) sweep() {
	for limit := time.Now().Add(sweepLimit); time.Now().Before(limit); {
		s.rtp.SetReadDeadline(time.Now().Add(sweepQuiet))
		if receive(s.rtp, s.takeRTP) != nil {
			return
		}
	}
}

// drain waits for the readers, takes what is left, closes the sockets and
// delivers what waits.
func (s *stream) drain() {
	s.readers.Wait()
	s.sweep()
	s.rtp.Close()
	s.rtcp.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.rx.flush()
}
