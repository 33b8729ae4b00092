package dtls_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/dtls"
	"sidetrack/internal/srtp"
)

// FuzzHandshake holds: whatever datagrams come, in either role, there are no keys, no panic and nothing left running once
// the time of a handshake is over. Time is the bubble's, so that an execution waits for nothing.
func FuzzHandshake(f *testing.F) {
	id, err := dtls.NewIdentity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(false, framed([]byte{22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}))
	f.Add(true, []byte{})
	for role, sent := range overheard(f) {
		f.Add(role == 1, framed(sent...)) // what the client sends comes to a server
		f.Add(role == 1, framed(sent[0]))
	}
	f.Fuzz(func(t *testing.T, client bool, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			p := dtls.NewPipe(func([]byte) {})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				peer := &dtls.Peer{Identity: id, Client: client, Fingerprints: []string{id.Fingerprint}}
				if err := peer.Run(ctx, p, func(_, _ *srtp.Key) { t.Error("keys") }); err == nil {
					t.Error("no error")
				}
			}()
			for _, d := range datagrams(b) {
				synctest.Wait()
				p.Feed(d)
			}
			begun := time.Now()
			<-ended
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("it ended after %v", took)
			}
		})
	})
}

// framed puts datagrams into one, each behind its length.
func framed(all ...[]byte) (b []byte) {
	for _, d := range all {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(d))), d...)
	}
	return b
}

// datagrams is the reverse; the last may be shorter than it says.
func datagrams(b []byte) (all [][]byte) {
	for len(b) >= 2 && len(all) < 40 {
		n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
		all, b = append(all, b[2:2+n]), b[2+n:]
	}
	return all
}

// overheard is what client and server send in a handshake.
func overheard(f *testing.F) (sent [2][][]byte) {
	f.Helper()
	a, err1 := dtls.NewIdentity()
	b, err2 := dtls.NewIdentity()
	if err1 != nil || err2 != nil {
		f.Fatal(err1, err2)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mu sync.Mutex
	var pipes [2]*dtls.Pipe
	for i := range pipes {
		pipes[i] = dtls.NewPipe(func(d []byte) {
			mu.Lock()
			sent[i] = append(sent[i], bytes.Clone(d))
			mu.Unlock()
			pipes[1-i].Feed(d)
		})
	}
	var both, keyed sync.WaitGroup
	keyed.Add(2)
	for i, p := range []*dtls.Peer{{Identity: a, Client: true, Fingerprints: []string{b.Fingerprint}}, {Identity: b, Fingerprints: []string{a.Fingerprint}}} {
		both.Go(func() {
			if err := p.Run(ctx, pipes[i], func(_, _ *srtp.Key) { keyed.Done() }); err != nil {
				f.Errorf("no handshake: %v", err)
				keyed.Done()
			}
		})
	}
	keyed.Wait()
	cancel()
	both.Wait()
	return sent
}
