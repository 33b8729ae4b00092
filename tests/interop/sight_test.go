//go:build interop

package interop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// What the proxy captures of a call's media is read by Wireshark: the RTP streams by the SDP in the same file, with no
// packet missing. What it mirrors to Homer is read by Kamailio's sipcapture: SIP, RTCP and the verdict under one
// correlation id.
func TestOthersReadHEPAndMedia(t *testing.T) {
	need(t, "tshark", "kamailio")
	homer, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(home(6)), Port: 9060})
	if err != nil {
		t.Fatal(err)
	}
	defer homer.Close()
	ladder := peer.NewLadder(t)
	callee := peer.New(t, ladder, "callee", home(7))
	s := newSiteOf(t, "", home(5), siteKeys{
		routes: fmt.Sprintf("  - to: %q\n", callee.URI("")),
		more:   fmt.Sprintf("hep: {address: \"udp://%s:9060\", capture_id: 77, node: edge, password: secret}", home(6)),
	})
	caller := peer.New(t, ladder, "caller", home(8))
	c := s.converse(caller, callee, 1)
	c.a.AwaitFrom("bob", c.b.Sent(), 20)
	var calls struct{ Items []struct{ ID string } }
	_, body := s.get("/api/v1/calls")
	if err := json.Unmarshal(body, &calls); err != nil || len(calls.Items) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	if !eventually(patience, func() bool { return s.sum("sidetrack_recordings_active") == 1 }) {
		t.Fatal("not recorded")
	}

	media := filepath.Join(t.TempDir(), "media.pcap")
	captured := make(chan error, 1)
	go func() { captured <- captureTo(s, calls.Items[0].ID, media) }()
	if !eventually(patience, func() bool { return s.sum("sidetrack_capture_packets_total") > 200 }) {
		t.Fatal("nothing is captured")
	}
	rr := []byte{0x80, 201, 0, 1, 0, 0, 0, 1}
	c.a.SendRTCP(netip.AddrPortFrom(netip.MustParseAddr(s.ip), c.aTo.Port()+1), rr)
	c.b.AwaitRTCP("the receiver report", func(b []byte) bool { return bytes.Equal(b, rr) })
	c.hangUp()
	if err := <-captured; err != nil {
		t.Fatal(err)
	}
	wrong := "_ws.malformed || (_ws.expert.severity == error && !rtcp)"
	if out := read(t, media, "-o", "udp.check_checksum:TRUE", "-Y", wrong+" || udp.checksum.status == Bad"); out != "" {
		t.Errorf("of the media tshark says:\n%s", out)
	}
	streams := read(t, media, "-q", "-z", "rtp,streams")
	if n := strings.Count(streams, "g711U") + strings.Count(streams, "PCMU"); n != 6 {
		t.Errorf("%d streams of 6: two in, two out, two copies\n%s", n, streams)
	}
	for line := range strings.SplitSeq(streams, "\n") {
		if (strings.Contains(line, "g711U") || strings.Contains(line, "PCMU")) && !strings.Contains(line, " 0 (0.0%)") {
			t.Errorf("packets are missing: %s", line)
		}
	}

	s.awaitRecordings(1)
	heard := kamailioReads(t, home(6), received(t, homer))
	callID, invites, kinds := "", 0, map[string]int{}
	for _, line := range heard {
		what, rest, _ := strings.Cut(line, " under ")
		id, from, _ := strings.Cut(rest, " from ")
		if callID == "" {
			callID = id
		}
		if id != callID || id == "" || id == "<null>" {
			t.Errorf("not under %s: %s", callID, line)
		}
		if !strings.HasPrefix(from, "127.50.") {
			t.Errorf("from nowhere: %s", line)
		}
		if strings.Contains(from, ": INVITE ") {
			invites++
		}
		kinds[what]++
	}
	if invites < 3 || kinds["type 1"] < 12 || kinds["type 100"] != 1 || kinds["type 5"] == 0 || !strings.Contains(strings.Join(heard, "\n"), `"result":"complete"`) {
		t.Errorf("%d INVITEs of 3 or more, %v:\n%s", invites, kinds, strings.Join(heard, "\n"))
	}
}

// captureTo writes the media of a call into a file until it is over.
func captureTo(s *site, call, file string) error {
	req, err := http.NewRequest(http.MethodPost, s.http+"/api/v1/calls/"+call+"/pcap", strings.NewReader(`{"limit": "2m"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.200s (%w)", resp.Status, b, err)
	}
	return os.WriteFile(file, b, 0o600)
}

// received is what a receiver gets, up to the verdict.
func received(t *testing.T, conn *net.UDPConn) (packets [][]byte) {
	t.Helper()
	b := make([]byte, 1<<16)
	for verdict := false; !verdict; {
		conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(b)
		if err != nil {
			t.Fatalf("no verdict among %d packets: %v", len(packets), err)
		}
		packets = append(packets, bytes.Clone(b[:n]))
		verdict = bytes.Contains(b[:n], []byte(`"result":"complete"`))
	}
	return packets
}

// kamailioReads is what Kamailio says of each packet of HEP, in order.
func kamailioReads(t *testing.T, ip string, packets [][]byte) []string {
	t.Helper()
	dir := t.TempDir()
	at := ip + ":9061"
	k := start(t, "kamailio", "", "kamailio", "-f", absolute(t, "kamailio/homer.cfg"), "-l", "udp:"+at, "-DD", "-E",
		"-A", fmt.Sprintf(`DATABASE="text://%s"`, dir), "-Y", dir, "-P", filepath.Join(dir, "pid"), "-m", "32", "-M", "8")
	k.listens(at)
	conn, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, b := range packets {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	if !eventually(patience, func() bool {
		seen = nil
		for line := range strings.SplitSeq(k.out.String(), "\n") {
			if _, what, ok := strings.Cut(line, "<script>: seen "); ok {
				seen = append(seen, what)
			}
		}
		return len(seen) == len(packets)
	}) {
		t.Fatalf("Kamailio reads %d of %d packets:\n%s", len(seen), len(packets), strings.Join(seen, "\n"))
	}
	return seen
}
