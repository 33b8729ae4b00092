package dtls_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sidetrack/internal/dtls"
	"sidetrack/internal/srtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// end is one end of an association.
type end struct {
	pipe        *dtls.Pipe
	own, theirs *srtp.Key
	err         error
	keyed       chan struct{}
	done        chan struct{}
}

// associate has two ends shake hands over a way that lose may take datagrams from.
func associate(t *testing.T, client, server *dtls.Peer, lose func(client bool, n int) bool) [2]*end {
	t.Helper()
	ends := [2]*end{}
	var mu sync.Mutex
	sent := [2]int{}
	for i := range ends {
		e := &end{keyed: make(chan struct{}), done: make(chan struct{})}
		e.pipe = dtls.NewPipe(func(b []byte) {
			mu.Lock()
			sent[i]++
			lost := lose(i == 0, sent[i])
			mu.Unlock()
			if !lost {
				ends[1-i].pipe.Feed(b)
			}
		})
		ends[i] = e
	}
	ctx, cancel := context.WithCancel(context.Background())
	for i, p := range []*dtls.Peer{client, server} {
		go func() {
			defer close(ends[i].done)
			ends[i].err = p.Run(ctx, ends[i].pipe, func(own, theirs *srtp.Key) {
				ends[i].own, ends[i].theirs = own, theirs
				close(ends[i].keyed)
			})
		}()
	}
	t.Cleanup(func() {
		cancel()
		for _, e := range ends {
			<-e.done
		}
	})
	return ends
}

func (e *end) await(t *testing.T) {
	t.Helper()
	select {
	case <-e.keyed:
	case <-e.done:
		t.Fatalf("no keys: %v", e.err)
	case <-time.After(30 * time.Second):
		t.Fatal("no keys")
	}
}

func peers(t *testing.T) (client, server *dtls.Peer) {
	t.Helper()
	a, err1 := dtls.NewIdentity()
	b, err2 := dtls.NewIdentity()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return &dtls.Peer{Identity: a, Client: true, Fingerprints: []string{b.Fingerprint}}, &dtls.Peer{Identity: b, Fingerprints: []string{a.Fingerprint}}
}

func TestBothHaveTheSameKeys(t *testing.T) {
	for name, lose := range map[string]func(bool, int) bool{
		"nothing lost": func(bool, int) bool { return false },
		"first lost":   func(_ bool, n int) bool { return n == 1 },
		"last lost":    func(client bool, n int) bool { return !client && n == 3 },
	} {
		t.Run(name, func(t *testing.T) {
			client, server := peers(t)
			ends := associate(t, client, server, lose)
			for _, e := range ends {
				e.await(t)
			}
			if !ends[0].own.Equal(ends[1].theirs) || !ends[1].own.Equal(ends[0].theirs) || ends[0].own.Equal(ends[0].theirs) {
				t.Error("keys differ")
			}
			if ends[0].own.Suite != srtp.AEAD128GCM {
				t.Errorf("agreed on %s", ends[0].own.Suite)
			}
			if _, err := srtp.NewSealer(ends[0].own); err != nil {
				t.Error(err)
			}
		})
	}
}

// A certificate that SDP does not name gets no keys, on either end.
func TestStrangers(t *testing.T) {
	for _, wrong := range []string{"client", "server"} {
		client, server := peers(t)
		other, _ := peers(t)
		if wrong == "client" {
			server.Fingerprints = []string{other.Fingerprints[0], "x 1"}
		} else {
			client.Fingerprints = []string{other.Fingerprints[0]}
		}
		ends := associate(t, client, server, func(bool, int) bool { return false })
		judged := ends[0]
		if wrong == "client" {
			judged = ends[1]
		}
		select {
		case <-judged.keyed:
			t.Errorf("keys for a stranger as %s", wrong)
		case <-judged.done:
			if judged.err == nil {
				t.Errorf("no error for a stranger as %s", wrong)
			}
		}
	}
}

func TestFingerprints(t *testing.T) {
	id, err := dtls.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(id.Fingerprint, "sha-256 ") || strings.Count(id.Fingerprint, ":") != 31 {
		t.Errorf("fingerprint %s", id.Fingerprint)
	}
	for value, known := range map[string]bool{
		id.Fingerprint: true, "SHA-1 AB": true, "sha-512 AB": true, "md5 AB": false, "sha-256": false, "": false,
	} {
		if dtls.Known(value) != known {
			t.Errorf("%q is known: %v", value, !known)
		}
	}
}

// What is fed stays bounded, and nothing waits.
func TestPipeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := dtls.NewPipe(func([]byte) { t.Error("sent") })
		for range 1000 {
			p.Feed([]byte{22})
		}
		p.Mute()
		if _, err := p.WriteTo([]byte{22}, nil); err != nil {
			t.Error(err)
		}
		n := 0
		for buf := make([]byte, 10); ; n++ {
			if err := p.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, _, err := p.ReadFrom(buf); err != nil {
				break
			}
		}
		if n > 100 || n == 0 {
			t.Errorf("%d datagrams waited", n)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Deadlines may be set at any time, also after the end.
func TestDeadlinesOfAClosedPipe(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"passed": time.Millisecond, "to come": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := dtls.NewPipe(func([]byte) {})
				set := func(at time.Time) {
					if err := p.SetReadDeadline(at); err != nil {
						t.Error(err)
					}
				}
				set(time.Now().Add(ahead))
				time.Sleep(time.Second)
				for range 2 {
					if err := p.Close(); err != nil {
						t.Error(err)
					}
					set(time.Now())
					set(time.Now().Add(time.Minute))
					set(time.Time{})
				}
				if _, _, err := p.ReadFrom(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("read: %v", err)
				}
			})
		})
	}
}
