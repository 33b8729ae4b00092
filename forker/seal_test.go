package forker_test

import (
	"bytes"
	"testing"

	"github.com/pion/rtcp"

	"sidetrack/forker"
	"sidetrack/internal/srtp"
)

// Copies leave under their own key, RTCP too; the recorder's reports are read; a new key begins anew.
func TestCopiesAreSealed(t *testing.T) {
	for suite := range profiles {
		drivers(t, func(t *testing.T, cfg forker.Config) {

			e := newEngine(t, cfg)
			c := newCall(t, e)
			srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
			control := newPeer(t, srsHost)
			seq := uint16(0)
			var last *phone
			for range 2 {
				own, theirs := newPhone(t, suite), newPhone(t, srtp.AESCM128SHA80)
				if err := tap.Seal(own.key, theirs.key); err != nil {
					t.Fatal(err)
				}
				tap.SendTo(srs.addr(), control.addr(), pcmu)
				for range 20 {
					clear := rtp(0, seq, 160*uint32(seq), 1)
					seq++
					c.passes(clear)
					sealed, _ := srs.recv()
					got, err := own.ctx.DecryptRTP(nil, sealed, nil)
					if err != nil || !bytes.Equal(got[12:], clear[12:]) || bytes.Contains(sealed, []byte("payload")) {
						t.Fatalf("got % x, %v", got, err)
					}
					if err := tap.Seal(own.key, theirs.key); err != nil { // told again: nothing changes
						t.Fatal(err)
					}
				}
				before := tap.Stats().RRs
				_, rtcpPort := tap.Local()
				report, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{
					SSRC: 9, Reports: []rtcp.ReceptionReport{{SSRC: tap.Stats().SSRC, TotalLost: 3}},
				}})
				if err != nil {
					t.Fatal(err)
				}
				control.send(rtcpPort, report) // in clear: not believed
				sealed, err := theirs.ctx.EncryptRTCP(nil, report, nil)
				if err != nil {
					t.Fatal(err)
				}
				control.send(rtcpPort, sealed)
				eventually(t, "the report is read", func() bool { return tap.Stats().RRs == before+1 })
				last = own
			}
			if err := tap.Seal(&srtp.Key{Suite: "X"}, nil); err == nil {
				t.Error("a key that cannot be used was taken")
			}
			tap.Close()
			for goodbye := false; !goodbye; { // reports of the key before may be under way
				sealed, _ := control.recv()
				b, err := last.ctx.DecryptRTCP(nil, sealed, nil)
				if err != nil {
					continue
				}
				packets, err := rtcp.Unmarshal(b)
				if err != nil {
					t.Fatal(err)
				}
				_, goodbye = packets[len(packets)-1].(*rtcp.Goodbye)
			}
		})
	}
}

func BenchmarkSealedCopy(b *testing.B) {
	for suite := range profiles {
		b.Run(string(suite), func(b *testing.B) {
			lo, hi := portRange(16)
			c := newCall(b, newEngine(b, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi}))
			srs, tap := newPeer(b, srsHost), fork(b, c.relay, forker.AB)
			if err := tap.Seal(newPhone(b, suite).key, newPhone(b, suite).key); err != nil {
				b.Fatal(err)
			}
			tap.SendTo(srs.addr(), srs.addr(), pcmu)
			p := append(rtp(0, 0, 0, 1), make([]byte, 144)...)
			buf := make([]byte, 2048)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p[2], p[3] = byte(i>>8), byte(i)
				if _, err := c.caller.conn.WriteToUDPAddrPort(p, c.toA); err != nil {
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
