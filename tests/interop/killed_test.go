//go:build interop

package interop_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sidetrack/internal/audio"
	"sidetrack/tests/peer"
)

// chat is a call between two scripted parties through sidetrack. Each packet tells in its payload whose it is and which,
// and can be read out of a WAV file again.
type chat struct {
	t           *testing.T
	a, b        *peer.Media
	aTo, bTo    netip.AddrPort
	left, right *peer.Dialog
}

// newChat makes the call.
func newChat(t *testing.T, caller, pbx *peer.Peer, ip, name string) *chat {
	t.Helper()
	c := &chat{t: t, a: peer.NewMedia(t, ip, name, "alice"), b: peer.NewMedia(t, ip, name, "bob")}
	out := caller.Invite(netip.MustParseAddrPort(fmt.Sprintf("%s:%d", ip, proxyPort)), peer.Call{
		URI: "sip:bob@pbx.test", SDP: peer.BuildSDP(1, peer.Line{Media: c.a}),
	})
	in := pbx.Expect("INVITE")
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	ok := out.Expect(200)
	c.left, c.right = out.Dialog(ok), in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	c.aTo, c.bTo = peer.ParseSDP(ok.SDP()).Media[0].Addr(), peer.ParseSDP(in.SDP()).Media[0].Addr()
	return c
}

// speak has both parties say 20 ms of speech every 20 ms until the condition holds, and then for a while longer.
func (c *chat) speak(until func() bool, longer time.Duration) {
	c.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var held, end time.Time
	for begun := time.Now(); end.IsZero() || time.Now().Before(end); <-tick.C {
		c.a.Send(c.aTo)
		c.b.Send(c.bTo)
		if held.IsZero() && until() {
			held = time.Now()
			end = held.Add(longer)
		}
		if held.IsZero() && time.Since(begun) > patience {
			c.t.Fatal("what is waited for does not happen")
		}
	}
}

func always() bool { return true }

func (c *chat) hangUp() {
	bye := c.left.Send("BYE")
	c.right.AnswerBye()
	bye.Expect(200)
}

// unharmed checks that the call itself lost nothing: each heard all that the other said.
func (c *chat) unharmed() {
	c.t.Helper()
	for from, to := range map[*peer.Media]*peer.Media{c.a: c.b, c.b: c.a} {
		all := func(got []peer.Packet) bool { return len(got) >= from.Sent() }
		if got := to.Await("all of "+from.Party, all); len(got) != from.Sent() {
			c.t.Errorf("%s heard %d of %d packets", to.Party, len(got), from.Sent())
		}
	}
}

var mark = regexp.MustCompile(`id\|([^|]*)\|([a-z]+)\|([0-9]+)\|\.{100}`)

// spoken are the numbers of the packets that the WAV files in a recorder's folder hold, by call and party. The files may
// be those of a process that was killed.
func spoken(t *testing.T, dir string) map[string][]int {
	t.Helper()
	ulaw, _ := audio.FindCodec("PCMU", 8000, 1)
	got := map[string][]int{}
	names, _ := filepath.Glob(filepath.Join(dir, "*", "*.wav"))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pcm := make([]int16, len(b)/2)
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
		}
		for _, m := range mark.FindAllSubmatch(ulaw.NewEncoder().Encode(nil, pcm), -1) {
			n, _ := strconv.Atoi(string(m[3]))
			key := string(m[1]) + "/" + string(m[2])
			got[key] = append(got[key], n)
		}
	}
	return got
}

// whole checks that both folders together have all that a party has said, from the first packet that is recorded to its
// last, and tells how much they have in common.
func (c *chat) whole(m *peer.Media, one, two map[string][]int) {
	c.t.Helper()
	key := m.Call + "/" + m.Party
	a, b := one[key], two[key]
	if len(a) == 0 || len(b) == 0 {
		c.t.Errorf("%s: %d packets in the first recording, %d in the second", key, len(a), len(b))
		return
	}
	have := map[int]int{}
	for _, n := range slices.Concat(a, b) {
		have[n]++
	}
	missing, twice := []int{}, 0
	for n := slices.Min(a); n <= m.Sent(); n++ {
		switch have[n] {
		case 0:
			missing = append(missing, n)
		case 2:
			twice++
		}
	}
	c.t.Logf("%s: %d sent, %d to %d in the first, %d to %d in the second, %d in both", key, m.Sent(),
		slices.Min(a), slices.Max(a), slices.Min(b), slices.Max(b), twice)
	if len(missing) > 0 {
		c.t.Errorf("%s: %d packets are in neither: %v", key, len(missing), missing)
	}
}

// written is how many sessions of a folder have ended.
func written(dir string) int {
	names, _ := filepath.Glob(filepath.Join(dir, "*", "recording.json"))
	n := 0
	for _, name := range names {
		var r recording
		if b, err := os.ReadFile(name); err == nil && json.Unmarshal(b, &r) == nil && r.Reason != "" {
			n++
		}
	}
	return n
}

var ids = regexp.MustCompile(`(?:session|participant|stream)_id="([^"]+)"`)

// identifiers are those of session, participants and streams in the metadata of a folder.
func identifiers(t *testing.T, dir string) string {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dir, "*", "metadata*.xml"))
	var all []string
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ids.FindAllSubmatch(b, -1) {
			all = append(all, string(m[1]))
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// shown is one recording as the API shows it.
type shown struct {
	State, Result, Reason, SRS string
	Streams                    []struct {
		PacketsIn, PacketsCopied uint64
	}
}

func (s *site) shown() []shown {
	_, body := s.get("/api/v1/recordings?limit=1000")
	var page struct{ Items []shown }
	if err := json.Unmarshal(body, &page); err != nil {
		return nil
	}
	return page.Items
}

// at tells whether the one recording is taken by that SRS now.
func (s *site) at(srs string) func() bool {
	return func() bool {
		all := s.shown()
		return len(all) == 1 && all[0].State == "recording" && strings.Contains(all[0].SRS, srs)
	}
}

// The recorder's process is killed in mid-call. Within two seconds the second one of the list records: the same session
// by its identifiers, and both recordings together have every packet from the first to the last.
func TestRecorderKilled(t *testing.T) {
	for n, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			ip := home(7 + n)
			second := t.TempDir()
			newRecorder(t, "", ip, srsPort+1, second)
			ladder := peer.NewLadder(t)
			caller, pbx := peer.New(t, ladder, "caller", ip), peer.New(t, ladder, "pbx", ip)
			s := newSiteOf(t, "", ip, siteKeys{
				routes: fmt.Sprintf("  - to: %q\n", pbx.URI("")),
				srs:    fmt.Sprintf("sip:%[1]s:%[2]d;transport=%[4]s, sip:%[1]s:%[3]d;transport=%[4]s", ip, srsPort, srsPort+1, network),
			})
			c := newChat(t, caller, pbx, ip, "killed")
			c.speak(s.at(fmt.Sprint(srsPort)), 5*time.Second)
			_ = s.recorder.cmd.Process.Signal(syscall.SIGKILL)
			watch := peer.StartStopwatch(t)
			c.speak(s.at(fmt.Sprint(srsPort+1)), 0)
			took := watch.Took()
			t.Logf("moved %v after the kill", took.Round(time.Millisecond))
			if took > 2*time.Second {
				t.Errorf("moved after %v", took)
			}
			c.speak(always, 2*time.Second)
			c.unharmed()
			c.hangUp()
			c.check(s, s.dir, second)
		})
	}
}

// check judges the recording once it has ended.
func (c *chat) check(s *site, one, two string) {
	c.t.Helper()
	if !eventually(patience, func() bool { all := s.shown(); return len(all) == 1 && all[0].State == "ended" }) {
		c.t.Fatalf("recordings: %+v", s.shown())
	}
	if !eventually(patience, func() bool { return written(two) == 1 }) {
		c.t.Error("the second recorder does not finish its files")
	}
	if r := s.shown()[0]; r.Result != "complete" {
		c.t.Errorf("%+v", r)
	}
	if a, b := identifiers(c.t, one), identifiers(c.t, two); a == "" || a != b {
		c.t.Errorf("identifiers:\n%s\n%s", a, b)
	}
	first, then := spoken(c.t, one), spoken(c.t, two)
	c.whole(c.a, first, then)
	c.whole(c.b, first, then)
}

// The network of the recorder is cut: nothing comes from there any more, no answer and no ICMP. The loss is found within
// check and timeout, and nothing is missing.
func TestRecorderCutOff(t *testing.T) {
	root(t)
	need(t, "ip", "nft")
	inside, outside := fmt.Sprintf("10.78.%d.1", os.Getpid()%250), fmt.Sprintf("10.78.%d.254", os.Getpid()%250)
	namespace := newNamespaceAt(t, inside, outside)
	first := t.TempDir()
	lost := newRecorder(t, namespace, inside, srsPort, first)
	ladder := peer.NewLadder(t)
	caller, pbx := peer.New(t, ladder, "caller", outside), peer.New(t, ladder, "pbx", outside)
	const check, timeout = 2 * time.Second, 2 * time.Second
	s := newSiteOf(t, "", outside, siteKeys{
		routes:   fmt.Sprintf("  - to: %q\n", pbx.URI("")),
		srs:      fmt.Sprintf("sip:%s:%d, sip:%s:%d", inside, srsPort, outside, srsPort),
		recorder: fmt.Sprintf(", check: %v, timeout: %v", check, timeout),
	})
	c := newChat(t, caller, pbx, outside, "cut")
	c.speak(s.at(inside+":"), 5*time.Second)
	for _, rule := range []string{
		"add table inet cut",
		"add chain inet cut in { type filter hook input priority 0; policy drop; }",
		"add chain inet cut out { type filter hook output priority 0; policy drop; }",
	} {
		if out, err := exec.Command("ip", "netns", "exec", namespace, "nft", rule).CombinedOutput(); err != nil {
			unable(t, "nft %s: %v %s", rule, err, out)
		}
	}
	watch := peer.StartStopwatch(t)
	c.speak(s.at(outside), 0)
	took := watch.Took()
	t.Logf("moved %v after the cut", took.Round(time.Millisecond))
	if took > check+timeout+time.Second {
		t.Errorf("moved after %v", took)
	}
	c.speak(always, 2*time.Second)
	c.unharmed()
	c.hangUp()
	c.check(s, first, s.dir)
	_ = lost.cmd.Process.Signal(syscall.SIGKILL) // it would wait for an answer to its BYE
}
