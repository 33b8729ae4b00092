package b2bua_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sidetrack/b2bua"
	"sidetrack/internal/sip/digest"
	"sidetrack/tests/peer"
)

// office is many phones behind one address, by UDP or by one connection.
type office struct {
	t      *testing.T
	conn   net.Conn
	lines  *bufio.Reader
	number int
	nonce  string // of the last challenge
	busy   int    // Retry-After fields
}

// register has so many phones register, with an Authorization that has the nonce of the last challenge if any.
func (o *office) register(phones int, credentials string) {
	o.t.Helper()
	if credentials != "" {
		credentials = "Authorization: " + strings.ReplaceAll(credentials, "NONCE", o.nonce) + "\r\n"
	}
	for range phones {
		o.number++
		_, err := fmt.Fprintf(o.conn, "REGISTER sip:gate.test SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bKo%d;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:alice@gate.test>;tag=%[3]d\r\nTo: <sip:alice@gate.test>\r\nCall-ID: phone%[3]d\r\nCSeq: 1 REGISTER\r\nContact: <sip:alice@%[2]s>\r\n%[4]sContent-Length: 0\r\n\r\n",
			strings.ToUpper(o.conn.LocalAddr().Network()), o.conn.LocalAddr(), o.number, credentials)
		if err != nil {
			o.t.Fatal(err)
		}
	}
}

// answers counts by status what comes, until so many have come.
func (o *office) answers(n int) map[string]int {
	o.t.Helper()
	got := map[string]int{}
	_ = o.conn.SetReadDeadline(time.Now().Add(peer.Patience))
	for left := n; left > 0; {
		line, err := o.lines.ReadString('\n')
		if err != nil {
			o.t.Fatalf("of %d answers %v came, then %v", n, got, err)
		}
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "SIP/2.0 "):
			got[line[8:11]]++
		case strings.HasPrefix(line, "Retry-After: "):
			o.busy++
		case line == "":
			left--
		default:
			if _, nonce, ok := strings.Cut(line, `nonce="`); ok {
				o.nonce, _, _ = strings.Cut(nonce, `"`)
			}
		}
	}
	return got
}

// After a restart all phones of an office come back at once, behind one address: each of them is asked who it is. Wrong
// passwords are soon too many; by a connection that is said, too.
func TestAnOfficeComesBack(t *testing.T) {
	users := map[string]digest.Keys{"alice": {digest.MD5: digest.HA1(digest.MD5, "alice", "gate.test", "s3cret")}}
	for network, phones := range map[string]int{"udp": 90, "tcp": 900} {
		t.Run(network, func(t *testing.T) {
			s := newStage(t, setup{auth: &b2bua.Auth{Gate: digest.NewGate("gate.test", []digest.Algorithm{digest.MD5}, users)}, trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.99/32")}, pbxAt: "127.0.0.99"})
			conn, err := net.Dial(network, s.proxy.String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			o := &office{t: t, conn: conn, lines: bufio.NewReaderSize(conn, 1<<16)}
			for left := phones; left > 0; left -= 30 { // so that no datagram is lost
				o.register(30, "")
				if got := o.answers(30); got["401"] != 30 {
					t.Fatalf("phone %d and others are told %v", phones-left+1, got)
				}
			}
			if network == "udp" {
				return
			}
			const guesses = 40
			o.register(guesses, `Digest username="alice", realm="gate.test", nonce="NONCE", uri="sip:gate.test", response="0", algorithm=MD5, qop=auth, nc=00000001, cnonce="x"`)
			got := o.answers(guesses)
			if got["401"]+got["503"] != guesses || got["503"] < guesses/2 || o.busy != got["503"] {
				t.Errorf("%d wrong passwords are told %v, %d of them when to come back", guesses, got, o.busy)
			}
		})
	}
}
