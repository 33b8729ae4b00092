package forker_test

import (
	"bytes"
	"context"
	"net/netip"
	"testing"
	"time"

	pion "github.com/pion/srtp/v3"

	"sidetrack/forker"
	"sidetrack/internal/dtls"
	"sidetrack/internal/srtp"
)

// shaker is a party that gets its keys by DTLS, on the socket of its media.
type shaker struct {
	*peer
	pipe        *dtls.Pipe
	keyed       chan struct{}
	err         error
	own, theirs *srtp.Key
	media       chan []byte // what is no DTLS
}

func newShaker(t *testing.T, p *peer, to netip.AddrPort, self *dtls.Peer) *shaker {
	t.Helper()
	s := &shaker{peer: p, keyed: make(chan struct{}), media: make(chan []byte, 1000)}
	s.pipe = dtls.NewPipe(func(b []byte) { p.send(to, b) })
	ctx, cancel := context.WithCancel(context.Background())
	read, ran := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		for {
			n, _, err := p.conn.ReadFromUDPAddrPort(p.buf)
			switch {
			case err != nil:
				return
			case dtls.Is(p.buf[:n]):
				s.pipe.Feed(p.buf[:n])
			default:
				s.media <- bytes.Clone(p.buf[:n])
			}
		}
	}()
	go func() {
		defer close(ran)
		s.err = self.Run(ctx, s.pipe, func(own, theirs *srtp.Key) {
			s.own, s.theirs = own, theirs
			close(s.keyed)
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ran
		p.conn.Close()
		<-read
	})
	return s
}

func (s *shaker) await() {
	s.t.Helper()
	select {
	case <-s.keyed:
	case <-time.After(6 * patience):
		s.t.Fatalf("%v has no keys", s.addr())
	}
}

// A leg by DTLS, as client and as server, beside one that talks in clear.
func TestKeysByDTLS(t *testing.T) {
	for _, client := range []bool{true, false} {
		drivers(t, func(t *testing.T, cfg forker.Config) {
			ours, err1 := dtls.NewIdentity()
			theirs, err2 := dtls.NewIdentity()
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			c := newCall(t, newEngine(t, cfg))
			leg := audio(c.caller.addr())
			leg.Ended, leg.Secure = true, true
			leg.DTLS = &dtls.Peer{Identity: ours, Client: client, Fingerprints: []string{theirs.Fingerprint}}
			right := audio(c.callee.addr())
			right.Ended = true
			c.relay.SetRemote(forker.SideB, 0, right)
			c.relay.SetRemote(forker.SideA, 0, leg)
			c.callee.send(c.toB, rtp(0, 1, 0, 2)) // nothing of it may reach the caller before there are keys
			eventually(t, "a packet without a key", func() bool { return c.flow(forker.BA).Unkeyed == 1 })
			s := newShaker(t, c.caller, c.toA, &dtls.Peer{Identity: theirs, Client: !client, Fingerprints: []string{ours.Fingerprint}})
			s.await()
			out, err1 := pion.CreateContext(s.own.Master, s.own.Salt, pion.ProtectionProfileAeadAes128Gcm)
			in, err2 := pion.CreateContext(s.theirs.Master, s.theirs.Salt, pion.ProtectionProfileAeadAes128Gcm)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			// The other end has its keys a moment after or before us.
			n := uint16(0)
			eventually(t, "the callee hears the caller", func() bool {
				n++
				sealed, err := out.EncryptRTP(nil, rtp(0, n, 0, 1), nil)
				if err != nil {
					t.Fatal(err)
				}
				c.caller.send(c.toA, sealed)
				got, _, ok := c.callee.tryRecv(100 * time.Millisecond)
				return ok && bytes.Equal(got[:2], []byte{0x80, 0}) && bytes.Contains(got, []byte("payload"))
			})
			c.relay.SetRemote(forker.SideA, 0, leg) // a refresh: nothing begins anew
			clear := rtp(0, 2, 0, 2)
			c.callee.send(c.toB, clear)
			select {
			case b := <-s.media:
				if got, err := in.DecryptRTP(nil, b, nil); err != nil || !bytes.Equal(got, clear) {
					t.Fatalf("the caller got % x, %v", b, err)
				}
			case <-time.After(patience):
				t.Fatal("the caller hears nothing")
			}
		})
	}
}

// A certificate that SDP does not name has no keys, and nothing passes.
func TestDTLSOfAStranger(t *testing.T) {
	lo, hi := portRange(16)
	ours, err1 := dtls.NewIdentity()
	theirs, err2 := dtls.NewIdentity()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	c := newCall(t, newEngine(t, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi}))
	leg := audio(c.caller.addr())
	leg.Ended, leg.Secure = true, true
	leg.DTLS = &dtls.Peer{Identity: ours, Fingerprints: []string{ours.Fingerprint}}
	c.relay.SetRemote(forker.SideA, 0, leg)
	s := newShaker(t, c.caller, c.toA, &dtls.Peer{Identity: theirs, Client: true, Fingerprints: []string{ours.Fingerprint}})
	for n := range uint16(20) {
		c.caller.send(c.toA, rtp(0, n, 0, 1))
	}
	eventually(t, "packets are dropped", func() bool { return c.flow(forker.AB).Unkeyed == 20 })
	c.callee.silent()
	select {
	case <-s.keyed:
		t.Error("the stranger has keys")
	default:
	}
}
