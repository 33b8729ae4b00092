//go:build interop

package interop_test

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

const (
	floodSteps  = 10
	floodRoom   = 64 << 20 // octets of memory that a flood may cost, garbage and sip.trace's share included
	floodGrowth = 16 << 20 // of these, in the second half of one of floodLong datagrams
	floodLong   = 200_000
	floodLines  = 40                     // of the log, however long it lasts, besides those of calls
	floodPace   = 300 * time.Millisecond // between two calls: what they leave for 32 s is not to be taken for the flood's
)

// TestFlood: scanners, and then FLOOD (10,000) datagrams from as many forged addresses, as fast as they are read, while
// FLOOD_CALLS (4) recorded calls talk and others are made. The calls lose no packet and are recorded whole, each new one
// is answered, scanners hear nothing, nobody hears more octets than were said in his name, memory and log stay as they
// are, and each datagram is counted. Strangers are refused, or asked for a password.
func TestFlood(t *testing.T) {
	root(t)
	need(t, "ip")
	for name, keys := range map[string]string{
		"refused": "",
		"asked":   "  auth: {realm: flood.test, users: {alice: of-no-interest}}",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlooded(t, keys)
			for i := range number(t, "FLOOD_CALLS", 4) {
				f.talk(i)
			}
			f.scan()
			f.flood(number(t, "FLOOD", 10_000))
			f.end()
		})
	}
}

// flooded is a site under attack, with a caller and a PBX that it trusts.
type flooded struct {
	*site
	world       string
	at          netip.AddrPort
	pid         int
	caller, pbx *peer.Peer
	talks       []talking
	quiet       [2]*peer.Media // of calls that say nothing
	made        int
}

// talking is a call with audio both ways, from before the flood until after it.
type talking struct {
	left, right *peer.Dialog
	phone, desk *peer.Media
}

func newFlooded(t *testing.T, keys string) *flooded {
	t.Helper()
	space, ladder := newNamespace(t), peer.NewLadder(t)
	f := &flooded{world: newWorld(t, space), at: netip.AddrPortFrom(netip.MustParseAddr(inside), proxyPort),
		caller: peer.New(t, ladder, "caller", outside, "udp"), pbx: peer.New(t, ladder, "pbx", outside, "udp"),
		quiet: [2]*peer.Media{peer.NewMedia(t, outside, "quiet", "phone"), peer.NewMedia(t, outside, "quiet", "desk")}}
	f.site = newSiteOf(t, space, inside, siteKeys{sip: keys, routes: fmt.Sprintf("  - to: %q\n", f.pbx.URI(""))})
	f.pid = f.proxy.cmd.Process.Pid
	return f
}

// explain tells where packets were lost.
func (f *flooded) explain() {
	_, metrics := f.get("/metrics")
	for line := range strings.Lines(string(metrics)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); strings.Contains(name, "_packets_total") && value != "0" {
			f.t.Log(name, value)
		}
	}
	for _, who := range []int{f.pid, os.Getpid()} {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/udp", who))
		for line := range strings.Lines(string(b)) {
			if at := strings.Fields(line); len(at) > 12 && at[12] != "0" && at[0] != "sl" {
				f.t.Logf("the kernel has dropped %s datagrams at %s", at[12], at[1])
			}
		}
	}
}

// connect makes a call and tells where either side is to send its audio.
func (f *flooded) connect(phone, desk *peer.Media) (left, right *peer.Dialog, toCaller, toPBX peer.SDP) {
	f.t.Helper()
	out := f.caller.Invite(f.at, peer.Call{URI: "sip:desk@pbx.test", SDP: peer.BuildSDP(1, peer.Line{Media: phone})})
	in := f.pbx.Expect("INVITE")
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: desk})))
	ok := out.Expect(200)
	left, right = out.Dialog(ok), in.Dialog()
	left.Ack(ok)
	right.Expect("ACK")
	f.made++
	return left, right, peer.ParseSDP(ok.Body), peer.ParseSDP(in.Body)
}

func hangUp(left, right *peer.Dialog) {
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
}

// talk makes a call whose parties talk from now on.
func (f *flooded) talk(n int) {
	f.t.Helper()
	id := fmt.Sprintf("flood%d", n)
	c := talking{phone: peer.NewMedia(f.t, outside, id, "phone"), desk: peer.NewMedia(f.t, outside, id, "desk")}
	var here, there peer.SDP
	c.left, c.right, here, there = f.connect(c.phone, c.desk)
	c.phone.Every, c.desk.Every = 20*time.Millisecond, 20*time.Millisecond
	c.phone.Talk(here.Media[0].Addr())
	c.desk.Talk(there.Media[0].Addr())
	c.desk.AwaitFrom("phone", 0, 5)
	c.phone.AwaitFrom("desk", 0, 5)
	f.talks = append(f.talks, c)
}

// scan has scanners try from one address, which then asks as anybody would, and hears that alone. Those of Debian try,
// too, where they are installed and FLOOD is set, for they take their time.
func (f *flooded) scan() {
	f.t.Helper()
	var conn *net.UDPConn
	within(f.t, f.world, func() {
		var err error
		if conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(f.at)); err != nil {
			f.t.Fatal(err)
		}
	})
	defer conn.Close()
	from, sent, before := conn.LocalAddr().(*net.UDPAddr).AddrPort(), 0.0, f.rejected("scanner")
	for range 20 {
		for i, s := range shapes {
			if s.reason == "scanner" {
				sent++
				_, _ = conn.Write([]byte(s.text(1_000_000*i+int(sent), from)))
			}
		}
	}
	if !eventually(patience, func() bool { return f.rejected("scanner")-before == sent }) {
		f.t.Errorf("%v messages of scanners, %v are counted", sent, f.rejected("scanner")-before)
	}
	_, _ = conn.Write([]byte(begin("OPTIONS", "")(1, from)))
	b := make([]byte, 65536)
	for want := "\r\nCSeq: 2 OPTIONS\r\n"; want != ""; {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(b)
		if err != nil {
			f.t.Fatalf("who is no scanner is not answered: %v", err)
		}
		if !strings.Contains(string(b[:n]), want) {
			f.t.Errorf("a scanner hears\n%s", b[:n])
			continue
		}
		want = ""
	}
	if os.Getenv("FLOOD") == "" {
		return
	}
	var programs []*process
	for _, line := range []string{"svmap " + inside, "svwar -e100-105 -m INVITE " + inside, "svcrack -u100 -r1-9 " + inside} {
		args := strings.Fields(line)
		if _, err := exec.LookPath(args[0]); err != nil {
			f.t.Logf("%s is not installed (Debian: sipvicious)", args[0])
			continue
		}
		programs = append(programs, start(f.t, line, f.world, args...))
	}
	before = f.rejected("scanner")
	for _, p := range programs {
		p.wait(2 * patience)
		if !strings.Contains(p.out.String(), "found nothing") {
			f.t.Errorf("%s:\n%s", p.name, p.out)
		}
	}
	f.t.Logf("%d programs of sipvicious found nothing; %v messages dropped", len(programs), f.rejected("scanner")-before)
}

// flood has n datagrams come.
func (f *flooded) flood(n int) {
	f.t.Helper()
	var spoof *spoofer
	within(f.t, f.world, func() {
		var err error
		if spoof, err = newSpoofer(f.at, f.pid); err != nil {
			f.t.Fatal(err)
		}
	})
	defer spoof.close()
	counted, kept := f.counted(), f.sum("sidetrack_sip_transactions")
	lines, heard, made, began := f.lines(), f.heard(), f.made, time.Now()
	var memory []float64
	for i := range floodSteps {
		sending := make(chan error, 1)
		go func() { sending <- spoof.flood(i*n/floodSteps, (i+1)*n/floodSteps) }()
		for flooding := true; flooding; {
			left, right, _, _ := f.connect(f.quiet[0], f.quiet[1])
			hangUp(left, right)
			select {
			case err := <-sending:
				if flooding = false; err != nil {
					f.t.Fatal(err)
				}
			case <-time.After(floodPace):
			}
		}
		memory = append(memory, f.sum("process_resident_memory_bytes"))
	}
	took := time.Since(began)
	f.expectCounted(counted, n)
	if _, dropped, err := spoof.queue(); err != nil || dropped > 0 {
		f.t.Errorf("%d datagrams were not read (%v)", dropped, err)
	}
	heard = f.heard() - heard
	f.t.Logf("%d datagrams of as many addresses in %v, %.0f octets; answered with %.0f octets; %d calls meanwhile; log: %d lines; memory in MB: %s",
		n, took.Round(time.Millisecond), float64(spoof.octets), heard, f.made-made, f.lines()-lines, megabytes(memory))
	if heard > float64(spoof.octets) {
		f.t.Errorf("%v octets were answered to %v: an amplifier", heard, spoof.octets)
	}
	if more := f.lines() - lines; more > floodLines {
		f.t.Errorf("the log is longer by %d lines", more)
	}
	if all, late := memory[floodSteps-1]-memory[0], memory[floodSteps-1]-memory[floodSteps/2]; all > floodRoom || n >= floodLong && late > floodGrowth {
		f.t.Errorf("memory has grown by %.1f MB, by %.1f MB in the second half", all/1e6, late/1e6)
	}
	if kept := f.sum("sidetrack_sip_transactions") - kept; kept > float64(10*(f.made-made)) { // with recordings a call has 9
		f.t.Errorf("%v transactions are kept of %d calls", kept, f.made-made)
	}
}

func megabytes(octets []float64) string {
	var b strings.Builder
	for _, v := range octets {
		fmt.Fprintf(&b, " %.1f", v/1e6)
	}
	return b.String()[1:]
}

func (f *flooded) rejected(reason string) float64 {
	return f.sum("sidetrack_sip_rejected_total", fmt.Sprintf("reason=%q", reason))
}

// counted is what the metrics say, by reason.
func (f *flooded) counted() map[string]float64 {
	all := map[string]float64{}
	for _, s := range shapes {
		if s.reason != "" {
			all[s.reason] = f.rejected(s.reason)
		}
	}
	return all
}

// expectCounted compares it with the first n datagrams.
func (f *flooded) expectCounted(before map[string]float64, n int) {
	f.t.Helper()
	want := map[string]float64{}
	for i := range n {
		want[shapes[i%len(shapes)].reason]++
	}
	delete(want, "")
	var got map[string]float64
	if !eventually(patience, func() bool {
		got = f.counted()
		for reason := range got {
			got[reason] -= before[reason]
		}
		return maps.Equal(got, want)
	}) {
		f.t.Errorf("counted %v of %v", got, want)
	}
}

// end ends the calls and looks whether anything of them is missing.
func (f *flooded) end() {
	f.t.Helper()
	sent := 0
	for _, c := range f.talks {
		c.phone.Quiet()
		c.desk.Quiet()
		for _, way := range [][2]*peer.Media{{c.phone, c.desk}, {c.desk, c.phone}} {
			if !eventually(patience/3, func() bool { return len(way[1].Packets()) == way[0].Sent() }) {
				f.t.Errorf("%s has sent %d packets, %s has heard %d", way[0].Party, way[0].Sent(), way[1].Party, len(way[1].Packets()))
				f.explain()
			}
		}
		sent += c.phone.Sent() + c.desk.Sent()
		hangUp(c.left, c.right)
	}
	whole, packets := 0, 0
	for _, r := range f.awaitRecordings(f.made) {
		n := 0
		for _, stream := range r.Streams {
			n += int(stream.Packets)
		}
		if packets += n; r.Complete && n > 0 {
			whole++
		}
	}
	f.t.Logf("%d calls with %d packets of audio: %d are in %d whole recordings", len(f.talks), sent, packets, whole)
	if whole != len(f.talks) || packets != sent {
		f.t.Errorf("%d whole recordings with %d packets of %d calls with %d", whole, packets, len(f.talks), sent)
	}
	if !eventually(patience, func() bool { return f.site.calls() == 0 }) {
		f.t.Errorf("%d calls are left", f.site.calls())
	}
}
