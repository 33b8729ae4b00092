package recorder

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip/dialog"
)

// A disk that stands still costs a bounded number of threads; and when very many wait for it
// those that come then are not held up by fsync.
func TestGate(t *testing.T) {
	const many = crowd + 50
	g, stands := newGate(), make(chan struct{})
	var mu sync.Mutex
	var inside, most, hurried int
	var all sync.WaitGroup
	enter := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		inside += n
		most = max(most, inside)
		return inside
	}
	for range many {
		all.Go(func() {
			g.enter(func(lasting bool) {
				enter(1)
				<-stands
				enter(-1)
				if !lasting {
					mu.Lock()
					defer mu.Unlock()
					hurried++
				}
			})
		})
	}
	for end := time.Now().Add(time.Minute); (g.all.Load() < many || enter(0) < closers) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	close(stands)
	all.Wait()
	if most != closers || hurried != many-crowd || g.all.Load() != 0 {
		t.Errorf("%d inside, %d in a hurry, %d left", most, hurried, g.all.Load())
	}
}

// A fault while the files of a session are closed is told, and ends that session alone.
func TestFaultWhileFilesAreClosed(t *testing.T) {
	var told []Summary
	s := &Server{cfg: Config{OnSession: func(sum Summary) { told = append(told, sum) }, History: 1}, closing: newGate()}
	s.clerk = newClerk(slog.New(slog.DiscardHandler))
	ss := &session{server: s, log: slog.New(slog.DiscardHandler), epoch: time.Now(), ended: true, clean: true, dialog: &dialog.Dialog{},
		library: library{sender: map[string]Party{}}, folder: newFolder(t.TempDir(), time.Now(), "x")}
	rtp, rtcp, err := newPortRange(27000, 27999).open(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	st := newStream(0, "audio", "1", rtp, rtcp, ss.epoch)
	st.track.cfg.file = func(string) *file { panic("a fault of the test") }
	st.learn([]sdp.Format{{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}})
	st.setActive(true)
	st.start()
	ss.streams = []*stream{st}
	s.finishing.Add(1)
	go ss.finish()
	s.finishing.Wait()
	s.clerk.close()
	if len(told) != 1 || told[0].Complete || len(told[0].Problems) == 0 {
		t.Errorf("%+v", told)
	}
	if _, err := os.Stat(filepath.Join(ss.folder.location(), reportName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a report: %v", err)
	}
}

// What no other port changes is not tried five thousand times on a lane.
func TestHopelessAddress(t *testing.T) {
	r := newPortRange(26000, 26999)
	if _, _, err := r.open(netip.MustParseAddr("192.0.2.1")); !errors.Is(err, errNoPorts) {
		t.Errorf("error %v", err)
	}
	if next := r.take(); next != 26002 {
		t.Errorf("it went on to port %d", next)
	}
}

// A disk that stands still while files are closed, or a folder is made, holds up nobody who asks for the session.
func TestTellsWhileTheDiskStandsStill(t *testing.T) {
	s := &Server{closing: newGate()}
	ss := &session{server: s, epoch: time.Now(), dialog: &dialog.Dialog{}, library: library{sender: map[string]Party{}}, folder: newFolder(t.TempDir(), time.Now(), "x")}
	st := newStream(0, "audio", "1", nil, nil, ss.epoch)
	stands, slow := make(chan struct{}), make(chan struct{})
	st.track.cfg.file = func(string) *file {
		return &file{failed: func(error) {}, path: func() (string, error) {
			close(stands)
			<-slow
			return ss.folder.file("1.wav")
		}}
	}
	st.learn([]sdp.Format{{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}})
	st.setActive(true)
	ss.streams, s.live = []*stream{st}, []*session{ss}
	ended := make(chan struct{})
	go func() { defer close(ended); ss.closeFiles(ss.streams, true) }()
	<-stands
	ss.folder.mu.Lock() // as by who makes it
	told := make(chan []Summary, 1)
	go func() { told <- s.Sessions() }()
	select {
	case list := <-told:
		if len(list) != 1 || len(list[0].Streams) != 1 || list[0].Streams[0].Seconds != 0 {
			t.Errorf("%+v", list)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for the disk")
	}
	ss.folder.mu.Unlock()
	close(slow)
	<-ended
	if list := s.Sessions(); len(list) != 1 || list[0].Streams[0].File == "" || list[0].Folder == "" {
		t.Errorf("at the end: %+v", list)
	}
}
