package sdp_test

import (
	"maps"
	"net/netip"
	"testing"

	"sidetrack/internal/sdp"
)

// two is the usual offer: one section per party.
func two() []sdp.OfferMedia {
	return []sdp.OfferMedia{
		{Port: 20000, Formats: []sdp.Format{pcma, event}, Direction: sdp.SendOnly, Label: "1"},
		{Port: 20002, Formats: []sdp.Format{pcma, event}, Direction: sdp.SendOnly, Label: "2"},
	}
}

const te = "a=rtpmap:101 telephone-event/8000"

func TestMatchAnswer(t *testing.T) {
	type want struct {
		port, rtcp int // 0: not accepted
		send       bool
		reason     string
		section    int
	}
	both := []want{{6000, 6001, true, "", 0}, {6002, 6003, true, "", 1}}
	crossed := []want{{6002, 6003, true, "", 1}, {6000, 6001, true, "", 0}}
	change := func(f func(o []sdp.OfferMedia)) []sdp.OfferMedia {
		o := two()
		f(o)
		return o
	}
	for name, tc := range map[string]struct {
		offer  []sdp.OfferMedia
		answer []string
		want   []want
	}{
		"as it should be":           {two(), []string{"m=audio 6000 RTP/AVP 8 101", te, "a=recvonly", "a=label:1", "m=audio 6002 RTP/AVP 8 101", te, "a=recvonly", "a=label:2"}, both},
		"no labels":                 {two(), []string{"m=audio 6000 RTP/AVP 8 101", te, "a=recvonly", "m=audio 6002 RTP/AVP 8 101", te, "a=recvonly"}, both},
		"labels of its own":         {two(), []string{"m=audio 6000 RTP/AVP 8", "a=label:0", "m=audio 6002 RTP/AVP 8", "a=label:1"}, both},
		"one label twice":           {two(), []string{"m=audio 6000 RTP/AVP 8", "a=label:2", "m=audio 6002 RTP/AVP 8", "a=label:2"}, both},
		"only one labelled":         {two(), []string{"m=audio 6000 RTP/AVP 8", "a=label:2", "m=audio 6002 RTP/AVP 8"}, both},
		"sections sorted otherwise": {two(), []string{"m=audio 6000 RTP/AVP 8", "a=label:2", "m=audio 6002 RTP/AVP 8", "a=label:1"}, crossed},
		"only the second":           {two(), []string{"m=audio 6000 RTP/AVP 8", "a=label:2"}, []want{{0, 0, false, "no section in the answer", -1}, {6000, 6001, true, "", 0}}},
		"one section":               {two(), []string{"m=audio 6000 RTP/AVP 8"}, []want{{6000, 6001, true, "", 0}, {0, 0, false, "no section in the answer", -1}}},
		"extra sections":            {two(), []string{"m=audio 6000 RTP/AVP 8", "a=label:1", "m=audio 6002 RTP/AVP 8", "a=label:2", "m=audio 6004 RTP/AVP 8", "a=label:1"}, both},
		"second refused":            {two(), []string{"m=audio 6000 RTP/AVP 8", "m=audio 0 RTP/AVP 8"}, []want{{6000, 6001, true, "", 0}, {0, 0, false, "port 0", 1}}},
		"copied sendonly":           {two(), []string{"m=audio 6000 RTP/AVP 8", "a=sendonly", "m=audio 6002 RTP/AVP 8", "a=sendrecv"}, both},
		"inactive":                  {two(), []string{"a=inactive", "m=audio 6000 RTP/AVP 8", "m=audio 6002 RTP/AVP 8", "a=recvonly"}, []want{{6000, 6001, false, "", 0}, {6002, 6003, true, "", 1}}},
		"zero address":              {two(), []string{"m=audio 6000 RTP/AVP 8", "c=IN IP4 0.0.0.0", "m=audio 6002 RTP/AVP 8"}, []want{{6000, 6001, false, "", 0}, {6002, 6003, true, "", 1}}},
		"host name":                 {two(), []string{"m=audio 6000 RTP/AVP 8", "c=IN IP4 srs.example", "m=audio 6002 RTP/AVP 8"}, []want{{0, 0, false, "no usable address", 0}, {6002, 6003, true, "", 1}}},
		"rtcp elsewhere":            {two(), []string{"m=audio 6000 RTP/AVP 8", "a=rtcp:7000", "m=audio 6002 RTP/AVP 8"}, []want{{6000, 7000, true, "", 0}, {6002, 6003, true, "", 1}}},
		"rtcp-mux not offered":      {two(), []string{"m=audio 6000 RTP/AVP 8", "a=rtcp-mux", "m=audio 6002 RTP/AVP 8"}, both},
		"rtcp-mux offered": {change(func(o []sdp.OfferMedia) { o[0].Extra = []string{"rtcp-mux"}; o[1].Extra = o[0].Extra }),
			[]string{"m=audio 6000 RTP/AVP 8", "a=rtcp-mux", "m=audio 6002 RTP/AVP 8"}, []want{{6000, 6000, true, "", 0}, {6002, 6003, true, "", 1}}},
		"other codec":                {two(), []string{"m=audio 6000 RTP/AVP 0", "m=audio 6002 RTP/AVP 8"}, []want{{0, 0, false, "no common codec", 0}, {6002, 6003, true, "", 1}}},
		"events only":                {two(), []string{"m=audio 6000 RTP/AVP 101", te, "m=audio 6002 RTP/AVP 8"}, []want{{0, 0, false, "no common codec", 0}, {6002, 6003, true, "", 1}}},
		"other kind":                 {two(), []string{"m=video 6000 RTP/AVP 8", "m=audio 6002 RTP/AVP 8"}, []want{{0, 0, false, "video answered to audio", 0}, {6002, 6003, true, "", 1}}},
		"in clear, offered as SRTP":  {change(func(o []sdp.OfferMedia) { o[0].Proto = "RTP/SAVP" }), []string{"m=audio 6000 RTP/AVP 8", "m=audio 6002 RTP/AVP 8"}, []want{{0, 0, false, "RTP/AVP answered to RTP/SAVP", 0}, {6002, 6003, true, "", 1}}},
		"as SRTP, offered in clear":  {two(), []string{"m=audio 6000 RTP/SAVP 8", "m=audio 6002 RTP/AVPF 8"}, []want{{0, 0, false, "RTP/SAVP answered to RTP/AVP", 0}, {6002, 6003, true, "", 1}}},
		"live port for a disabled":   {change(func(o []sdp.OfferMedia) { o[1].Port = 0 }), []string{"m=audio 6000 RTP/AVP 8", "m=audio 6002 RTP/AVP 8"}, []want{{6000, 6001, true, "", 0}, {0, 0, false, "disabled in the offer", 1}}},
		"recvonly to a paused offer": {change(func(o []sdp.OfferMedia) { o[0].Direction = sdp.Inactive }), []string{"m=audio 6000 RTP/AVP 8", "a=recvonly", "m=audio 6002 RTP/AVP 8"}, []want{{6000, 6001, false, "", 0}, {6002, 6003, true, "", 1}}},
		"labels crossed, kinds too": {change(func(o []sdp.OfferMedia) {
			o[1].Kind = "video"
			o[1].Formats = []sdp.Format{{PT: 96, Name: "H264", Clock: 90000}}
		}),
			[]string{"m=video 6002 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=label:2", "m=audio 6000 RTP/AVP 8", "a=label:1"}, []want{{6000, 6001, true, "", 1}, {6002, 6003, true, "", 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := sdp.MatchAnswer(tc.offer, parse(t, text(append([]string{"v=0", "c=IN IP4 198.51.100.7"}, tc.answer...)...)))
			for i, w := range tc.want {
				g := got[i]
				if g.Accepted != (w.port != 0) || g.Reason != w.reason || g.Send != w.send || g.Section != w.section ||
					int(g.RTP.Port()) != w.port || int(g.RTCP.Port()) != w.rtcp {
					t.Errorf("section %d: got %+v, want %+v", i, g, w)
				}
			}
		})
	}
}

func TestMatchAnswerPayloadTypes(t *testing.T) {
	answer := parse(t, text("v=0", "c=IN IP4 198.51.100.7",
		"m=audio 6000 RTP/AVP 100 8 99", "a=rtpmap:100 telephone-event/8000", "a=rtpmap:99 x/1",
		"m=audio 6002 RTP/AVP 8"))
	got := sdp.MatchAnswer(two(), answer)
	if want := map[uint8]uint8{8: 8, 101: 100}; !maps.Equal(got[0].PT, want) {
		t.Errorf("renumbered: got %v, want %v", got[0].PT, want)
	}
	if want := map[uint8]uint8{8: 8}; !maps.Equal(got[1].PT, want) {
		t.Errorf("subset: got %v, want %v", got[1].PT, want)
	}
	if want := netip.MustParseAddrPort("198.51.100.7:6000"); got[0].RTP != want {
		t.Errorf("address: got %v, want %v", got[0].RTP, want)
	}
}

func TestMatchAnswerNone(t *testing.T) {
	for _, a := range sdp.MatchAnswer(two(), nil) {
		if a.Accepted || a.Send || a.Reason == "" || a.Section != -1 {
			t.Errorf("got %+v", a)
		}
	}
}
