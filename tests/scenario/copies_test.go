package scenario_test

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"sidetrack/tests/peer"
)

// media is where one m-line of a received SDP wants its packets.
type media struct{ rtp, rtcp netip.AddrPort }

func firstMedia(t *testing.T, m *peer.Message) media {
	t.Helper()
	sdp := peer.ParseSDP(m.SDP())
	if len(sdp.Media) == 0 {
		t.Fatalf("no m-line in the SDP of %s:\n%s", m.Start, m.Body)
	}
	line := sdp.Media[0]
	if line.Conn == "0.0.0.0" {
		return media{} // the hold of RFC 2543: nothing is to be sent
	}
	if line.Conn != systemIP {
		t.Errorf("SDP of %s points to %s, past the relay", m.Start, line.Conn)
	}
	return media{line.Addr(), line.RTCPAddr()}
}

// recorded waits until the SRS has n more packets of each party under that party's label, label 1 being the caller's.
func (c *call) recorded(rs *peer.Session, n int) {
	c.st.t.Helper()
	rs.Streams["1"].AwaitFrom("alice", c.a.Sent(), n)
	rs.Streams["2"].AwaitFrom("bob", c.b.Sent(), n)
}

// judge compares what the SRS has with what was sent: under each label only the flow of the participant whom the
// metadata names for it, payloads bit for bit, sequence and time kept over one SSRC that is not the source's.
func (c *call) judge(rs *peer.Session) {
	c.st.t.Helper()
	parties := map[string]*peer.Media{aliceAOR: c.a, bobAOR: c.b}
	for label, stream := range rs.Streams {
		aor := firstSender(rs, label)
		from := parties[aor]
		if from == nil {
			c.st.t.Errorf("metadata names %q as the sender of label %s", aor, label)
			continue
		}
		c.judgeStream(rs, label, stream, from)
	}
}

// firstSender is whom the documents of the session name for a label; all that name one must agree.
func firstSender(rs *peer.Session, label string) string {
	sender := ""
	for _, doc := range rs.Docs {
		switch s := doc.Sender(label); {
		case sender == "":
			sender = s
		case s != "" && s != sender:
			rs.Recorder.Ladder.Note("label %s changed from %s to %s", label, sender, s)
			return "changed"
		}
	}
	return sender
}

func (c *call) judgeStream(rs *peer.Session, label string, stream, from *peer.Media) {
	c.st.t.Helper()
	sent, got := from.SentPackets(), stream.Packets()
	sources := sourcesOf(rs, label)
	for i, p := range got {
		if p.Party != from.Party || p.Call != from.Call || p.Number > len(sent) {
			c.st.t.Errorf("label %s of %s carries %s/%s number %d", label, from.Party, p.Call, p.Party, p.Number)
			return
		}
		original := sent[p.Number-1]
		if !bytes.Equal(p.Payload, original.Payload) {
			c.st.t.Errorf("label %s: payload of number %d changed", label, p.Number)
		}
		if p.SSRC == original.SSRC {
			c.st.t.Errorf("label %s: the copy has the source's SSRC", label)
		}
		if !slices.Contains(sources, p.From) {
			c.st.t.Errorf("label %s comes from %s, the SDP says %v", label, p.From, sources)
			return
		}
		if i == 0 {
			continue
		}
		// Within one talkspurt sequence and time keep the source's distances; a pause may cut both.
		last := got[i-1]
		if p.SSRC != last.SSRC {
			c.st.t.Errorf("label %s: SSRC changed at number %d", label, p.Number)
		}
		if p.Number == last.Number+1 && (p.Seq != last.Seq+1 || p.Stamp != last.Stamp+peer.Frame) {
			c.st.t.Errorf("label %s: number %d has seq %d and time %d after %d and %d",
				label, p.Number, p.Seq, p.Stamp, last.Seq, last.Stamp)
		}
	}
}

// sourcesOf is every address that the SRC's offers gave for a label.
func sourcesOf(rs *peer.Session, label string) []netip.AddrPort {
	var all []netip.AddrPort
	for _, offer := range rs.Offers {
		for _, line := range offer.Media {
			if line.Label == label {
				all = append(all, line.Addr())
			}
		}
	}
	return all
}

// gapless fails when a packet of the party between those two numbers is missing at the SRS.
func gapless(t *testing.T, stream *peer.Media, from, to int) {
	t.Helper()
	all := stream.Await("last packet", func(all []peer.Packet) bool {
		return slices.ContainsFunc(all, func(p peer.Packet) bool { return p.Number >= to })
	})
	have := map[int]bool{}
	for _, p := range all {
		if have[p.Number] {
			t.Errorf("%s has number %d twice", stream.Party, p.Number)
		}
		have[p.Number] = true
	}
	for n := from; n <= to; n++ {
		if !have[n] {
			t.Errorf("%s misses number %d", stream.Party, n)
			return
		}
	}
}

// none fails when the SRS has a packet of those numbers.
func none(t *testing.T, stream *peer.Media, after, upTo int) {
	t.Helper()
	for _, p := range stream.Packets() {
		if p.Number > after && p.Number <= upTo {
			t.Errorf("%s has number %d, which was sent while paused (%d to %d)", stream.Party, p.Number, after+1, upTo)
			return
		}
	}
}
