//go:build interop

package scenario_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"sidetrack/tests/peer"
)

// The parties of these calls, and the SRS, protect their packets with libsrtp (Debian's python3-pylibsrtp), which shares
// no code with the product.

// driver reads datagrams, each behind its length in two octets, and writes what libsrtp makes of them, nothing when it
// refuses.
const driver = `
import struct, sys
from pylibsrtp import Error, Policy, Session
suite, key, way = sys.argv[1:]
profile = {"AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80, "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM}[suite]
kind = Policy.SSRC_ANY_OUTBOUND if way == "seal" else Policy.SSRC_ANY_INBOUND
session = Session(policy=Policy(key=bytes.fromhex(key), ssrc_type=kind, srtp_profile=profile))
source, sink = sys.stdin.buffer, sys.stdout.buffer
while head := source.read(2):
    packet = source.read(struct.unpack("!H", head)[0])
    try:
        out = session.protect(packet) if way == "seal" else session.unprotect(packet)
    except Error:
        out = b""
    sink.write(struct.pack("!H", len(out)) + out)
    sink.flush()
`

// python is Debian's own, which knows Debian's modules.
const python = "/usr/bin/python3"

// libsrtp runs one session of libsrtp with that key.
func libsrtp(k *sdes, way string) func([]byte) []byte {
	k.t.Helper()
	cmd := exec.Command(python, "-c", driver, k.suite, hex.EncodeToString(append(append([]byte{}, k.key...), k.salt...)), way)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	complaints := &bytes.Buffer{}
	cmd.Stderr = complaints
	if err := cmd.Start(); err != nil || err1 != nil || err2 != nil {
		k.t.Fatal(err, err1, err2)
	}
	var mu sync.Mutex
	k.t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		in.Close()
		if err := cmd.Wait(); err != nil || complaints.Len() > 0 {
			k.t.Errorf("libsrtp: %v %s", err, complaints)
		}
		cmd = nil
	})
	return func(b []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		if cmd == nil {
			return nil
		}
		if _, err := in.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)); err != nil {
			k.t.Errorf("libsrtp: %v", err)
			return nil
		}
		var head [2]byte
		_, err := io.ReadFull(out, head[:])
		answer := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err2 := io.ReadFull(out, answer); err != nil || err2 != nil {
			k.t.Errorf("libsrtp: %v %v", err, err2)
		}
		if len(answer) == 0 {
			return nil
		}
		return answer
	}
}

// unable skips the test with its reason; in CI it fails it.
func unable(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

func needLibsrtp(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(python, "-c", "import pylibsrtp").CombinedOutput(); err != nil {
		unable(t, fmt.Sprintf("python3-pylibsrtp is not installed: %v %s", err, out))
	}
}

func TestLibsrtpCalls(t *testing.T) {
	needLibsrtp(t)
	for _, c := range []struct {
		name, route string
		left, right ends
	}{
		{"plain to SRTP", route("off", "required"), ends{}, ends{suite: cm80, asked: "RTP/SAVP", by: libsrtp}},
		{"SRTP to plain", route("required", "off"), ends{suite: gcm256, by: libsrtp}, ends{asked: "RTP/AVP"}},
		{"SRTP to SRTP", route("required", "required"), ends{suite: cm80, by: libsrtp}, ends{suite: gcm256, asked: "RTP/SAVP", by: libsrtp}},
		{"SRTP passes", "srtp: pass", ends{suite: cm80, by: libsrtp}, ends{suite: cm80, asked: "RTP/SAVP", passes: true, by: libsrtp}},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStage(t, setup{route: c.route, recorder: "    plain_copy: true"})
			call, _ := st.legsCall(c.left, c.right)
			rs := st.srs().Accept()
			call.recorded(rs, 50)
			call.heard(50)
			call.quiet()
			call.hangUp()
			rs.End()
			call.judge(rs)
		})
	}
}

// Ten thousand packets over the end of the sequence numbers, new keys on the way, and then the replays.
func TestLibsrtpOverTheWrapAndOn(t *testing.T) {
	needLibsrtp(t)
	st := newStage(t, setup{route: route("required", "required"), recorder: "    plain_copy: true\n    check: 0s"})
	c, keys := st.legsCall(ends{suite: cm80, by: libsrtp, quiet: true}, ends{suite: gcm256, asked: "RTP/SAVP", by: libsrtp})
	rs := st.srs().Accept()
	c.a.StartAt(60000)
	c.b.StartAt(64000)
	send := func(n int) {
		t.Helper()
		for range n / 20 {
			for range 20 {
				c.a.Send(c.aTo.rtp)
				c.b.Send(c.bTo.rtp)
			}
			c.a.AwaitFrom("bob", c.b.Sent()-20, 20)
			c.b.AwaitFrom("alice", c.a.Sent()-20, 20)
		}
	}
	send(10000)
	next := newSDES(t, 3, cm80)
	next.by = libsrtp
	out := c.left.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: c.a, Proto: "RTP/SAVP", Extra: []string{next.attribute()}})))
	in := c.right.Expect("INVITE")
	in.Reply(200, peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: c.b, Proto: "RTP/SAVP", Extra: []string{keys[1].attribute()}})))
	c.left.Ack(out.Expect(200))
	c.right.Expect("ACK")
	c.a.Protect(next.seal(), nil)
	send(1000)
	c.quiet()

	seal := next.seal() // what it sealed first, once more
	sent := c.a.SentPackets()
	for _, p := range sent[10000:10010] {
		c.a.SendRaw(c.aTo.rtp, seal(p.Raw))
	}
	if !peer.Eventually(func() bool {
		return st.sys.sum("sidetrack_rtp_dropped_packets_total", `direction="caller"`, `reason="srtp-replay"`) == 10
	}) {
		t.Error("replays are not counted")
	}
	c.whole(c.a, c.b) // nothing came twice
	if n := len(c.b.Packets()); n != len(sent) {
		t.Errorf("%d packets of %d", n, len(sent))
	}
	rs.Streams["1"].AwaitFrom("alice", 0, len(sent)-100)
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// The SRS decrypts with libsrtp what the parties say, who themselves speak in clear or encrypted.
func TestLibsrtpJudgesTheCopies(t *testing.T) {
	needLibsrtp(t)
	for _, right := range []ends{{asked: "RTP/AVP"}, {suite: gcm256, asked: "RTP/SAVP", by: libsrtp}} {
		for _, suite := range []string{cm80, gcm256} {
			t.Run(right.asked+" "+suite, func(t *testing.T) {
				st := newStage(t, setup{
					route:    route("off", map[bool]string{true: "off", false: "required"}[right.suite == ""]),
					recorder: "    srtp: required\n    srtp_over_plain: true",
				})
				takesSRTPBy(t, st.srs(), suite, libsrtp)
				c, _ := st.legsCall(ends{}, right)
				rs := st.srs().Accept()
				c.recorded(rs, 50)
				c.quiet()
				for label, from := range map[string]*peer.Media{"1": c.a, "2": c.b} {
					gapless(t, rs.Streams[label], rs.Streams[label].Packets()[0].Number, from.Sent())
				}
				c.hangUp()
				rs.End()
				c.judge(rs)
			})
		}
	}
}

// What is on the wire: neither towards an SRS that answers SRTP in clear nor towards such a callee is there a packet of
// the parties, and where SRTP was agreed none that can be read.
func TestNothingInClearOnTheWire(t *testing.T) {
	t.Run("SRS answers in clear", func(t *testing.T) {
		wire := capture(t)
		st := newStage(t, setup{recorder: "    srtp: required\n    srtp_over_plain: true"})
		c := st.establish(dialing{})
		in := st.srs().Expect("INVITE")
		rs := st.srs().Take(in)
		st.srs().Dress = nil
		in.Reply(200, peer.WithSDP(rs.Answer())) // RTP/AVP, no key
		in.ExpectOther("ACK")
		rs.Dialog.AnswerBye()
		c.heard(50)
		c.quiet()
		c.hangUp()
		wire.judge(srsAddr(0), false)
		wire.judge(calleeIP, true) // the capture sees what there is
	})
	t.Run("callee answers in clear", func(t *testing.T) {
		wire := capture(t)
		st := newStage(t, setup{route: route("off", "required"), srs: -1, noPolicy: true})
		c := st.invite(dialing{})
		to := firstMedia(t, c.in.Message).rtp.Addr()
		for port := uint16(22000); port < 22040; port += 2 {
			c.a.Send(addrPort(fmt.Sprintf("%s:%d", to, port)))
		}
		c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
		c.out.Expect(488)
		c.right = c.in.Dialog()
		c.right.Expect("ACK")
		c.right.AnswerBye()
		wire.judge(calleeIP, false)
		wire.judge(to.String(), true)
	})
	t.Run("agreed", func(t *testing.T) {
		wire := capture(t)
		st := newStage(t, setup{route: route("off", "required"), recorder: "    srtp: required\n    srtp_over_plain: true"})
		takesSRTP(t, st.srs(), cm80)
		c, _ := st.legsCall(ends{}, ends{suite: cm80, asked: "RTP/SAVP"})
		rs := st.srs().Accept()
		c.recorded(rs, 50)
		c.heard(10)
		c.quiet()
		c.hangUp()
		rs.End()
		wire.judge(calleeIP, false)
		wire.judge(srsAddr(0), false)
		wire.judge(callerIP, true)
	})
}

// takesSRTPBy is takesSRTP with another transform than ours.
func takesSRTPBy(t *testing.T, rec *peer.Recorder, suite string, by func(*sdes, string) func([]byte) []byte) {
	rec.Dress = func(s *peer.Session, m peer.SDPMedia, line *peer.Line) {
		theirs := keyOf(t, m, suite)
		theirs.by = by
		if len(s.Offers) == 1 {
			s.Streams[m.Label].Protect(nil, theirs.open())
		}
		line.Proto = m.Proto
		line.Extra = []string{strings.TrimSuffix(newSDES(t, theirs.tag, suite).attribute(), "|2^31")}
	}
}

// Holds, new keys and numbers that begin anew, opened by libsrtp.
func TestLibsrtpOverACallsLife(t *testing.T) {
	needLibsrtp(t)
	right := ends{suite: gcm256, asked: "RTP/SAVP", by: libsrtp}
	t.Run("plain to SRTP", func(t *testing.T) { srtpLife(t, ends{}, right) })
	t.Run("SRTP to SRTP", func(t *testing.T) { srtpLife(t, ends{suite: cm80, by: libsrtp}, right) })
}
