package srtp_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"

	"sidetrack/internal/srtp"
)

func TestOncePacketsOpenOneTime(t *testing.T) {
	for suite := range profiles {
		k := key(t, suite)
		s, o := newSender(t, k), opener(t, k)
		o.Once = true
		sealed := map[uint16][]byte{}
		for i := range uint16(3000) { // over the end of the sequence numbers
			seq := 64000 + i
			p := packet(seq, 7)
			sealed[seq] = s.seal(p)
			if i%100 != 50 {
				opens(t, o, sealed[seq], p)
			}
			if i >= 100 && i%100 == 60 { // late, then again
				opens(t, o, sealed[seq-10], packet(seq-10, 7))
			}
			for _, back := range []uint16{0, 1, 10, 63, 64, 1000, 1023, 1024, 1025, 2000} {
				if back > i || i%97 != 0 {
					continue
				}
				if late := (i - back) % 100; late == 50 && back < 10 {
					continue
				}
				if _, err := o.RTP(sealed[seq-back]); !errors.Is(err, srtp.ErrReplay) {
					t.Fatalf("%s: packet %d again %d later: %v", suite, i-back, back, err)
				}
			}
		}
	}
}

// A replay stays one under the key before as well, and when its source was displaced by others.
func TestReplaysAcrossKeysAndSources(t *testing.T) {
	before, after := key(t, srtp.AESCM128SHA80), key(t, srtp.AEAD128GCM)
	s, next, o := newSender(t, before), newSender(t, after), opener(t, before)
	o.Once = true
	var old [][]byte
	for seq := range uint16(10) {
		old = append(old, s.seal(packet(seq, 7)))
		opens(t, o, old[seq], packet(seq, 7))
	}
	straggler := s.seal(packet(10, 7))
	if err := o.SetKey(after); err != nil {
		t.Fatal(err)
	}
	opens(t, o, next.seal(packet(11, 7)), packet(11, 7))
	opens(t, o, straggler, packet(10, 7))
	for ssrc := range uint32(20) {
		opens(t, o, next.seal(packet(1, 100+ssrc)), packet(1, 100+ssrc))
	}
	for _, b := range append(old, straggler) {
		if _, err := o.RTP(b); !errors.Is(err, srtp.ErrReplay) {
			t.Fatalf("under the former key: %v", err)
		}
	}
	// In the end the former key opens nothing.
	late := s.seal(packet(12, 7))
	for seq := range uint16(1100) {
		opens(t, o, next.seal(packet(100+seq, 7)), packet(100+seq, 7))
	}
	if _, err := o.RTP(late); !errors.Is(err, srtp.ErrAuth) {
		t.Errorf("long after: %v", err)
	}
}

func TestTheMKITellsKeysApart(t *testing.T) {
	one, two, three := key(t, srtp.AESCM128SHA80), key(t, srtp.AESCM128SHA80), key(t, srtp.AESCM128SHA80)
	one.MKI, two.MKI, three.MKI = []byte{0, 1}, []byte{0, 2}, []byte{0, 3}
	o := &srtp.Opener{Once: true}
	if err := o.SetKey(one, two); err != nil {
		t.Fatal(err)
	}
	a, b, c := newSender(t, one), newSender(t, two), newSender(t, three)
	for seq := uint16(65530); seq != 20; seq++ {
		from := a
		if seq < 10 {
			from = b.at(7, 1)
		}
		opens(t, o, from.seal(packet(seq, 7)), packet(seq, 7))
	}
	if _, err := o.RTP(c.seal(packet(30, 7))); !errors.Is(err, srtp.ErrAuth) {
		t.Errorf("a key that nobody named: %v", err)
	}
}

func TestAnIndexIsSealedOnce(t *testing.T) {
	k := key(t, srtp.AEAD256GCM)
	s, err := srtp.NewSealer(k)
	if err != nil {
		t.Fatal(err)
	}
	theirs := newSender(t, k)
	for _, step := range []struct {
		seq  uint16
		ssrc uint32
		ok   bool
	}{
		{65534, 7, true}, {0, 7, true}, {65535, 7, true}, {65535, 7, false}, {0, 7, false}, {9, 8, true}, {1, 7, true},
		{9, 8, false}, {2000, 7, true}, {1, 7, false}, {1999, 7, true}, {1, 9, true}, {65535, 9, false}, {65535, 7, false},
	} {
		p := packet(step.seq, step.ssrc)
		sealed, err := s.RTP(p)
		if step.ok != (err == nil) {
			t.Fatalf("%+v: %v", step, err)
		}
		if err != nil {
			if !errors.Is(err, srtp.ErrUsed) {
				t.Fatalf("%+v: %v", step, err)
			}
			continue
		}
		got, err := theirs.ctx.DecryptRTP(nil, sealed, nil)
		if err != nil || !bytes.Equal(got, p) {
			t.Fatalf("%+v: another party: %v", step, err)
		}
	}
}

func TestSourcesOfAKeyAreBounded(t *testing.T) {
	k := key(t, srtp.AEAD128GCM)
	ours, err := srtp.NewSealer(k)
	if err != nil {
		t.Fatal(err)
	}
	s, o := newSender(t, k), opener(t, k)
	for ssrc := range uint32(1024) {
		opens(t, o, s.seal(packet(1, ssrc)), packet(1, ssrc))
		if _, err := ours.RTP(packet(1, ssrc)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.RTP(s.seal(packet(1, 5000))); err == nil {
		t.Error("opened one more")
	}
	if _, err := ours.RTP(packet(1, 5000)); !errors.Is(err, srtp.ErrExhausted) {
		t.Errorf("sealed one more: %v", err)
	}
	opens(t, o, s.seal(packet(2, 3)), packet(2, 3))
}

func TestSRTCPIsNotReplayed(t *testing.T) {
	k := key(t, srtp.AESCM128SHA80)
	ours, err := srtp.NewSealer(k)
	if err != nil {
		t.Fatal(err)
	}
	o := opener(t, k)
	report := []byte{0x80, 201, 0, 1, 0, 0, 0, 7}
	first, err := ours.RTCP(report)
	if err != nil {
		t.Fatal(err)
	}
	first = bytes.Clone(first)
	for range 3 {
		sealed, err := ours.RTCP(report)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := o.RTCP(sealed); err != nil || !bytes.Equal(got, report) {
			t.Fatalf("% x %v", got, err)
		}
	}
	if _, err := o.RTCP(first); err != nil {
		t.Errorf("late, for the first time: %v", err)
	}
	if _, err := o.RTCP(first); err == nil {
		t.Error("opened again")
	}
}

// The reference packet of libsrtp (srtp_validate in its test driver), made by
// another implementation than ours.
func TestAgainstLibsrtpsVector(t *testing.T) {
	master := hexa(t, "e1f97a0d3e018be0d64fa32c06de4139")
	salt := hexa(t, "0ec675ad498afeebb6960b3aabe6")
	clear := hexa(t, "800f1234decafbadcafebabeabababababababababababababababab")
	sealed := hexa(t, "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb")
	k := &srtp.Key{Suite: srtp.AESCM128SHA80, Master: master, Salt: salt}
	s, err := srtp.NewSealer(k)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.RTP(clear)
	if err != nil || !bytes.Equal(got, sealed) {
		t.Errorf("sealed % x, %v", got, err)
	}
	opens(t, opener(t, k), sealed, clear)
}

func hexa(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A party that gives each of its reports another SSRC is heard so far; what is kept of it stays bounded, and those heard
// before are heard on.
func TestReportsOfAnySSRC(t *testing.T) {
	k := key(t, srtp.AEAD128GCM)
	party, o := newSender(t, k), &srtp.Opener{Once: true}
	if err := o.SetKey(k); err != nil {
		t.Fatal(err)
	}
	opens := func(ssrc uint32) bool {
		b, err := party.ctx.EncryptRTCP(nil, binary.BigEndian.AppendUint32([]byte{0x80, 201, 0, 1}, ssrc), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.RTCP(b)
		return err == nil
	}
	for ssrc := range uint32(3000) {
		if opens(ssrc) != (ssrc < 1024) {
			t.Fatalf("report of SSRC %d: opened %v", ssrc, ssrc >= 1024)
		}
	}
	if !opens(1) || !opens(1023) {
		t.Error("who was heard is not any more")
	}
	if _, err := o.RTCP([]byte{0x80, 201, 0}); !errors.Is(err, srtp.ErrAuth) {
		t.Errorf("less than a header: %v", err)
	}
}
