package scenario_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// scripted is a packet of a script. Its epoch changes when the source does: another SSRC, or the same one anew.
type scripted struct {
	raw   []byte
	epoch int
	fresh bool // the first of its epoch
}

func seqOf(b []byte) uint16   { return binary.BigEndian.Uint16(b[2:]) }
func stampOf(b []byte) uint32 { return binary.BigEndian.Uint32(b[4:]) }

// eventPT is the payload type of telephone-events in scripts.
const eventPT = 101

// aScript is what one party sends, in order of sending: three sources, the third under the SSRC of the second. Sequence
// numbers and timestamps wrap; there are talkspurts, keys, header extensions, CSRC lists and padding; 2 % are lost, and
// some are swapped, doubled, late by up to 150 packets, or come after the source that follows. Of bob's second source only
// the SSRC tells that it is not the first.
func aScript(rng *rand.Rand, who string) (all []scripted) {
	ssrc := rng.Uint32()
	seq, stamp := uint16(65535-rng.IntN(300)), uint32(0)-uint32(rng.IntN(300*peer.Frame))
	for epoch, n := range []int{500, 400, 300} {
		source := aSource(rng, who, epoch, n, seq, stamp, ssrc)
		sent := impair(rng, source)
		if epoch == 1 {
			sent = slices.Insert(sent, 2, all[len(all)-4], all[len(all)-3]) // latecomers of the first source
			all = slices.Delete(all, len(all)-4, len(all)-2)                // while its newest have come in time
		}
		all = append(all, sent...)
		end := source[len(source)-1].raw
		switch {
		case epoch == 1: // anew under the same SSRC: the numbers fall back
			seq, stamp = seqOf(end)-uint16(5000+rng.IntN(5000)), rng.Uint32()
		case who == "bob":
			ssrc, seq, stamp = rng.Uint32(), seqOf(end)+1, stampOf(end)+peer.Frame
		default:
			ssrc, seq, stamp = rng.Uint32(), uint16(65535-rng.IntN(300)), rng.Uint32()
		}
	}
	return all
}

// aSource is n packets of one source, none missing.
func aSource(rng *rand.Rand, who string, epoch, n int, seq uint16, stamp, ssrc uint32) []scripted {
	var all []scripted
	for i := 0; i < n; i++ {
		marker := i == 0 || rng.IntN(60) == 0
		if marker && i > 0 {
			stamp += uint32(rng.IntN(25)) * peer.Frame // silence that was not sent
		}
		if rng.IntN(80) == 0 && i > 10 { // a key: five packets of one time
			for k := range 5 {
				event := []byte{byte(rng.IntN(16)), 10, byte(k), 0xa0}
				all = append(all, scripted{raw: aPacket(eventPT, k == 0, seq, stamp, ssrc, nil, event), epoch: epoch})
				seq++
			}
			stamp += 5 * peer.Frame
			continue
		}
		payload := make([]byte, []int{80, 160, 240, 320}[rng.IntN(4)])
		for k := range payload {
			payload[k] = byte(rng.Uint32())
		}
		copy(payload, fmt.Sprintf("id|call1|%s|%d|", who, 10000*(epoch+1)+i))
		all = append(all, scripted{raw: aPacket(0, marker, seq, stamp, ssrc, rng, payload), epoch: epoch})
		stamp += uint32(len(payload))
		seq++
	}
	all[0].fresh = true
	return all
}

// aPacket builds a packet; with a generator some get a CSRC list, a header extension or padding.
func aPacket(pt uint8, marker bool, seq uint16, stamp, ssrc uint32, rng *rand.Rand, payload []byte) []byte {
	b := make([]byte, 12)
	b[0], b[1] = 0x80, pt
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], stamp)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	if rng != nil && rng.IntN(10) == 0 {
		b[0] |= 2
		b = binary.BigEndian.AppendUint64(b, rng.Uint64())
	}
	if rng != nil && rng.IntN(10) == 0 {
		b[0] |= 0x10
		b = append(b, 0xbe, 0xde, 0, 1, 0x10, byte(rng.Uint32()), 0, 0) // RFC 8285, one element
	}
	b = append(b, payload...)
	if rng != nil && rng.IntN(10) == 0 {
		b[0] |= 0x20
		b = append(b, 0, 0, 0, 4)
	}
	return b
}

// impair is what a network makes of a source: loss, reordering, duplicates and latecomers. The first packets come as they
// were sent, so that it is known where the source begins.
func impair(rng *rand.Rand, source []scripted) []scripted {
	type place struct {
		at float64
		scripted
	}
	var all []place
	for i, p := range source {
		at := float64(i)
		switch chance := rng.IntN(100); {
		case i < 6 || i >= len(source)-2:
		case chance < 2:
			continue
		case chance < 5:
			at += 1.5 + float64(rng.IntN(4))
		case chance < 7:
			all = append(all, place{at + 0.5 + float64(rng.IntN(4)), p})
		case chance < 8:
			at = min(at+20+float64(rng.IntN(130))+0.5, float64(len(source)-3)+0.5)
		}
		all = append(all, place{at, p})
	}
	slices.SortStableFunc(all, func(a, b place) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	var sent []scripted
	for _, p := range all {
		sent = append(sent, p.scripted)
	}
	return sent
}

// What the parties send, whatever a network has made of it, is compared packet by packet with what callee and SRS receive:
// the other party has each bit of it in the same order; the SRS has the same packets but for their numbers, and these are
// the source's plus a constant for as long as the source lasts, so that loss, order, doubles and wraps show as they were.
func TestScriptIsRelayedExactly(t *testing.T) {
	bothEngines(t, func(t *testing.T, portable bool) { testScript(t, setup{portable: portable}) })
	t.Run("numbers of the source", func(t *testing.T) { testScript(t, setup{recorder: "    ssrc: source"}) })
}

func testScript(t *testing.T, s setup) {
	peer.OneCPU(t)
	s.srsNets = []string{"udp"}
	st := newStage(t, s)
	events := fmt.Sprintf("RTP/AVP 0 %d", eventPT)
	rtpmap := fmt.Sprintf("rtpmap:%d telephone-event/8000", eventPT)
	const extmap = "extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level" // between the parties: not in the copies, nor in their offer
	c := st.newCall(dialing{})
	describe := func(m *peer.Media) []byte {
		sdp := peer.BuildSDP(1, peer.Line{Media: m, Extra: []string{rtpmap, extmap}})
		return bytes.Replace(sdp, []byte("RTP/AVP 0"), []byte(events), 1)
	}
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: describe(c.a)})
	c.in = st.callee.Expect("INVITE")
	if !bytes.Contains(c.in.Body, []byte("a="+extmap+"\r\n")) {
		t.Fatalf("the callee is offered\n%s", c.in.Body)
	}
	c.in.Reply(200, peer.WithSDP(describe(c.b)))
	c.accepted(dialing{})
	in := st.srs().Expect("INVITE")
	rs := st.srs().Take(in)
	answer := rs.Answer()
	for _, line := range rs.Offer().Media {
		if !slices.Contains(line.Attrs, rtpmap) || slices.ContainsFunc(line.Attrs, func(a string) bool { return strings.HasPrefix(a, "extmap") }) {
			t.Fatalf("label %s is offered %v", line.Label, line.Attrs)
		}
	}
	in.Reply(200, peer.WithSDP(bytes.ReplaceAll(answer, []byte("RTP/AVP 0"), []byte(events))))
	in.ExpectOther("ACK")
	c.recorded(rs, 5)
	c.quiet()
	c.all(c.a, "1", rs)
	c.all(c.b, "2", rs)

	const seed = 20 // any will do
	ways := []*way{
		{from: c.a, to: c.aTo.rtp, far: c.b, copies: rs.Streams["1"], script: aScript(rand.New(rand.NewPCG(seed, 1)), "alice")},
		{from: c.b, to: c.bTo.rtp, far: c.a, copies: rs.Streams["2"], script: aScript(rand.New(rand.NewPCG(seed, 2)), "bob")},
	}
	for _, w := range ways {
		w.farBefore, w.copiesBefore = len(w.far.Packets()), len(w.copies.Packets())
	}
	const window = 50 // no socket overflows
	for at := 0; at < max(len(ways[0].script), len(ways[1].script)); at += window {
		for _, w := range ways {
			w.send(at, at+window)
		}
	}
	c.hangUp()
	rs.End()
	for _, w := range ways {
		w.judgeFar(t)
		w.judgeCopies(t, strings.Contains(s.recorder, "source"))
	}
}

// way is one direction of the scripted call.
type way struct {
	from                    *peer.Media
	to                      netip.AddrPort
	far, copies             *peer.Media
	script                  []scripted
	farBefore, copiesBefore int // packets there before the script
}

// send sends a part of the script and waits until it has arrived.
func (w *way) send(from, to int) {
	to = min(to, len(w.script))
	for _, p := range w.script[min(from, to):to] {
		w.from.SendRaw(w.to, p.raw)
	}
	w.far.Await("the script", func(all []peer.Packet) bool { return len(all) >= w.farBefore+to })
	w.copies.Await("the script's copies", func(all []peer.Packet) bool { return len(all) >= w.copiesBefore+to })
}

// arrived finds each packet of the script among those that came, in order. Loopback itself lets a few overtake others, when
// their sender has moved to another CPU in between.
func (w *way) arrived(t *testing.T, got []peer.Packet, same func(sent, came []byte) bool) []peer.Packet {
	t.Helper()
	if len(got) != len(w.script) {
		t.Errorf("%s sent %d packets, %d came", w.from.Party, len(w.script), len(got))
		return nil
	}
	const reach, overtakes = 16, 10
	overtaken := 0
	for i, p := range w.script {
		at := slices.IndexFunc(got[i:min(i+reach, len(got))], func(g peer.Packet) bool { return same(p.raw, g.Raw) })
		if at < 0 {
			t.Errorf("packet %d of %s:\n% x\nbecame\n% x", i, w.from.Party, p.raw, got[i].Raw)
			return nil
		}
		if at > 0 {
			overtaken++
			g := got[i+at]
			got = slices.Insert(slices.Delete(got, i+at, i+at+1), i, g)
		}
	}
	if overtaken > overtakes {
		t.Errorf("%d packets of %s were overtaken", overtaken, w.from.Party)
	}
	return got
}

func (w *way) judgeFar(t *testing.T) {
	t.Helper()
	w.arrived(t, w.far.Packets()[w.farBefore:], bytes.Equal)
}

// sameButNumbers compares all but sequence number, timestamp and SSRC: version, padding, CSRC, marker, type and payload. The
// header extension of what was sent, 8 octets in scripts, is not in its copy.
func sameButNumbers(sent, copied []byte) bool {
	first, rest := sent[0], sent[12:]
	if first&0x10 != 0 {
		list := 4 * int(first&0x0f)
		first, rest = first&^0x10, slices.Concat(rest[:list], rest[list+8:])
	}
	return first == copied[0] && sent[1] == copied[1] && bytes.Equal(rest, copied[12:])
}

func (w *way) judgeCopies(t *testing.T, kept bool) {
	t.Helper()
	all := w.copies.Packets()
	before, got := all[:w.copiesBefore], w.arrived(t, all[w.copiesBefore:], sameButNumbers)
	if got == nil {
		return
	}
	newest, epoch := before[len(before)-1], -1 // in the space of the copy
	type offset struct {
		seq   uint16
		stamp uint32
	}
	offsets := map[int]offset{}
	for i, p := range w.script {
		c := got[i]
		shift := offset{c.Seq - seqOf(p.raw), c.Stamp - stampOf(p.raw)}
		if p.fresh {
			offsets[p.epoch] = shift
			onBy := int32(c.Stamp - newest.Stamp)
			if kept && p.epoch < 2 {
				if shift != (offset{}) {
					t.Errorf("%s: the numbers of source %d are off by %+v", w.from.Party, p.epoch, shift)
				}
			} else if c.Seq != newest.Seq+1 || onBy < 1 || onBy > 8000*60 {
				t.Errorf("%s: source %d begins at %d, %d ticks on, after %d", w.from.Party, p.epoch, c.Seq, onBy, newest.Seq)
			}
		}
		if shift != offsets[p.epoch] {
			t.Errorf("%s: packet %d (source %d, number %d) is off by %+v, those before by %+v", w.from.Party, i, p.epoch, seqOf(p.raw), shift, offsets[p.epoch])
			return
		}
		if wantSSRC := binary.BigEndian.Uint32(p.raw[8:]); kept != (c.SSRC == wantSSRC) || !kept && c.SSRC != before[0].SSRC {
			t.Errorf("%s: packet %d has the SSRC %x, the source's is %x", w.from.Party, i, c.SSRC, wantSSRC)
			return
		}
		if p.fresh || p.epoch == epoch && int16(c.Seq-newest.Seq) > 0 {
			newest, epoch = c, p.epoch
		}
	}
}
