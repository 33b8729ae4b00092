package forker_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	pion "github.com/pion/srtp/v3"

	"sidetrack/forker"
	"sidetrack/internal/srtp"
)

var profiles = map[srtp.Suite]pion.ProtectionProfile{
	srtp.AESCM128SHA80: pion.ProtectionProfileAes128CmHmacSha1_80,
	srtp.AEAD256GCM:    pion.ProtectionProfileAeadAes256Gcm,
}

// phone seals with a transform of its own.
type phone struct {
	t   testing.TB
	key *srtp.Key
	ctx *pion.Context
}

func newPhone(t testing.TB, suite srtp.Suite) *phone {
	t.Helper()
	k, err := srtp.NewKey(suite)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := pion.CreateContext(k.Master, k.Salt, profiles[suite])
	if err != nil {
		t.Fatal(err)
	}
	return &phone{t, k, ctx}
}

func (p *phone) seal(b []byte) []byte {
	p.t.Helper()
	out, err := p.ctx.EncryptRTP(nil, b, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func sealedAudio(a netip.AddrPort, k *srtp.Key) forker.Remote {
	r := audio(a)
	r.Secure, r.Key = true, k
	return r
}

// passes sends a sealed packet and sees the same octets arrive at the callee.
func (c *call) passes(sealed []byte) {
	c.caller.send(c.toA, sealed)
	c.callee.want(sealed)
}

// heard waits for a copy and holds its payload against the clear packet's.
func heard(t *testing.T, srs *peer, clear []byte) {
	t.Helper()
	if got, _ := srs.recv(); !bytes.Equal(got[12:], clear[12:]) {
		t.Fatalf("the recorder got % x, want % x", got, clear)
	}
}

func TestSRTPPassesAndIsCopiedInClear(t *testing.T) {
	for suite := range profiles {
		drivers(t, func(t *testing.T, cfg forker.Config) {
			e := newEngine(t, cfg)
			c := newCall(t, e)
			p := newPhone(t, suite)
			c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), p.key))
			srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
			tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
			var held []byte
			for i := range uint16(20) { // over the end of the sequence numbers
				clear := rtp(0, 65526+i, 160*uint32(i), 1)
				sealed := p.seal(clear)
				switch i {
				case 9:
					held = sealed
					continue
				case 11: // the one before the end comes after it, and twice
					for range 2 {
						c.passes(held)
						heard(t, srs, rtp(0, 65535, 9*160, 1))
					}
				}
				c.passes(sealed)
				heard(t, srs, clear)
			}
			if s := tap.Stats(); s.Dropped.Total() != 0 || s.Copied != 21 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestALaterTapFindsTheRolloverCounter(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		c := newCall(t, e)
		p := newPhone(t, srtp.AESCM128SHA80)
		c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), p.key))
		seq := uint16(60000)
		for range 30 {
			c.passes(p.seal(rtp(0, seq, 0, 1)))
			seq += 20000
		}
		srs := newPeer(t, srsHost)
		fork(t, c.relay, forker.AB).SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		clear := rtp(0, seq, 0, 1)
		c.passes(p.seal(clear))
		heard(t, srs, clear)
	})
}

func TestRekeyLosesNothing(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		c := newCall(t, e)
		before, after := newPhone(t, srtp.AESCM128SHA80), newPhone(t, srtp.AEAD256GCM)
		c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), before.key))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		for i, phone := range []*phone{before, before, before, after, before, after, after} {
			if i == 2 { // known before it is used
				c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), after.key))
			}
			clear := rtp(0, uint16(i), uint32(i)*160, 1)
			c.passes(phone.seal(clear))
			heard(t, srs, clear)
		}
		if s := tap.Stats(); s.Dropped.Total() != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhatIsNotAuthenticIsNeverCopied(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		c := newCall(t, e)
		p := newPhone(t, srtp.AESCM128SHA80)
		c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), p.key))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		first := p.seal(rtp(0, 100, 0, 1))
		c.passes(first)
		heard(t, srs, rtp(0, 100, 0, 1))
		forged := p.seal(rtp(0, 101, 160, 1))
		forged[20] ^= 1
		c.passes(forged) // the call's own affair
		jump := rtp(0, 30101, 160, 1)
		c.passes(jump)
		for i := uint16(0); i < 1100; i++ {
			clear := rtp(0, 102+i, 160*uint32(i), 1)
			c.passes(p.seal(clear))
			heard(t, srs, clear)
		}
		c.passes(first) // long past
		clear := rtp(0, 1300, 160*1200, 1)
		c.passes(p.seal(clear))
		heard(t, srs, clear)
		if s := tap.Stats(); s.Dropped[forker.DropSRTPAuth] != 3 || s.Dropped.Total() != 3 || s.In != s.Copied+3 {
			t.Errorf("%+v", s)
		}
	})
}

func TestSRTPWithoutAKeyIsNotCopied(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		c := newCall(t, e)
		p := newPhone(t, srtp.AESCM128SHA80)
		c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), nil))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		c.passes(p.seal(rtp(0, 1, 0, 1)))
		c.passes([]byte("STUN"))
		c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), &srtp.Key{Suite: "X"}))
		c.passes(p.seal(rtp(0, 2, 160, 1)))
		c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), p.key))
		clear := rtp(0, 3, 320, 1)
		c.passes(p.seal(clear))
		heard(t, srs, clear)
		s := tap.Stats()
		if s.Dropped[forker.DropSRTPAuth] != 2 || s.Dropped[forker.DropNotRTP] != 1 || s.Copied != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// Padding is sealed with the payload: the last octet in clear sight is the tag's.
func TestPaddedSRTP(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		c := newCall(t, e)
		p := newPhone(t, srtp.AESCM128SHA80)
		c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), p.key))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		for i := range uint16(50) {
			clear := append(rtp(0, i, 160*uint32(i), 1), 0, 0, 0, 4)
			clear[0] |= 0x20
			binary.BigEndian.PutUint16(clear[2:], i)
			c.passes(p.seal(clear))
			heard(t, srs, clear)
		}
		if s := tap.Stats(); s.Dropped.Total() != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// BenchmarkSRTPRelayAndCopy is BenchmarkRelayAndCopy with a packet to be opened.
func BenchmarkSRTPRelayAndCopy(b *testing.B) {
	for suite := range profiles {
		b.Run(string(suite), func(b *testing.B) {
			lo, hi := portRange(16)
			c := newCall(b, newEngine(b, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi}))
			phone := newPhone(b, suite)
			c.relay.SetRemote(forker.SideA, 0, sealedAudio(c.caller.addr(), phone.key))
			srs := newPeer(b, srsHost)
			fork(b, c.relay, forker.AB).SendTo(srs.addr(), netip.AddrPort{}, pcmu)
			sealed := phone.seal(append(rtp(0, 0, 0, 1), make([]byte, 144)...))
			buf := make([]byte, 2048)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.caller.conn.WriteToUDPAddrPort(sealed, c.toA); err != nil {
					b.Fatal(err)
				}
				for _, to := range []*peer{c.callee, srs} {
					if _, _, err := to.conn.ReadFromUDPAddrPort(buf); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
