package forker_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	pionrtp "github.com/pion/rtp"
	pion "github.com/pion/srtp/v3"

	"sidetrack/forker"
	"sidetrack/internal/srtp"
)

// secured is a party with a transform of its own: it seals with its key and opens with the one it was told.
type secured struct {
	*phone
	theirs *srtp.Key
	in     *pion.Context
}

func newSecured(t testing.TB, suite srtp.Suite) *secured {
	t.Helper()
	s := &secured{phone: newPhone(t, suite), theirs: newPhone(t, suite).key}
	var err error
	if s.in, err = pion.CreateContext(s.theirs.Master, s.theirs.Salt, profiles[suite]); err != nil {
		t.Fatal(err)
	}
	return s
}

// leg is what SDP says of a party: nil talks in clear.
func (s *secured) leg(a netip.AddrPort) forker.Remote {
	r := audio(a)
	r.Ended = true
	if s != nil {
		r.Secure, r.Key, r.Own = true, s.key, s.theirs
	}
	return r
}

func (s *secured) out(b []byte) []byte {
	if s == nil {
		return b
	}
	return s.seal(b)
}

// wants reads the next datagram and opens it.
func (s *secured) wants(p *peer, clear []byte) {
	p.t.Helper()
	got, from := p.recv()
	if s != nil {
		if bytes.Contains(got, clear[12:]) {
			p.t.Fatalf("%v got % x in clear from %v", p.addr(), got, from)
		}
		var err error
		if got, err = s.in.DecryptRTP(nil, got, nil); err != nil {
			p.t.Fatalf("%v cannot open what it got from %v: %v", p.addr(), from, err)
		}
	}
	if !bytes.Equal(got, clear) {
		p.t.Fatalf("%v got % x from %v, want % x", p.addr(), got, from, clear)
	}
}

// endedCall is a call between those two; nil is one that talks in clear.
func endedCall(t testing.TB, e *forker.Engine, a, b *secured) *call {
	t.Helper()
	c := newCall(t, e)
	c.relay.SetRemote(forker.SideA, 0, a.leg(c.caller.addr()))
	c.relay.SetRemote(forker.SideB, 0, b.leg(c.callee.addr()))
	return c
}

// Whatever either side speaks, each hears the other, and the recorder gets both in clear.
func TestSRTPEndsOnEachLeg(t *testing.T) {
	kinds := []srtp.Suite{"", srtp.AESCM128SHA80, srtp.AEAD256GCM}
	party := func(t *testing.T, suite srtp.Suite) *secured {
		if suite == "" {
			return nil
		}
		return newSecured(t, suite)
	}
	for _, left := range kinds {
		for _, right := range kinds {
			t.Run(strings.Join([]string{"clear" + string(left), "clear" + string(right)}, " "), func(t *testing.T) {
				drivers(t, func(t *testing.T, cfg forker.Config) {
					a, b := party(t, left), party(t, right)
					c := endedCall(t, newEngine(t, cfg), a, b)
					srs := newPeer(t, srsHost)
					for _, f := range []forker.Flow{forker.AB, forker.BA} {
						fork(t, c.relay, f).SendTo(srs.addr(), netip.AddrPort{}, pcmu)
					}
					for i := range uint16(20) { // over the end of the sequence numbers
						up, down := rtp(0, 65526+i, 160*uint32(i), 1), rtp(0, 65516+i, 160*uint32(i), 2)
						c.caller.send(c.toA, a.out(up))
						b.wants(c.callee, up)
						heard(t, srs, up)
						c.callee.send(c.toB, b.out(down))
						a.wants(c.caller, down)
						heard(t, srs, down)
					}
				})
			})
		}
	}
}

// Ten thousand packets over the end of the sequence numbers, a few of them late.
func TestEndedSRTPOverTheWrap(t *testing.T) {
	lo, hi := portRange(16)
	a, b := newSecured(t, srtp.AESCM128SHA80), newSecured(t, srtp.AEAD256GCM)
	c := endedCall(t, newEngine(t, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi}), a, b)
	const n = 10000
	for i := 0; i < n; i += 2 {
		pair := [2][]byte{rtp(0, uint16(60000+i), 0, 1), rtp(0, uint16(60001+i), 0, 1)}
		sealed := [2][]byte{a.seal(pair[0]), a.seal(pair[1])}
		if i%100 < 2 {
			slices.Reverse(pair[:])
			slices.Reverse(sealed[:])
		}
		for j := range pair {
			c.caller.send(c.toA, sealed[j])
			b.wants(c.callee, pair[j])
		}
	}
	if s := c.flow(forker.AB); s.Packets != n || s.Forged+s.Replayed+s.Unkeyed != 0 {
		t.Errorf("%+v", s)
	}
}

func TestEndedSRTPIsAuthenticAndPlayedOnce(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		a := newSecured(t, srtp.AESCM128SHA80)
		c := endedCall(t, newEngine(t, cfg), a, nil)
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		first := a.seal(rtp(0, 100, 0, 1))
		for i := range uint16(3) {
			clear := rtp(0, 100+i, 0, 1)
			sealed := first
			if i > 0 {
				sealed = a.seal(clear)
			}
			c.caller.send(c.toA, sealed)
			inClear(c, clear)
			heard(t, srs, clear)
		}
		forged := a.seal(rtp(0, 103, 0, 1))
		forged[20] ^= 1
		for _, bad := range [][]byte{first, forged, rtp(0, 104, 0, 1), []byte("STUN or whatever it is"), nil} {
			c.caller.send(c.toA, bad)
		}
		last := rtp(0, 105, 0, 1)
		c.caller.send(c.toA, a.seal(last))
		inClear(c, last) // nothing of what was bad came before it
		heard(t, srs, last)
		c.callee.silent()
		s := c.flow(forker.AB)
		if s.Replayed != 1 || s.Forged != 4 || s.Packets != 4 || s.Unkeyed != 0 {
			t.Errorf("%+v", s)
		}
		if s := tap.Stats(); s.In != 4 || s.Copied != 4 {
			t.Errorf("%+v", s)
		}
	})
}

// inClear is wants at the callee that talks in clear.
func inClear(c *call, clear []byte) {
	c.callee.t.Helper()
	(*secured)(nil).wants(c.callee, clear)
}

// What goes to a party that must have SRTP leaves sealed or not at all.
func TestNothingLeavesWithoutAKey(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		b := newSecured(t, srtp.AEAD256GCM)
		c := endedCall(t, newEngine(t, cfg), nil, b)
		own := b.leg(c.callee.addr())
		for i, missing := range []*srtp.Key{nil, {Suite: "X"}} {
			r := own
			r.Own = missing
			c.relay.SetRemote(forker.SideB, 0, r)
			c.caller.send(c.toA, rtp(0, 1, 0, 1))
			eventually(t, "the packet is dropped", func() bool { return c.flow(forker.AB).Unkeyed == uint64(i+1) })
		}
		c.relay.SetRemote(forker.SideB, 0, own)
		c.caller.send(c.toA, []byte("no RTP: nor can it be sealed"))
		clear := rtp(0, 2, 0, 1)
		c.caller.send(c.toA, clear)
		b.wants(c.callee, clear)
		again := rtp(0, 2, 9, 1) // one index, two packets: both would be given away
		c.caller.send(c.toA, again)
		clear = rtp(0, 3, 0, 1)
		c.caller.send(c.toA, clear)
		b.wants(c.callee, clear)
		c.callee.silent()
		if s := c.flow(forker.AB); s.Unkeyed != 3 || s.Replayed != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// New keys on both sides in mid-call: nothing is lost, what is under way included; the same keys go on.
func TestEndedSRTPIsRekeyed(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		a, b := newSecured(t, srtp.AESCM128SHA80), newSecured(t, srtp.AEAD256GCM)
		c := endedCall(t, newEngine(t, cfg), a, b)
		seq := uint16(65530)
		say := func(from, to *secured) {
			t.Helper()
			clear := rtp(0, seq, 0, 1)
			seq++
			c.caller.send(c.toA, from.seal(clear))
			to.wants(c.callee, clear)
		}
		for range 20 { // into the second round
			say(a, b)
		}
		c.relay.SetRemote(forker.SideA, 0, a.leg(c.caller.addr())) // a session refresh
		c.relay.SetRemote(forker.SideB, 0, b.leg(c.callee.addr()))
		say(a, b)
		a2 := newSecured(t, srtp.AEAD256GCM)
		c.relay.SetRemote(forker.SideA, 0, a2.leg(c.caller.addr()))
		say(a, b) // under way
		say(a2, b)
		say(a, b)
		say(a2, b)
		b2 := newSecured(t, srtp.AESCM128SHA80)
		c.relay.SetRemote(forker.SideB, 0, b2.leg(c.callee.addr()))
		say(a2, b2)
		c.relay.SetRemote(forker.SideB, 0, b.leg(c.callee.addr())) // as after a failed re-INVITE: it goes on in the second round
		say(a2, b)
		c.relay.SetRemote(forker.SideB, 0, (*secured)(nil).leg(c.callee.addr()))
		clear := rtp(0, seq, 0, 1)
		seq++
		c.caller.send(c.toA, a2.seal(clear))
		(*secured)(nil).wants(c.callee, clear)
		c.relay.SetRemote(forker.SideB, 0, b.leg(c.callee.addr()))
		say(a2, b)
		if s := c.flow(forker.AB); s.Forged+s.Replayed+s.Unkeyed != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Reports are opened and sealed like packets, on their own port and on a shared one.
func TestEndedSRTCP(t *testing.T) {
	for _, mux := range []bool{false, true} {
		drivers(t, func(t *testing.T, cfg forker.Config) {
			a, b := newSecured(t, srtp.AEAD256GCM), newSecured(t, srtp.AESCM128SHA80)
			c := endedCall(t, newEngine(t, cfg), a, b)
			left, right := a.leg(c.caller.addr()), b.leg(c.callee.addr())
			from, to := c.caller, c.callee
			in, _ := c.relay.Local(forker.SideA, 0)
			if left.Mux, right.Mux = mux, mux; !mux {
				from, to = newPeer(t, callerHost), newPeer(t, calleeHost)
				left.RTCP, right.RTCP = from.addr(), to.addr()
				_, in = c.relay.Local(forker.SideA, 0)
			}
			c.relay.SetRemote(forker.SideA, 0, left)
			c.relay.SetRemote(forker.SideB, 0, right)
			report := []byte{0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 202, 0, 3, 0, 0, 0, 7, 1, 4, 'n', 'a', 'm', 'e', 0, 0}
			for range 3 {
				sealed, err := a.ctx.EncryptRTCP(nil, report, nil)
				if err != nil {
					t.Fatal(err)
				}
				from.send(in, sealed)
				from.send(in, sealed) // again
				from.send(in, report) // in clear
				got, _ := to.recv()
				if bytes.Contains(got, []byte("name")) {
					t.Fatalf("in clear: % x", got)
				}
				if got, err = b.in.DecryptRTCP(nil, got, nil); err != nil || !bytes.Equal(got, report) {
					t.Fatalf("% x, %v", got, err)
				}
			}
			sealed, err := a.ctx.EncryptRTCP(nil, report, nil)
			if err != nil {
				t.Fatal(err)
			}
			from.send(in, sealed)
			to.recv()
			to.silent()
			if s := c.flow(forker.AB); s.RTCP != 4 || s.Forged+s.Replayed != 6 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Padding is sealed with the payload.
func TestEndedSRTPWithPadding(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		a := newSecured(t, srtp.AESCM128SHA80)
		c := endedCall(t, newEngine(t, cfg), a, nil)
		for i := range uint16(50) {
			clear := append(rtp(0, i, 160*uint32(i), 1), 0, 0, 0, 4)
			clear[0] |= 0x20
			binary.BigEndian.PutUint16(clear[2:], i)
			c.caller.send(c.toA, a.seal(clear))
			inClear(c, clear)
		}
	})
}

// BenchmarkSRTPEnds is BenchmarkRelay with a packet to be opened and sealed. The sender's sealing is in it.
func BenchmarkSRTPEnds(b *testing.B) {
	for suite := range profiles {
		b.Run(string(suite), func(b *testing.B) {
			lo, hi := portRange(16)
			left, right := newSecured(b, suite), newSecured(b, suite)
			c := endedCall(b, newEngine(b, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi}), left, right)
			p := append(rtp(0, 0, 0, 1), make([]byte, 144)...)
			buf, sealed := make([]byte, 2048), make([]byte, 0, 2048)
			hdr := &pionrtp.Header{}
			b.ReportAllocs()
			for i := range b.N {
				binary.BigEndian.PutUint16(p[2:], uint16(i))
				out, err := left.ctx.EncryptRTP(sealed, p, hdr)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.caller.conn.WriteToUDPAddrPort(out, c.toA); err != nil {
					b.Fatal(err)
				}
				if _, _, err := c.callee.conn.ReadFromUDPAddrPort(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
