package sdp_test

import (
	"net/netip"
	"strings"
	"testing"

	pion "github.com/pion/sdp/v3"

	"sidetrack/internal/sdp"
)

var (
	pcma  = sdp.Format{PT: 8, Name: "PCMA", Clock: 8000, Channels: 1}
	event = sdp.Format{PT: 101, Name: "telephone-event", Clock: 8000, Channels: 1, Fmtp: "0-15"}
	opus  = sdp.Format{PT: 111, Name: "opus", Clock: 48000, Channels: 2}
)

func recording() sdp.Offer {
	return sdp.Offer{
		Username: "sidetrack", SessionID: 17, Version: 3, Addr: netip.MustParseAddr("203.0.113.5"),
		Media: []sdp.OfferMedia{
			{Port: 20000, Formats: []sdp.Format{pcma, event}, Direction: sdp.SendOnly, Label: "1", Ptime: "20"},
			{Port: 20002, RTCPPort: 20003, Formats: []sdp.Format{opus}, Direction: sdp.SendOnly, Label: "2", Extra: []string{"x-a:1"}},
			{Port: 0, Direction: sdp.Inactive, Label: "3", RTCPPort: 1},
		},
	}
}

func TestOfferBytes(t *testing.T) {
	want := text("v=0", "o=sidetrack 17 3 IN IP4 203.0.113.5", "s=-", "c=IN IP4 203.0.113.5", "t=0 0",
		"m=audio 20000 RTP/AVP 8 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=sendonly", "a=label:1",
		"m=audio 20002 RTP/AVP 111", "a=rtpmap:111 opus/48000/2", "a=sendonly", "a=label:2", "a=x-a:1",
		"m=audio 0 RTP/AVP 0", "a=inactive", "a=label:3")
	if got := string(recording().Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOfferIsStrictlyReadable(t *testing.T) {
	six := recording()
	six.Addr = netip.MustParseAddr("2001:db8::5")
	six.SessionID, six.Version = 1<<64-1, 1<<64-1
	odd := recording()
	odd.Username, odd.Addr = "two words\r\na=evil", netip.Addr{}
	odd.Media[0].Label = "1\r\nm=audio 1 RTP/AVP 0"
	odd.Media[0].Formats[0].Fmtp = "a\nb\x00"
	odd.Media[1].RTCPPort = 30001
	answer := sdp.Offer{Addr: six.Addr, Media: []sdp.OfferMedia{
		parse(t, text("v=0", "m=image 4000 udptl t38")).Media()[0].Refuse(),
		parse(t, text("v=0", "m=application 4000 UDP/DTLS/SCTP webrtc-datachannel")).Media()[0].Refuse(),
	}}
	for name, o := range map[string]sdp.Offer{"IPv4": recording(), "IPv6": six, "odd": odd, "no media": {}} {
		t.Run(name, func(t *testing.T) {
			var strict pion.SessionDescription
			if err := strict.Unmarshal(o.Bytes()); err != nil {
				t.Fatalf("%v in\n%s", err, o.Bytes())
			}
			if got := len(strict.MediaDescriptions); got != len(o.Media) {
				t.Errorf("%d sections, want %d", got, len(o.Media))
			}
			if strict.Origin.SessionID >= 1<<63 || strict.Origin.SessionVersion >= 1<<63 {
				t.Errorf("o= line does not fit 63 bits: %s", o.Bytes())
			}
			back, err := strict.Marshal()
			if err != nil || string(back) != string(o.Bytes()) {
				t.Errorf("written back as\n%s%v", back, err)
			}
		})
	}
	// Refusals keep what was offered, and only the port says no.
	for _, want := range []string{"m=image 0 udptl t38\r\n", "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n", "c=IN IP6 2001:db8::5\r\n"} {
		if got := string(answer.Bytes()); !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant it to hold %q", got, want)
		}
	}
}
