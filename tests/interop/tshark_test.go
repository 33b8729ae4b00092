//go:build interop

package interop_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A capture of one recorded call, read by Wireshark's dissectors: SIP and SDP without a complaint, the recording
// INVITE a multipart of two, and every RTP stream without loss or sequence error.
func TestTsharkReadsWhatWeSend(t *testing.T) {
	root(t)
	need(t, "sipp", "tshark")
	ip := home(3)
	pcap, packets := clip(t, 2, 440)
	capture := filepath.Join(t.TempDir(), "call.pcapng")
	s := newSite(t, "", ip, "sip:"+ip+":5080")
	shark := start(t, "tshark", "", "tshark", "-i", "lo", "-f", "host "+ip, "-w", capture)
	shark.say("Capturing on")
	awaitPackets(t, s, capture)
	sipp(t, "one call", ip, pcap, 1, 1)
	s.awaitRecordings(1)
	shark.end()

	if out := read(t, capture, "-Y", "sip && (_ws.malformed || _ws.expert.severity == error)"); out != "" {
		t.Errorf("tshark complains:\n%s", out)
	}
	invites := read(t, capture, "-Y", `sip.Method == "INVITE" && mime_multipart`, "-T", "fields",
		"-e", "mime_multipart.header.content-type", "-e", "sip.Require", "-e", "sdp.media_attribute.field")
	if !strings.Contains(invites, "application/sdp") || !strings.Contains(invites, "application/rs-metadata+xml") ||
		!strings.Contains(invites, "siprec") {
		t.Errorf("the recording INVITE reads as %q", invites)
	}

	streams := read(t, capture, "-d", "udp.port==20000-39999,rtp", "-d", "udp.port==6000,rtp", "-d", "udp.port==7000,rtp", "-q", "-z", "rtp,streams")
	count := 0
	for line := range strings.SplitSeq(streams, "\n") {
		if !strings.Contains(line, "g711A") && !strings.Contains(line, "PCMA") {
			continue
		}
		count++
		if !strings.Contains(line, "0 (0.0%)") {
			t.Errorf("lost packets: %s", line)
		}
	}
	// Caller to us, us to the PBX, PBX to us, us to the caller, and the two copies.
	if count != 6 {
		t.Errorf("%d streams of %d packets:\n%s", count, packets, streams)
	}
}

// The capture that the API gives of a call that has ended: Wireshark reads both legs and the recording session in it,
// each message at its sockets, without a complaint.
func TestTsharkReadsTheCaptureOfACall(t *testing.T) {
	root(t)
	need(t, "sipp", "tshark")
	ip := home(4)
	pcap, _ := clip(t, 1, 440)
	s := newSite(t, "", ip, "sip:"+ip+":5080")
	sipp(t, "one call", ip, pcap, 1, 1)
	s.awaitRecordings(1)
	var list struct {
		Items []struct {
			CallID string `json:"call_id"`
		}
	}
	_, body := s.get("/api/v1/recordings")
	if err := json.Unmarshal(body, &list); err != nil || len(list.Items) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	status, body := s.get("/api/v1/calls/" + list.Items[0].CallID + "/pcap")
	capture := filepath.Join(t.TempDir(), "call.pcap")
	if err := os.WriteFile(capture, body, 0o600); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	if out := read(t, capture, "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
		"-Y", "_ws.malformed || _ws.expert.severity == error || udp.checksum.status == Bad || ip.checksum.status == Bad"); out != "" {
		t.Errorf("tshark complains:\n%s", out)
	}
	from := ip + "," // addresses of the INVITEs: caller to us, us to the PBX, us to the SRS
	invites := read(t, capture, "-Y", `sip.Method == "INVITE"`, "-T", "fields", "-E", "separator=,", "-e", "ip.src", "-e", "sip.CSeq.seq", "-e", "sdp.version")
	if n := strings.Count(invites, from); n < 3 {
		t.Errorf("%d INVITEs:\n%s", n, invites)
	}
	for _, filter := range []string{`sip.Status-Code == 200`, `sip.Method == "BYE"`, `mime_multipart`, `sip.Method == "ACK"`} {
		if read(t, capture, "-Y", filter) == "" {
			t.Errorf("nothing is %s", filter)
		}
	}
}

// awaitPackets waits until the capture is running: it makes traffic and looks for it.
func awaitPackets(t *testing.T, s *site, capture string) {
	t.Helper()
	if !eventually(patience, func() bool {
		s.status("/healthz")
		out, _ := exec.Command("tshark", "-r", capture, "-c", "1").Output()
		return len(out) > 0
	}) {
		t.Fatal("nothing is captured")
	}
}

func read(t *testing.T, capture string, args ...string) string {
	t.Helper()
	var complaints bytes.Buffer
	cmd := exec.Command("tshark", append([]string{"-r", capture}, args...)...)
	cmd.Stderr = &complaints
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %v: %v\n%s", args, err, complaints.String())
	}
	var lines []string
	for scan := bufio.NewScanner(bytes.NewReader(out)); scan.Scan(); {
		lines = append(lines, scan.Text())
	}
	return strings.Join(lines, "\n")
}
