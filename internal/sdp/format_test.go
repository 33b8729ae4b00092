package sdp_test

import (
	"slices"
	"testing"

	"sidetrack/internal/sdp"
)

func audio(t testing.TB, formats string, attributes ...string) *sdp.Media {
	t.Helper()
	return kind(t, "audio", formats, attributes...)
}

func kind(t testing.TB, kind, formats string, attributes ...string) *sdp.Media {
	t.Helper()
	lines := append([]string{"v=0", "c=IN IP4 192.0.2.1", "m=" + kind + " 4000 RTP/AVP " + formats}, attributes...)
	return parse(t, text(lines...)).Media()[0]
}

func TestRTP(t *testing.T) {
	for name, tc := range map[string]struct {
		m    *sdp.Media
		want []sdp.Format
	}{
		"static": {audio(t, "0 8 9 10"), []sdp.Format{
			{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}, {PT: 8, Name: "PCMA", Clock: 8000, Channels: 1},
			{PT: 9, Name: "G722", Clock: 8000, Channels: 1}, {PT: 10, Name: "L16", Clock: 44100, Channels: 2}}},
		"dynamic": {audio(t, "111 101", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16"), []sdp.Format{
			{PT: 111, Name: "opus", Clock: 48000, Channels: 2, Fmtp: "minptime=10;useinbandfec=1"},
			{PT: 101, Name: "telephone-event", Clock: 8000, Channels: 1, Fmtp: "0-16"}}},
		"rtpmap overrides static":        {audio(t, "0", "a=rtpmap:0 G729/8000"), []sdp.Format{{PT: 0, Name: "G729", Clock: 8000, Channels: 1}}},
		"broken rtpmap of a static type": {audio(t, "8", "a=rtpmap:8 PCMA/x"), []sdp.Format{{PT: 8, Name: "PCMA", Clock: 8000, Channels: 1}}},
		"no clock":                       {audio(t, "96", "a=rtpmap:96 AMR"), []sdp.Format{{PT: 96, Name: "AMR", Clock: 8000, Channels: 1}}},
		"no rtpmap":                      {audio(t, "96"), []sdp.Format{{PT: 96, Channels: 1}}},
		"two fmtp lines":                 {audio(t, "96", "a=fmtp:96 a=1", "a=fmtp:96 b=2"), []sdp.Format{{PT: 96, Channels: 1, Fmtp: "a=1;b=2"}}},
		"rtpmap of another type":         {audio(t, "0", "a=rtpmap:96 AMR/8000"), []sdp.Format{{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}}},
		"repeated, too high, no number":  {audio(t, "0 0 128 300 x"), []sdp.Format{{PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}}},
		"blanks":                         {audio(t, "96", "a=rtpmap: 96\tAMR / 8000 / 1 "), []sdp.Format{{PT: 96, Name: "AMR", Clock: 8000, Channels: 1}}},
		"not RTP":                        {parse(t, text("v=0", "m=image 4000 udptl t38")).Media()[0], nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.m.RTP(); !slices.Equal(got, tc.want) {
				t.Errorf("got %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// types lists the payload types of formats.
func types(f []sdp.Format) (pts []uint8) {
	for _, x := range f {
		pts = append(pts, x.PT)
	}
	return pts
}

func TestNegotiated(t *testing.T) {
	for name, tc := range map[string]struct {
		offer, answer     *sdp.Media
		offerer, answerer []uint8
	}{
		"same":      {audio(t, "0 8 101", "a=rtpmap:101 telephone-event/8000"), audio(t, "8 101", "a=rtpmap:101 telephone-event/8000"), []uint8{8, 101}, []uint8{8, 101}},
		"renamed":   {audio(t, "96 97", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 telephone-event/8000"), audio(t, "111 101", "a=rtpmap:111 OPUS/48000/2", "a=rtpmap:101 telephone-event/8000"), []uint8{111, 101}, []uint8{96, 97}},
		"collision": {audio(t, "96 97", "a=rtpmap:96 AMR/8000", "a=rtpmap:97 opus/48000/2"), audio(t, "96 97", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 AMR/8000"), []uint8{96, 97}, []uint8{96, 97}},
		"clock":     {audio(t, "101 102", "a=rtpmap:101 telephone-event/48000", "a=rtpmap:102 telephone-event/8000"), audio(t, "101", "a=rtpmap:101 telephone-event/8000"), []uint8{101}, []uint8{102}},
		"same codec twice": {audio(t, "96 97", "a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1", "a=rtpmap:97 H264/90000", "a=fmtp:97 packetization-mode=0"),
			audio(t, "97", "a=rtpmap:97 H264/90000", "a=fmtp:97 packetization-mode=0"), []uint8{97}, []uint8{97}},
		"same codec twice, renamed": {audio(t, "96 97", "a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1", "a=rtpmap:97 H264/90000", "a=fmtp:97 packetization-mode=0"),
			audio(t, "100", "a=rtpmap:100 H264/90000", "a=fmtp:100 packetization-mode=0"), []uint8{100}, []uint8{97}},
		"comfort noise": {audio(t, "0 13"), audio(t, "0 13"), []uint8{0, 13}, []uint8{0, 13}},
		"redundancy and repair": {audio(t, "0 96 97", "a=rtpmap:96 red/8000", "a=rtpmap:97 ulpfec/8000"), audio(t, "0 121 122", "a=rtpmap:121 red/8000", "a=rtpmap:122 ulpfec/8000"),
			[]uint8{0, 121, 122}, []uint8{0, 96, 97}},
		"codec in RED": {audio(t, "121 101", "a=rtpmap:121 red/8000", "a=fmtp:121 0/0", "a=rtpmap:101 telephone-event/8000"), audio(t, "96 101", "a=rtpmap:96 red/8000", "a=fmtp:96 8/8", "a=rtpmap:101 telephone-event/8000"),
			[]uint8{96, 8, 101}, []uint8{121, 0, 101}},
		"codec in RED, mapped and not listed": {audio(t, "121", "a=rtpmap:121 red/48000/2", "a=fmtp:121 111/111", "a=rtpmap:111 opus/48000/2"), audio(t, "99", "a=rtpmap:99 red/48000/2", "a=fmtp:99 111"), []uint8{99, 111}, []uint8{121, 111}},
		"codec in RED, its number taken":      {audio(t, "121 0", "a=rtpmap:121 red/8000", "a=fmtp:121 0/0"), audio(t, "121 0", "a=rtpmap:121 red/8000", "a=fmtp:121 0/0"), []uint8{121, 0}, []uint8{121, 0}},
		"codec in RED, not known":             {audio(t, "121", "a=rtpmap:121 red/8000", "a=fmtp:121 99/99"), audio(t, "121", "a=rtpmap:121 red/8000", "a=fmtp:121 x"), []uint8{121}, []uint8{121}},
		"codec in RED of another clock":       {audio(t, "121", "a=rtpmap:121 red/16000", "a=fmtp:121 0/0"), audio(t, "121", "a=rtpmap:121 red/16000"), []uint8{121}, []uint8{121}},
		"text in RED":                         {kind(t, "text", "99", "a=rtpmap:99 red/1000", "a=fmtp:99 98/98/98"), kind(t, "text", "100", "a=rtpmap:100 red/1000", "a=fmtp:100 100/100"), []uint8{100}, []uint8{99, 98}},
		"not offered":                         {audio(t, "0"), audio(t, "0 101", "a=rtpmap:101 telephone-event/8000"), []uint8{0}, []uint8{0}},
		"G722 at 16000":                       {audio(t, "9"), audio(t, "9", "a=rtpmap:9 G722/16000"), []uint8{9}, []uint8{9}},
		"answer without it":                   {audio(t, "96", "a=rtpmap:96 AMR/8000"), audio(t, "96"), []uint8{96}, []uint8{96}},
		"nothing common":                      {audio(t, "0"), audio(t, "8"), nil, nil},
		"refused":                             {audio(t, "0"), parse(t, text("v=0", "m=audio 0 RTP/AVP 0")).Media()[0], nil, nil},
		"held":                                {audio(t, "0", "a=sendonly"), audio(t, "0", "a=inactive"), []uint8{0}, []uint8{0}},
		"no answer":                           {audio(t, "0"), nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o, a := sdp.Negotiated(tc.offer, tc.answer)
			if !slices.Equal(types(o), tc.offerer) || !slices.Equal(types(a), tc.answerer) {
				t.Errorf("got %v and %v, want %v and %v", types(o), types(a), tc.offerer, tc.answerer)
			}
		})
	}
}
