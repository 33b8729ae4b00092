package srtp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	pion "github.com/pion/srtp/v3"

	"sidetrack/internal/srtp"
)

var profiles = map[srtp.Suite]pion.ProtectionProfile{
	srtp.AESCM128SHA80: pion.ProtectionProfileAes128CmHmacSha1_80,
	srtp.AESCM128SHA32: pion.ProtectionProfileAes128CmHmacSha1_32,
	srtp.AESCM256SHA80: pion.ProtectionProfileAes256CmHmacSha1_80,
	srtp.AESCM256SHA32: pion.ProtectionProfileAes256CmHmacSha1_32,
	srtp.AEAD128GCM:    pion.ProtectionProfileAeadAes128Gcm,
	srtp.AEAD256GCM:    pion.ProtectionProfileAeadAes256Gcm,
}

func key(t testing.TB, s srtp.Suite) *srtp.Key {
	t.Helper()
	k, err := srtp.NewKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sender is a party with a transform of its own, which follows its own counter.
type sender struct {
	t   testing.TB
	ctx *pion.Context
}

func newSender(t testing.TB, k *srtp.Key, options ...pion.ContextOption) *sender {
	t.Helper()
	if len(k.MKI) > 0 {
		options = append(options, pion.MasterKeyIndicator(k.MKI))
	}
	ctx, err := pion.CreateContext(k.Master, k.Salt, profiles[k.Suite], options...)
	if err != nil {
		t.Fatal(err)
	}
	return &sender{t, ctx}
}

func (s *sender) seal(b []byte) []byte {
	s.t.Helper()
	out, err := s.ctx.EncryptRTP(nil, b, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *sender) at(ssrc uint32, roc uint32) *sender {
	s.ctx.SetROC(ssrc, roc)
	return s
}

func packet(seq uint16, ssrc uint32) []byte {
	b := make([]byte, 12+160)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	copy(b[12:], fmt.Sprintf("packet %d of %d", seq, ssrc))
	return b
}

func opener(t testing.TB, k *srtp.Key) *srtp.Opener {
	t.Helper()
	o := &srtp.Opener{}
	if err := o.SetKey(k); err != nil {
		t.Fatal(err)
	}
	return o
}

func opens(t *testing.T, o *srtp.Opener, sealed, want []byte) {
	t.Helper()
	before := bytes.Clone(sealed)
	got, err := o.RTP(sealed)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("seq %d: got % x, %v", binary.BigEndian.Uint16(want[2:]), got[:min(len(got), 40)], err)
	}
	if !bytes.Equal(sealed, before) {
		t.Fatal("the sealed packet was changed")
	}
}

func TestEachSuiteOpensWhatOthersSeal(t *testing.T) {
	for suite := range profiles {
		for _, mki := range [][]byte{nil, {0, 1}} {
			t.Run(fmt.Sprintf("%s MKI %x", string(suite), mki), func(t *testing.T) {
				k := key(t, suite)
				k.MKI = mki
				s, o := newSender(t, k), opener(t, k)
				ours, err := srtp.NewSealer(k)
				if err != nil {
					t.Fatal(err)
				}
				theirs := newSender(t, k)
				for i := range 10000 { // over the end of the sequence numbers
					p := packet(uint16(60000+i), 7)
					opens(t, o, s.seal(p), p)
					sealed, err := ours.RTP(p)
					if err != nil {
						t.Fatal(err)
					}
					got, err := theirs.ctx.DecryptRTP(nil, sealed, nil)
					if err != nil || !bytes.Equal(got, p) {
						t.Fatalf("another party cannot open %d: %v", i, err)
					}
				}
			})
		}
	}
}

func TestWrap(t *testing.T) {
	k := key(t, srtp.AESCM128SHA80)
	s, o := newSender(t, k), opener(t, k)
	for round := range 3 {
		for _, seq := range []uint16{65534, 65535, 0, 1} {
			p := packet(seq, 7)
			opens(t, o, s.seal(p), p)
		}
		for seq := uint16(10000); round < 2 && seq <= 60000; seq += 10000 {
			p := packet(seq, 7)
			opens(t, o, s.seal(p), p)
		}
	}
}

func TestReorderedOverTheWrap(t *testing.T) {
	k := key(t, srtp.AEAD128GCM)
	s, o := newSender(t, k), opener(t, k)
	sealed := map[uint16][]byte{}
	for _, seq := range []uint16{65534, 65535, 0, 1} {
		sealed[seq] = s.seal(packet(seq, 7))
	}
	for _, seq := range []uint16{65534, 0, 65535, 65535, 1, 0} {
		opens(t, o, sealed[seq], packet(seq, 7))
	}
}

func TestOldPacketsAreReplays(t *testing.T) {
	k := key(t, srtp.AESCM128SHA80)
	s, o := newSender(t, k), opener(t, k)
	old := s.seal(packet(1, 7))
	opens(t, o, old, packet(1, 7))
	for seq := uint16(2); seq < 1500; seq++ {
		opens(t, o, s.seal(packet(seq, 7)), packet(seq, 7))
	}
	for range 20 {
		if _, err := o.RTP(old); !errors.Is(err, srtp.ErrReplay) {
			t.Fatalf("played again: %v", err)
		}
	}
	opens(t, o, s.seal(packet(1500, 7)), packet(1500, 7))
}

func TestWhatWasTamperedWithStaysClosed(t *testing.T) {
	for suite := range profiles {
		k := key(t, suite)
		s, o := newSender(t, k), opener(t, k)
		opens(t, o, s.seal(packet(1, 7)), packet(1, 7))
		for _, at := range []int{1, 3, 7, 11, 12, 100, -1} {
			b := s.seal(packet(2, 7))
			if at < 0 {
				at = len(b) - 1
			}
			b[at] ^= 1
			if out, err := o.RTP(b); err == nil {
				t.Errorf("%s: octet %d changed, opened as % x", suite, at, out[:20])
			}
		}
		for n := range 40 {
			if _, err := o.RTP(s.seal(packet(2, 7))[:n]); err == nil {
				t.Errorf("%s: %d octets opened", suite, n)
			}
		}
		opens(t, o, s.seal(packet(3, 7)), packet(3, 7))
	}
}

func TestRekey(t *testing.T) {
	for _, keeps := range []bool{true, false} {
		t.Run(fmt.Sprintf("counter kept %v", keeps), func(t *testing.T) {
			before, after := key(t, srtp.AESCM128SHA80), key(t, srtp.AEAD256GCM)
			s, o := newSender(t, before).at(7, 2), opener(t, before)
			for range 2 {
				o.Follow(packet(65000, 7))
				o.Follow(packet(20000, 7))
				o.Follow(packet(40000, 7))
			}
			o.Follow(packet(65000, 7))
			o.Follow(packet(99, 7))
			s.at(7, 3)
			opens(t, o, s.seal(packet(100, 7)), packet(100, 7))
			late := s.seal(packet(101, 7))
			next := newSender(t, after)
			if keeps {
				next.at(7, 3)
			}
			if _, err := o.RTP(next.seal(packet(102, 7))); err == nil {
				t.Fatal("opened without the key")
			}
			if err := o.SetKey(after); err != nil {
				t.Fatal(err)
			}
			opens(t, o, next.seal(packet(102, 7)), packet(102, 7))
			opens(t, o, late, packet(101, 7))
			opens(t, o, next.seal(packet(103, 7)), packet(103, 7))
			if err := o.SetKey(after); err != nil {
				t.Fatal(err)
			}
			opens(t, o, next.seal(packet(104, 7)), packet(104, 7))
		})
	}
}

func TestFollowKeepsTheCounterWhileNobodyListens(t *testing.T) {
	k := key(t, srtp.AESCM128SHA32)
	s, o := newSender(t, k), opener(t, k)
	for i := range 3*65536 + 50 {
		if i%1000 == 0 || i > 3*65536 {
			sealed := s.seal(packet(uint16(i), 7))
			o.Follow(sealed)
		}
	}
	p := packet(50, 7)
	opens(t, o, s.seal(p), p)
}

func TestACounterThatIsWrongIsFoundAgain(t *testing.T) {
	k := key(t, srtp.AESCM128SHA80)
	s, o := newSender(t, k), opener(t, k)
	opens(t, o, s.seal(packet(100, 7)), packet(100, 7))
	s.at(7, 1) // most of a round was lost
	ok := false
	for seq := uint16(100); seq < 120; seq++ {
		_, err := o.RTP(s.seal(packet(seq, 7)))
		ok = ok || err == nil
		if ok && err != nil {
			t.Fatalf("lost again at %d", seq)
		}
	}
	if !ok {
		t.Error("never found")
	}
}

func TestManySources(t *testing.T) {
	k := key(t, srtp.AEAD128GCM)
	s, o := newSender(t, k), opener(t, k)
	for ssrc := range uint32(500) {
		p := packet(uint16(ssrc), ssrc)
		opens(t, o, s.seal(p), p)
		p = packet(uint16(ssrc+1), ssrc)
		opens(t, o, s.seal(p), p)
	}
	forged := packet(65000, 1)
	for ssrc := range uint32(2000) {
		binary.BigEndian.PutUint32(forged[8:], ssrc+1000)
		for _, seq := range []uint16{65000, 20000, 40000, 65000, 10} {
			binary.BigEndian.PutUint16(forged[2:], seq)
			if _, err := o.RTP(forged); err == nil {
				t.Fatal("opened a forged packet")
			}
		}
	}
	p := packet(9, 499)
	opens(t, o, s.seal(p), p)
}

func TestRTCP(t *testing.T) {
	report := []byte{0x80, 201, 0, 1, 0, 0, 0, 7}
	report = append(report, 0x81, 202, 0, 3, 0, 0, 0, 7, 1, 4, 'n', 'a', 'm', 'e', 0, 0)
	for suite := range profiles {
		k := key(t, suite)
		ours, err := srtp.NewSealer(k)
		if err != nil {
			t.Fatal(err)
		}
		theirs, o := newSender(t, k, pion.SRTCPReplayProtection(64)), opener(t, k)
		for range 3 {
			sealed, err := ours.RTCP(report)
			if err != nil || bytes.Contains(sealed, []byte("name")) {
				t.Fatalf("%s: % x %v", suite, sealed, err)
			}
			if got, err := o.RTCP(sealed); err != nil || !bytes.Equal(got, report) {
				t.Fatalf("%s: ours: % x %v", suite, got, err)
			}
			got, err := theirs.ctx.DecryptRTCP(nil, sealed, nil)
			if err != nil || !bytes.Equal(got, report) {
				t.Fatalf("%s: another party: % x %v", suite, got, err)
			}
			sealed[len(sealed)-1] ^= 1
			if _, err := o.RTCP(sealed); err == nil {
				t.Fatalf("%s: opened what was tampered with", suite)
			}
		}
		for n := range 30 {
			if _, err := o.RTCP(report[:min(n, len(report))]); err == nil {
				t.Errorf("%s: %d octets opened", suite, n)
			}
		}
	}
}

func TestNoKey(t *testing.T) {
	o := opener(t, nil)
	if _, err := o.RTP(packet(1, 1)); !errors.Is(err, srtp.ErrNoKey) || o.Keyed() {
		t.Errorf("got %v", err)
	}
	if err := o.SetKey(&srtp.Key{Suite: "X"}); err == nil {
		t.Error("an unknown suite was taken")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(packet(1, 7), true)
	f.Add([]byte{0x90, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0xbe, 0xde, 0, 200}, false)
	f.Fuzz(func(t *testing.T, b []byte, gcm bool) {
		suite := srtp.AESCM128SHA32
		if gcm {
			suite = srtp.AEAD128GCM
		}
		o := opener(t, key(t, suite))
		if _, err := o.RTP(b); err == nil {
			t.Fatal("opened")
		}
		if _, err := o.RTCP(b); err == nil {
			t.Fatal("opened")
		}
		o.Follow(b)
	})
}

func BenchmarkOpen(b *testing.B) {
	each(b, func(b *testing.B, k *srtp.Key) {
		s, o := newSender(b, k), opener(b, k)
		sealed := s.seal(packet(1, 7))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := o.RTP(sealed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	each(b, func(b *testing.B, k *srtp.Key) {
		s, err := srtp.NewSealer(k)
		if err != nil {
			b.Fatal(err)
		}
		p := packet(1, 7)
		b.ReportAllocs()
		for b.Loop() {
			binary.BigEndian.PutUint16(p[2:], binary.BigEndian.Uint16(p[2:])+1)
			if _, err := s.RTP(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func each(b *testing.B, f func(*testing.B, *srtp.Key)) {
	for _, suite := range []srtp.Suite{srtp.AESCM128SHA80, srtp.AESCM256SHA80, srtp.AEAD128GCM, srtp.AEAD256GCM} {
		b.Run(string(suite), func(b *testing.B) { f(b, key(b, suite)) })
	}
}
