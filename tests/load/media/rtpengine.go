//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"

	"sidetrack/tests/load/traffic"
	"sidetrack/tests/peer"
)

// rtpengine is Debian's, without its kernel module.
type rtpengine struct {
	bin    string
	conn   *net.UDPConn
	cookie int
}

const ngPort = 2223

func (e *rtpengine) start() (*exec.Cmd, error) {
	lo, hi, _ := strings.Cut(mediaPorts, "-")
	cmd := exec.Command(e.bin, "--config-file=none", "--foreground", "--table=-1", "--interface="+host.String(),
		fmt.Sprintf("--listen-ng=%v:%d", host, ngPort), "--port-min="+lo, "--port-max="+hi,
		"--log-level=3", "--log-stderr", "--delete-delay=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, ngPort)))
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	e.conn = conn
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err = e.ask("ping"); err == nil {
			return cmd, nil
		}
		if time.Now().After(end) {
			return nil, errors.Join(errors.New("rtpengine does not answer its ng port"), err, cmd.Process.Kill(), conn.Close())
		}
	}
}

func (e *rtpengine) said() string { return "" }

func (e *rtpengine) close() { _ = e.conn.Close() }

// ask sends a command with its pairs of keys and values, in the order of keys
// that bencode wants or not: rtpengine takes any.
func (e *rtpengine) ask(command string, pairs ...any) (map[string]any, error) {
	e.cookie++
	cookie := fmt.Sprintf("c%d ", e.cookie)
	request := append([]byte(cookie), bencode(append([]any{"command", command}, pairs...)...)...)
	buf := make([]byte, 65536)
	for range 5 {
		if _, err := e.conn.Write(request); err != nil {
			return nil, err
		}
		if err := e.conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return nil, err
		}
		for {
			n, err := e.conn.Read(buf)
			if err != nil {
				break // once more
			}
			answer, ok := strings.CutPrefix(string(buf[:n]), cookie)
			if !ok {
				continue
			}
			dict, err := bdecode(answer)
			if err != nil {
				return nil, err
			}
			if r := dict["result"]; r != "ok" && r != "pong" {
				return nil, fmt.Errorf("%s: %v: %v", command, r, dict["error-reason"])
			}
			return dict, nil
		}
	}
	return nil, fmt.Errorf("%s: no answer", command)
}

func (e *rtpengine) connect(call int, plan traffic.Config) (toCaller, toCallee netip.AddrPort, err error) {
	id := fmt.Sprintf("call-%d", call)
	offered, err := e.sdp("offer", "call-id", id, "from-tag", "a", "ICE", "remove", "sdp", description(plan.Party(call, traffic.AB)))
	if err != nil {
		return toCaller, toCallee, err
	}
	answered, err := e.sdp("answer", "call-id", id, "from-tag", "a", "to-tag", "b", "ICE", "remove", "sdp", description(plan.Party(call, traffic.BA)))
	if err != nil {
		return toCaller, toCallee, err
	}
	for d, tag := range []string{"a", "b"} {
		offer, err := e.ask("subscribe request", "call-id", id, "from-tag", tag, "ICE", "remove")
		if err != nil {
			return toCaller, toCallee, err
		}
		at := plan.RecorderOf(0, call, traffic.Direction(d))
		if _, err := e.ask("subscribe answer", "call-id", id, "from-tag", tag, "to-tag", offer["to-tag"], "sdp", receiving(at)); err != nil {
			return toCaller, toCallee, err
		}
	}
	return answered, offered, nil
}

// sdp asks and gives the address that the answer's SDP names.
func (e *rtpengine) sdp(command string, pairs ...any) (netip.AddrPort, error) {
	answer, err := e.ask(command, pairs...)
	if err != nil {
		return netip.AddrPort{}, err
	}
	text, _ := answer["sdp"].(string)
	return address(command, []byte(text))
}

// address is where the first m-line of a description wants its media.
func address(what string, sdp []byte) (netip.AddrPort, error) {
	s := peer.ParseSDP(sdp)
	if len(s.Media) == 0 || !s.Media[0].Addr().IsValid() {
		return netip.AddrPort{}, fmt.Errorf("%s: no address in %q", what, sdp)
	}
	return s.Media[0].Addr(), nil
}

// description is a party's SDP.
func description(at netip.AddrPort) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %v\r\ns=-\r\nc=IN IP4 %v\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n",
		at.Addr(), at.Addr(), at.Port())
}

// receiving is the SDP of a recorder, one m-line for each address.
func receiving(at ...netip.AddrPort) string {
	s := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %v\r\ns=-\r\nc=IN IP4 %v\r\nt=0 0\r\n", host, host)
	for _, a := range at {
		s += fmt.Sprintf("m=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=recvonly\r\n", a.Port())
	}
	return s
}
