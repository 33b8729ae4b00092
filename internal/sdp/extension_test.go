package sdp_test

import (
	"reflect"
	"strings"
	"testing"

	"sidetrack/internal/sdp"
)

const levelURI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

func TestExtensions(t *testing.T) {
	m := parse(t, text("v=0", "a=extmap:9 urn:session", "a=extmap:8 urn:both", "m=audio 6000 RTP/AVP 8",
		"a=extmap:1/sendonly "+levelURI+"  vad=on x", "a=extmap:2 urn:both", "a=extmap:3 urn:both", "a=extmap:0 urn:zero", "a=extmap:5000 urn:large",
		"a=extmap:4/up urn:direction", "a=extmap:4", "a=extmap:x urn:x", "a=extmap:4095 urn:place")).Media()[0]
	want := []sdp.Extension{
		{ID: 1, Direction: sdp.SendOnly, URI: levelURI, Attributes: "vad=on x"}, {ID: 2, URI: "urn:both"}, {ID: 4095, URI: "urn:place"}, {ID: 9, URI: "urn:session"},
	}
	if got := m.Extensions(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// What is sent is what both name, in a direction that is sent and received, with the number that packets have.
func TestNegotiatedExtensions(t *testing.T) {
	section := func(lines ...string) *sdp.Media {
		return parse(t, text(append([]string{"v=0", "m=audio 6000 RTP/AVP 8"}, lines...)...)).Media()[0]
	}
	a := section("a=extmap:1 urn:a", "a=extmap:2/recvonly urn:b", "a=extmap:3 urn:c", "a=extmap:4000 urn:d x=1", "a=extmap:5 urn:e", "a=extmap:4001 urn:f")
	b := section("a=extmap:1 urn:a", "a=extmap:2/sendonly urn:b", "a=extmap:3/inactive urn:c", "a=extmap:4 urn:d", "a=extmap:4001 urn:f")
	if got, want := sdp.NegotiatedExtensions(a, b), []sdp.Extension{{ID: 1, URI: "urn:a"}, {ID: 4, URI: "urn:d", Attributes: "x=1"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("a sends %+v, want %+v", got, want)
	}
	got := sdp.NegotiatedExtensions(b, a)
	if want := []sdp.Extension{{ID: 1, URI: "urn:a"}, {ID: 2, Direction: sdp.SendOnly, URI: "urn:b"}, {ID: 4, URI: "urn:d"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("b sends %+v, want %+v", got, want)
	}
}

// An extension is offered behind the label, and taken by the same number and URI, whatever the direction but inactive.
func TestExtensionsOfAnAnswer(t *testing.T) {
	offer := two()
	offer[0].Extensions = []sdp.Extension{{ID: 1, Direction: sdp.SendOnly, URI: levelURI, Attributes: "vad=on"}, {ID: 3, URI: "urn:b"}, {ID: 4, URI: "urn:c"}, {ID: 5, URI: "urn:d"}}
	written := string(sdp.Offer{Media: offer}.Bytes())
	if want := "a=label:1\r\na=extmap:1/sendonly " + levelURI + " vad=on\r\na=extmap:3 urn:b\r\n"; !strings.Contains(written, want) || strings.Count(written, "extmap") != 4 {
		t.Errorf("offered\n%s", written)
	}
	answers := sdp.MatchAnswer(offer, parse(t, text("v=0", "c=IN IP4 198.51.100.7",
		"m=audio 6000 RTP/AVP 8", "a=extmap:1/recvonly "+levelURI, "a=extmap:3/inactive urn:b", "a=extmap:6 urn:c", "a=extmap:5/sendonly urn:d", "a=extmap:7 urn:e",
		"m=audio 6002 RTP/AVP 8", "a=extmap:1 "+levelURI)))
	if got := answers[0].Extensions; !reflect.DeepEqual(got, []uint8{1, 5}) {
		t.Errorf("taken %v", got)
	}
	if got := answers[1].Extensions; got != nil {
		t.Errorf("taken without an offer: %v", got)
	}
}
