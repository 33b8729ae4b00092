package recorder

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"sidetrack/internal/audio"
	"sidetrack/internal/pcap"
	"sidetrack/internal/sdp"
)

// While the disk stands still everything is taken all the same, and nobody waits
// for it: neither who reads the socket nor who answers an INVITE.
func TestSlowDisk(t *testing.T) {
	rtp, rtcp, err := newPortRange(28000, 28999).open(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	c, stands, slow := newClerk(slog.New(slog.DiscardHandler)), make(chan struct{}), make(chan struct{})
	defer c.close()
	c.post(0, func() { close(stands); <-slow })
	<-stands
	s := newStream(0, "audio", "1", rtp, rtcp, time.Now())
	dir := t.TempDir()
	s.track.cfg.file = filesIn(dir, &s.track, c)
	s.learn([]sdp.Format{{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}})
	s.start()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(s.local()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const n = 200 // four seconds of speech
	for i := range n {
		if _, err := conn.Write(append(datagram(uint16(i), uint32(160*i), 7), make([]byte, 156)...)); err != nil {
			t.Fatal(err)
		}
	}
	s.setActive(true)
	s.hush(time.Now().Add(200 * ms))
	s.drain()
	if s.rx.n.packets != n || s.rx.n.lost != 0 {
		t.Errorf("%+v", s.rx.n)
	}
	if s.track.location() != "" {
		t.Error("a file, while the disk stands still")
	}
	written := make(chan struct{})
	c.post(0, func() { close(written) })
	close(slow)
	<-written
	s.finish(0, 0, true)
	w, err := audio.ReadWAVFile(s.track.location())
	if err != nil || len(w.PCM) < 160*n || s.track.fault.get() != nil {
		t.Errorf("%d samples, %v, %v", len(w.PCM), err, s.track.fault.get())
	}
}

// What the disk refuses is missing in the file, which begins when it can be made and
// goes on where it belongs: sound as silence, packets as such.
func TestDiskRefusesForAWhile(t *testing.T) {
	dir, refuses := t.TempDir(), true
	var tr track
	tr.from = netip.MustParseAddrPort("192.0.2.1:4000")
	tr.cfg.local = netip.MustParseAddrPort("192.0.2.2:4000")
	direct := filesIn(dir, &tr, nil)
	tr.cfg.file = func(extension string) *file {
		f := direct(extension)
		path := f.path
		f.path = func() (string, error) {
			if refuses {
				return "", errors.New("no room")
			}
			return path()
		}
		return f
	}
	tr.formats.learn([]sdp.Format{{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}, {PT: 99, Name: "VP8", Clock: 90000}})
	deliver := func(from, to int) {
		for i := from; i < to; i++ {
			for _, pt := range []uint8{0, 99} {
				d := append(datagram(uint16(i), uint32(160*i), 7), bytes.Repeat([]byte{0x10}, 156)...)
				p, _ := parseRTP(d, time.Duration(i)*20*ms)
				p.pt = pt
				tr.deliver(&p, 0)
			}
		}
	}
	deliver(0, 500)
	refuses = false
	deliver(500, 1000)
	tr.take(true)
	tr.finish(tr.seconds(), 0)
	if tr.fault.get() == nil {
		t.Error("nothing is told of what is missing")
	}
	w, err := audio.ReadWAVFile(tr.location())
	if err != nil || len(w.PCM) != 160*1000 || w.PCM[0] != 0 || w.PCM[len(w.PCM)-1] == 0 || w.PCM[160*600] == 0 {
		t.Errorf("%d samples, %v", len(w.PCM), err)
	}
	capture, err := os.ReadFile(tr.dump.file.location())
	if err != nil || !pcap.Is(capture) || (len(capture)-24)%(16+28+172) != 0 || len(capture) < 450*(16+28+172) {
		t.Errorf("a capture of %d bytes, %v", len(capture), err)
	}
}

// What may wait for the disk grows with the number of files, and shrinks with it.
func TestRoomForEachFile(t *testing.T) {
	c, stands, slow := newClerk(slog.New(slog.DiscardHandler)), make(chan struct{}), make(chan struct{})
	c.post(0, func() { close(stands); <-slow })
	<-stands
	s := &session{server: &Server{clerk: c}, folder: newFolder(t.TempDir(), time.Now(), "x")}
	var files []*file
	for _, extension := range []string{".wav", ".pcap"} {
		files = append(files, s.fileOf(&stream{}, "1")(extension))
	}
	if !c.post(clerkLimit+2*fileRoom, func() {}) || c.post(1, func() {}) {
		t.Error("there is other room than that for two files")
	}
	close(slow)
	for _, f := range files {
		f.Close()
		f.Close()
	}
	c.close()
	if c.files != 0 || c.waiting != 0 {
		t.Errorf("%d files, %d bytes", c.files, c.waiting)
	}
}
