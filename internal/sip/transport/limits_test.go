package transport_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// servers are a listener of each protocol on one layer, and how to reach them.
func servers(t *testing.T) (r *rig, reach map[string]func() net.Conn) {
	t.Helper()
	cert, pool := selfSigned(t, "srs.example.com")
	r = newRig(t, transport.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	reach = map[string]func() net.Conn{}
	for _, proto := range []string{"udp", "tcp", "tls"} {
		l := r.listen(proto + "://127.0.0.1:0")
		reach[proto] = func() net.Conn {
			c := dialled(t, l)
			if proto == "tls" {
				c = tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "srs.example.com"})
			}
			return c
		}
	}
	return r, reach
}

// What is just within each limit is taken, what is above is answered with the status
// that says why, over every protocol; of the streams only the one on which the borders
// of messages are lost is closed.
func TestLimitsOfMessages(t *testing.T) {
	r, reach := servers(t)
	padded := func(n int, field func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(field(i))
		}
		return strings.Replace(request("padded", via, ""), "Max-Forwards", b.String()+"Max-Forwards", 1)
	}
	filler := func(int) string { return "X-Filler: x\r\n" }
	long := func(n int) string {
		return padded(1, func(int) string { return "X: " + strings.Repeat("a", n-1) + "\r\n" })
	}
	params := func(n int) string {
		return padded(1, func(int) string { return "Contact: <sip:a@x>" + strings.Repeat(";p", n) + "\r\n" })
	}
	uri := func(n int) string {
		return strings.Replace(request("uri", via, ""), "sip:x@", "sip:"+strings.Repeat("x", n)+"@", 1)
	}
	sized := func(n int) string {
		head := len(request("sized", via, strings.Repeat("b", 10000))) - 10000
		return request("sized", via, strings.Repeat("b", n-head))
	}
	const own = 7 // fields of request
	for _, tc := range []struct {
		what, raw, status string // status "": taken
		streams           bool   // more than a datagram holds
	}{
		{what: "200 fields", raw: padded(200-own, filler)},
		{what: "201 fields", raw: padded(201-own, filler), status: "400 Too Many Header Fields"},
		{what: "a field of 8 KiB", raw: long(8 << 10)},
		{what: "a field of more", raw: long(8<<10 + 1), status: "400 Header Field Too Long"},
		{what: "64 parameters", raw: params(64)},
		{what: "65 parameters", raw: params(65), status: "400 Malformed Contact"},
		{what: "a start line of 4 KiB", raw: uri(4<<10 - len("OPTIONS sip:@example.com SIP/2.0"))},
		{what: "a start line of more", raw: uri(4<<10 + 1 - len("OPTIONS sip:@example.com SIP/2.0")), status: "414 Request-URI Too Long"},
		{what: "60,000 octets", raw: sized(60000)},
		{what: "all octets", raw: sized(sip.MaxMessage), streams: true},
		{what: "one octet more", raw: sized(sip.MaxMessage + 1), status: "513 Message Too Large", streams: true},
	} {
		for proto, connect := range reach {
			if proto == "udp" && tc.streams {
				continue // a datagram has less than 65,508
			}
			t.Run(tc.what+" over "+proto, func(t *testing.T) {
				c := connect()
				if _, err := io.WriteString(c, tc.raw); err != nil {
					t.Fatal(err)
				}
				if tc.status == "" {
					if m := r.next(); m.Flow.Proto != proto || len(m.Msg.Bytes()) != len(tc.raw)+len(";received=127.0.0.1=")+len(port(c)) {
						t.Errorf("%d octets by %s have become %d", len(tc.raw), m.Flow.Proto, len(m.Msg.Bytes()))
					}
					return
				}
				if got, _, _ := strings.Cut(read(t, c), "\r\n"); got != "SIP/2.0 "+tc.status {
					t.Errorf("answered %q, want %s", got, tc.status)
				}
				fmt.Fprint(c, request("next", via, "")) // the connection goes on
				if m := r.next(); m.Msg.CallID() != "next" {
					t.Errorf("then came %s", m.Msg.CallID())
				}
			})
		}
	}
}

// port is that of our end, as rport tells it; the via of request asks for one.
func port(c net.Conn) string {
	_, p, _ := net.SplitHostPort(c.LocalAddr().String())
	return p
}

// By an accepted TLS connection goes what belongs to who has made it, and nothing
// else: nobody has checked there that he is who the next hop of another request must
// be, whatever his Via says of an alias (RFC 5923 §8.2). By TCP there is nothing to
// check, and a connection to that very address is used.
func TestAcceptedConnectionsAreNotAliases(t *testing.T) {
	r, reach := servers(t)
	for _, proto := range []string{"tcp", "tls"} {
		c := reach[proto]()
		fmt.Fprint(c, request("in", strings.Replace(via, ";rport", ";alias;rport", 1), ""))
		in := r.next().Flow
		anew := in
		anew.Conn = 0
		for _, name := range []string{"", "other.example.com", "127.0.0.1"} {
			anew.Server = name
			_, found := r.Find(anew)
			if err := r.Send(anew, []byte(request("out", via, ""))); found != (proto == "tcp") || (err == nil) != found {
				t.Errorf("%s: a request to %q finds the connection: %t, is sent: %v", proto, name, found, err)
			}
			if found && !strings.Contains(read(t, c), "out") {
				t.Errorf("%s: another message", proto)
			}
		}
		if proto == "tls" { // a connection of our own is asked for, which nobody there takes
			if res := dial(r, anew, "other.example.com", time.Second); res.err == nil {
				t.Errorf("connected by %+v", res.flow)
			}
		}
		if err := r.Send(in, []byte(request("back", via, ""))); err != nil {
			t.Errorf("%s: to who has made the connection: %v", proto, err)
		}
		if got := read(t, c); !strings.Contains(got, "Call-ID: back") {
			t.Errorf("%s: he got %q", proto, got)
		}
	}
}
