//go:build interop

package scenario_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// TestTsharkOnTheWire has Wireshark's dissectors read what the SRSs get of a call in real time with hold, pause, transfer
// and move: no sequence error or loss, the jitter that the source has to within a millisecond, RTCP without a complaint,
// and sender reports by which the two labels are aligned to 5 ms. TSHARK_MINUTES makes it longer (make tshark).
func TestTsharkOnTheWire(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		unable(t, "tshark is not installed")
	}
	if os.Geteuid() != 0 {
		unable(t, "needs root")
	}
	length := 15 * time.Second
	if minutes, err := strconv.Atoi(os.Getenv("TSHARK_MINUTES")); err == nil && minutes > 0 {
		length = time.Duration(minutes) * time.Minute
	}
	st := newStage(t, setup{srs: 2, srsNets: []string{"udp"}})
	for _, srs := range st.srss {
		srs.AutoReply("OPTIONS", 200)
	}
	shark := startTshark(t)
	c := st.invite(dialing{})
	c.in.Reply(180)
	c.out.Expect(180)
	c.answer(dialing{quiet: true})
	first := st.srss[0].Accept()
	c.a.Every, c.b.Every = 20*time.Millisecond, 20*time.Millisecond
	c.talk()
	c.recorded(first, 1)
	talk := func(tenths int) { // so many more packets of both
		n := int(length/10/c.a.Every) * tenths
		a, b := c.a.Sent()+n, c.b.Sent()+n
		for c.a.Sent() < a || c.b.Sent() < b {
			time.Sleep(c.a.Every)
		}
	}
	talk(2)

	hold := change{method: "INVITE", fromCallee: true, offer: peer.Line{Direction: "inactive"}, answer: peer.Line{Direction: "inactive"}}
	c.quiet()
	c.apply(hold)
	first.Update()
	time.Sleep(min(length/20, 30*time.Second)) // the held call is silent
	c.apply(change{method: "INVITE", fromCallee: true})
	first.Update()
	c.talk()
	talk(1)

	path := "/api/v1/recordings/" + st.sys.recordings()[0].str("id")
	paused := post(st, path+"/pause", 200)
	first.Update()
	<-paused
	talk(1)
	resumed := post(st, path+"/resume", 200)
	first.Update()
	<-resumed
	talk(1)

	bob := c.b // Carol takes his place, from a phone of her own
	bob.Quiet()
	c.b = peer.NewMedia(t, calleeIP, c.a.Call, "carol")
	c.b.Every = bob.Every
	c.reinvite(true, asserted(`"Carol" <sip:carol@pbx.test>`))
	first.Update()
	c.talk()
	c.a.AwaitFrom("carol", 0, 5)
	talk(2)

	moved := post(st, path+"/move", 200)
	first.End()
	second := st.srss[1].Accept()
	<-moved
	talk(3)
	c.a.Quiet()
	c.b.Quiet()
	second.Streams["1"].AwaitFrom("alice", c.a.Sent()-1, 1)
	second.Streams["2"].AwaitFrom("carol", c.b.Sent()-1, 1)
	t.Logf("the kernel dropped %d and %d of what the parties sent, before we could read it", peer.Dropped(c.aTo.rtp), peer.Dropped(c.bTo.rtp))
	c.hangUp()
	second.End()
	shark.end()

	shark.name(c.aTo, c.bTo)
	for _, rs := range []*peer.Session{first, second} {
		for label, m := range rs.Streams {
			shark.name(media{m.Addr(), m.RTCPAddr()})
			shark.labels[m.Addr()] = label
		}
	}
	shark.noComplaints()
	shark.noSequenceErrors()
	packets := shark.packets()
	shark.inOrder(packets)
	shark.jitter(packets)
	shark.aligned(packets)
}

// tshark is a capture of the loopback interface, and what tshark is to take for RTP and RTCP in it.
type tshark struct {
	t       *testing.T
	file    string
	capture *exec.Cmd
	out     *bytes.Buffer
	decode  []string
	labels  map[netip.AddrPort]string // of the SRSs' sockets
}

func startTshark(t *testing.T) *tshark {
	t.Helper()
	s := &tshark{t: t, file: filepath.Join(t.TempDir(), "call.pcapng"), out: &bytes.Buffer{}, labels: map[netip.AddrPort]string{}}
	probe := peer.NewMedia(t, strangerIP, "probe", "probe")
	s.capture = exec.Command("dumpcap", "-q", "-i", "lo", "-B", "64", "-f", "udp and net "+strings.TrimSuffix(systemIP, ".1"), "-w", s.file)
	s.capture.Stderr = s.out
	if err := s.capture.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	if !peer.Eventually(func() bool { // until it sees what is sent
		probe.Send(probe.Addr())
		out, _ := exec.Command("tshark", "-r", s.file, "-c", "1").Output()
		return len(out) > 0
	}) {
		t.Fatalf("nothing is captured: %s", s.out)
	}
	return s
}

// end stops the capture. Only the first call does something.
func (s *tshark) end() {
	if s.capture.ProcessState == nil {
		_ = s.capture.Process.Signal(os.Interrupt)
		_ = s.capture.Wait()
	}
}

// name tells of sockets that RTP and RTCP come to.
func (s *tshark) name(all ...media) {
	for _, m := range all {
		s.decode = append(s.decode, "-d", fmt.Sprintf("udp.port==%d,rtp", m.rtp.Port()), "-d", fmt.Sprintf("udp.port==%d,rtcp", m.rtcp.Port()))
	}
}

func (s *tshark) read(args ...string) []string {
	s.t.Helper()
	var complaints bytes.Buffer
	cmd := exec.Command("tshark", slices.Concat([]string{"-n", "-r", s.file}, s.decode, args)...)
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("tshark %v: %v\n%s", args, err, complaints.String())
	}
	return slices.DeleteFunc(strings.Split(string(out), "\n"), func(line string) bool { return line == "" })
}

// noComplaints: every packet is what it is to be.
func (s *tshark) noComplaints() {
	s.t.Helper()
	if bad := s.read("-Y", "(rtp || rtcp) && (_ws.malformed || _ws.expert.severity == error || _ws.expert.severity == warning)"); len(bad) > 0 {
		s.t.Errorf("tshark complains of %d packets: %s", len(bad), bad[0])
	}
	if n := len(s.read("-Y", "rtcp.pt == 200 && ip.dst == "+srsIP+" && rtcp.sdes.type == 1")); n < 2 {
		s.t.Errorf("%d sender reports with a CNAME at the first SRS", n)
	}
}

// streamLine is a line of tshark's -z rtp,streams: source, destination, SSRC, packets, lost, and whether it saw a problem.
var streamLine = regexp.MustCompile(`^\s*[\d.]+\s+[\d.]+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+(0x\w+)\s+\S+\s+(\d+)\s+(-?\d+) \(`)

// noSequenceErrors: each stream at the SRSs is one of a label, whole.
func (s *tshark) noSequenceErrors() {
	s.t.Helper()
	seen := map[string]int{}
	for _, line := range s.read("-q", "-z", "rtp,streams") {
		f := streamLine.FindStringSubmatch(line)
		if f == nil || f[3] != srsAddr(0) && f[3] != srsAddr(1) {
			continue
		}
		s.t.Log(line)
		seen[f[3]]++
		if n, _ := strconv.Atoi(f[6]); n < 50 || f[7] != "0" {
			s.t.Errorf("%s packets, %s lost: %s", f[6], f[7], line)
		}
	}
	if seen[srsAddr(0)] != 2 || seen[srsAddr(1)] != 2 {
		s.t.Errorf("streams at the SRSs: %v", seen)
	}
}

// inOrder: the copies of a label come at each SRS with each number once and in order, as the party has sent them.
func (s *tshark) inOrder(all []said) {
	s.t.Helper()
	last := map[string]said{}
	for _, p := range all {
		if p.to == "" {
			continue
		}
		before, ok := last[p.to+" at "+p.srs]
		if ok && p.seq != before.seq+1 || p.party == before.party && p.number <= before.number {
			s.t.Errorf("label %s at %s: number %d of %s, sequence %d, after %d of %s, %d", p.to, p.srs, p.number, p.party, p.seq, before.number, before.party, before.seq)
			return
		}
		last[p.to+" at "+p.srs] = p
	}
}

// said is a packet as it was captured on its way from a party, or to an SRS.
type said struct {
	at     float64 // seconds
	to     string  // label, or "" from a party
	srs    string  // address
	party  string
	number int
	seq    uint16
	stamp  uint32
}

// packets are those that parties send to us, and the copies, in order.
func (s *tshark) packets() (all []said) {
	s.t.Helper()
	for _, line := range s.read("-Y", "rtp && (ip.src != "+systemIP+" || ip.dst == "+srsAddr(0)+" || ip.dst == "+srsAddr(1)+")", "-T", "fields",
		"-e", "frame.time_epoch", "-e", "ip.dst", "-e", "udp.dstport", "-e", "rtp.seq", "-e", "rtp.timestamp", "-e", "rtp.payload") {
		f := strings.Split(line, "\t")
		if len(f) != 6 {
			s.t.Fatalf("tshark says %q", line)
		}
		payload, _ := hex.DecodeString(strings.ReplaceAll(f[5], ":", ""))
		who := strings.Split(string(payload), "|")
		if len(who) < 5 || who[0] != "id" {
			s.t.Fatalf("a packet of nobody: %q", line)
		}
		var p said
		p.at, _ = strconv.ParseFloat(f[0], 64)
		port, _ := strconv.ParseUint(f[2], 10, 16)
		p.srs, p.to = f[1], s.labels[netip.AddrPortFrom(netip.MustParseAddr(f[1]), uint16(port))]
		seq, _ := strconv.ParseUint(f[3], 10, 16)
		stamp, _ := strconv.ParseUint(f[4], 10, 32)
		p.party, p.seq, p.stamp = who[2], uint16(seq), uint32(stamp)
		p.number, _ = strconv.Atoi(who[3])
		all = append(all, p)
	}
	return all
}

// jitter: that of each label at each SRS (RFC 3550 §6.4.1, its mean, as tshark gives it) is that of what the parties sent
// for it, to within a millisecond. What was kept for the second SRS while it was asked comes to it as fast as is good for
// it, so it is judged from the packet on with which it has caught up.
func (s *tshark) jitter(all []said) {
	s.t.Helper()
	type id struct {
		party  string
		number int
	}
	source := map[id]said{}
	for _, p := range all {
		if p.to == "" {
			source[id{p.party, p.number}] = p
		}
	}
	for _, srs := range []string{srsAddr(0), srsAddr(1)} {
		for _, label := range []string{"1", "2"} {
			var copies, originals []said
			kept := 0
			for _, p := range all {
				if p.to != label || p.srs != srs {
					continue
				}
				from, ok := source[id{p.party, p.number}]
				if !ok {
					s.t.Fatalf("number %d of %s is a copy of nothing", p.number, p.party)
				}
				if late := p.at - from.at; len(copies) == 0 && late > 0.015 {
					kept++
					continue
				}
				copies, originals = append(copies, p), append(originals, from)
			}
			there, here := meanJitter(copies), meanJitter(originals)
			s.t.Logf("label %s at %s: %d packets after %d that were kept, jitter %.3f ms at the source, %.3f ms at the SRS", label, srs, len(copies), kept, here, there)
			if len(copies) < 50 || math.Abs(there-here) > max(1, here/2) { // of a machine that is late itself, half as much
				s.t.Errorf("label %s at %s: %d packets with a jitter of %.3f ms, the source has %.3f ms", label, srs, len(copies), there, here)
			}
		}
	}
}

func meanJitter(all []said) float64 {
	jitter, sum := 0., 0.
	for i := 1; i < len(all); i++ {
		if all[i].party == all[i-1].party {
			apart := (all[i].at - all[i-1].at) - float64(int32(all[i].stamp-all[i-1].stamp))/8000
			jitter += (math.Abs(apart)*1000 - jitter) / 16
		}
		sum += jitter
	}
	return sum / float64(max(len(all)-1, 1))
}

// aligned: the sender reports of both labels tell of one clock. What a party said at a time, by its steadiest packet, has
// that time by the reports of its label, or both labels are off by the same.
func (s *tshark) aligned(all []said) {
	s.t.Helper()
	type id struct {
		party  string
		number int
	}
	sentAt := map[id]float64{}
	zero := map[string]float64{} // by party: when its copy's clock was 0, seen from its first timestamp
	base := map[string]uint32{}
	for _, p := range all {
		if p.to == "" {
			sentAt[id{p.party, p.number}] = p.at
		}
	}
	for _, p := range all {
		at, ok := sentAt[id{p.party, p.number}]
		if p.to == "" || !ok {
			continue
		}
		if _, known := base[p.party]; !known {
			base[p.party], zero[p.party] = p.stamp, math.Inf(1)
		}
		zero[p.party] = min(zero[p.party], at-float64(int32(p.stamp-base[p.party]))/8000)
	}
	off := map[string][]float64{} // by label, in ms
	for _, line := range s.read("-Y", "rtcp.pt == 200 && (ip.dst == "+srsAddr(0)+" || ip.dst == "+srsAddr(1)+")", "-T", "fields", "-E", "occurrence=f",
		"-e", "frame.time_epoch", "-e", "ip.dst", "-e", "udp.dstport", "-e", "rtcp.timestamp.ntp.msw", "-e", "rtcp.timestamp.ntp.lsw", "-e", "rtcp.timestamp.rtp") {
		f := strings.Split(line, "\t")
		at, _ := strconv.ParseFloat(f[0], 64)
		port, _ := strconv.ParseUint(f[2], 10, 16)
		seconds, _ := strconv.ParseUint(f[3], 10, 32)
		fraction, _ := strconv.ParseUint(f[4], 10, 32)
		stamp, _ := strconv.ParseUint(f[5], 10, 32)
		label := s.labels[netip.AddrPortFrom(netip.MustParseAddr(f[1]), uint16(port)-1)]
		speaker := ""
		for _, p := range all {
			if p.to == label && p.at <= at {
				speaker = p.party
			}
		}
		if label == "" || speaker == "" {
			s.t.Fatalf("a report of nobody: %q", line)
		}
		clock := float64(int64(seconds)-2208988800) + float64(fraction)/(1<<32)
		off[label] = append(off[label], 1000*(clock-zero[speaker]-float64(int32(uint32(stamp)-base[speaker]))/8000))
	}
	if len(off["1"]) == 0 || len(off["2"]) == 0 {
		s.t.Fatalf("%d and %d sender reports", len(off["1"]), len(off["2"]))
	}
	s.t.Logf("sender reports are late against the steadiest packets by, in ms: %.2f and %.2f", off["1"], off["2"])
	// A report is as late as the packet before it; on a busy machine some are.
	if apart := math.Abs(median(off["1"]) - median(off["2"])); apart > 5 {
		s.t.Errorf("by their sender reports the labels are %.2f ms apart", apart)
	}
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)-1)/2]
}
