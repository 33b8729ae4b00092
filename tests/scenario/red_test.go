package scenario_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// The payload types of a call that agrees on RED alone: what is in it, the fmtp of RED tells.
const (
	redAudio = 121
	redText  = 99
	inText   = 98
)

// block is one of the blocks of a packet of RED (RFC 2198).
type block struct {
	pt      byte
	payload string
}

// red writes a packet of RED, the oldest block first; each is 20 ms older than the next.
func red(pt byte, number int, blocks ...block) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0x80, pt}, uint16(number))
	b = binary.BigEndian.AppendUint32(b, uint32(number*peer.Frame))
	b = binary.BigEndian.AppendUint32(b, uint32(pt)<<8)
	newest := len(blocks) - 1
	for i, o := range blocks[:newest] {
		b = append(b, 0x80|o.pt)
		b = append(b, binary.BigEndian.AppendUint32(nil, uint32((newest-i)*peer.Frame)<<10|uint32(len(o.payload)))[1:]...)
	}
	b = append(b, blocks[newest].pt)
	for _, o := range blocks {
		b = append(b, o.payload...)
	}
	return b
}

// Voice with keys, and text, each in RED that the parties have agreed on without what is in it: it passes between them as it is,
// and an SRS is offered, and gets, the newest block of each packet.
func TestRedundantAudioAndText(t *testing.T) {
	for _, dtmf := range []string{"pass", "drop"} {
		t.Run(dtmf, func(t *testing.T) { testRED(t, dtmf == "drop") })
	}
}

func testRED(t *testing.T, drops bool) {
	s := setup{srsNets: []string{"udp"}, rule: "media: [audio, text]"}
	if drops {
		s.recorder = "    dtmf: drop"
	}
	st := newStage(t, s)
	c := st.newCall(dialing{})
	typed := peer.NewMedia(t, callerIP, c.a.Call, "alice")
	read := peer.NewMedia(t, calleeIP, c.a.Call, "bob")
	lines := func(audio, text *peer.Media) peer.Opt {
		sdp := peer.BuildSDP(1,
			peer.Line{Media: audio, Payload: redAudio, Map: "red/8000", Extra: []string{"fmtp:121 0/0", "rtpmap:101 telephone-event/8000"}},
			peer.Line{Media: text, Kind: "text", Payload: redText, Map: "red/1000", Extra: []string{"fmtp:99 98/98/98"}})
		return peer.WithSDP(bytes.Replace(sdp, []byte("RTP/AVP 121\r\n"), []byte("RTP/AVP 121 101\r\n"), 1))
	}
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", Opts: []peer.Opt{lines(c.a, typed)}})
	c.in = st.callee.Expect("INVITE")
	c.in.Reply(200, lines(c.b, read))
	c.accepted(dialing{quiet: true})
	textTo := peer.ParseSDP(c.ok.SDP()).Media[1].Addr()

	in := st.srs().Expect("INVITE")
	rs := st.srs().Take(in)
	var offered []string
	for _, m := range rs.Offer().Media {
		offered = append(offered, m.Kind+" "+strings.Join(m.Formats, " ")+" "+m.Attr("rtpmap"))
	}
	if want := []string{"audio 0 101 0 PCMU/8000", "audio 0 101 0 PCMU/8000", "text 98 98 t140/1000", "text 98 98 t140/1000"}; !slices.Equal(offered, want) {
		t.Fatalf("offered %q, not %q", offered, want)
	}
	in.Reply(200, peer.WithSDP(bytes.ReplaceAll(rs.Answer(), []byte("RTP/AVP 0\r\n"), []byte("RTP/AVP 0 101\r\n"))))
	in.ExpectOther("ACK")

	voice, text := rs.Streams["1"], rs.Streams["3"]
	say := func(from, far, copies *peer.Media, pt byte, number int, blocks ...block) {
		t.Helper()
		raw, to := red(pt, number, blocks...), c.aTo.rtp
		if from == typed {
			to = textTo
		}
		passed, copied := len(far.Packets()), len(copies.Packets())
		from.SendRaw(to, raw)
		if got := far.Await("the packet of RED", func(all []peer.Packet) bool { return len(all) > passed }); !bytes.Equal(got[passed].Raw, raw) {
			t.Errorf("the party got % x for % x", got[passed].Raw, raw)
		}
		newest := blocks[len(blocks)-1]
		if newest.pt == eventPT && drops {
			return // what comes next tells that it has not been copied
		}
		got := copies.Await("the copy", func(all []peer.Packet) bool { return len(all) > copied })
		if p := got[copied]; p.PT != newest.pt || string(p.Payload) != newest.payload {
			t.Errorf("of packet %d the SRS got type %d with %q, not %d with %q", number, p.PT, p.Payload, newest.pt, newest.payload)
		}
	}
	first, second, third := strings.Repeat("1", peer.Frame), strings.Repeat("2", peer.Frame), strings.Repeat("3", peer.Frame)
	key := string([]byte{5, 0x80 | 10, 0, 160})
	say(c.a, c.b, voice, redAudio, 1, block{0, first})
	say(c.a, c.b, voice, redAudio, 2, block{0, first}, block{0, second})
	say(c.a, c.b, voice, redAudio, 3, block{0, second}, block{eventPT, key})
	say(c.a, c.b, voice, redAudio, 4, block{eventPT, key}, block{0, third})
	say(typed, read, text, redText, 1, block{inText, "h"})
	say(typed, read, text, redText, 2, block{inText, "h"}, block{inText, "i"})
	say(typed, read, text, redText, 3, block{inText, "h"}, block{inText, "i"}, block{inText, "!"})

	copies := voice.Packets()
	if last := copies[len(copies)-1]; last.Stamp-copies[0].Stamp != 3*peer.Frame {
		t.Errorf("the last copy is %d ticks behind the first, not %d", last.Stamp-copies[0].Stamp, 3*peer.Frame)
	}
	c.hangUp()
	rs.End()
}
