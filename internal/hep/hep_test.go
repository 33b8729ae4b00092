package hep_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/hep"
)

const patience = time.Minute

var (
	us   = netip.MustParseAddrPort("192.0.2.1:5060")
	them = netip.MustParseAddrPort("192.0.2.2:5070")
)

// chunks takes a packet apart.
func chunks(t *testing.T, b []byte) map[uint16]string {
	t.Helper()
	if len(b) < 6 || string(b[:4]) != "HEP3" || int(binary.BigEndian.Uint16(b[4:])) != len(b) {
		t.Fatalf("no packet of HEPv3: % x", b)
	}
	out := map[uint16]string{}
	for b = b[6:]; len(b) > 0; {
		size := int(binary.BigEndian.Uint16(b[4:]))
		if binary.BigEndian.Uint16(b) != 0 || size < 6 || size > len(b) {
			t.Fatalf("no chunk: % x", b)
		}
		out[binary.BigEndian.Uint16(b[2:])] = string(b[6:size])
		b = b[size:]
	}
	return out
}

// udp is a receiver of datagrams.
func udp(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func receive(t *testing.T, c *net.UDPConn) map[uint16]string {
	t.Helper()
	b := make([]byte, 1<<16)
	c.SetReadDeadline(time.Now().Add(patience))
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return chunks(t, b[:n])
}

func open(t *testing.T, cfg hep.Config, to hep.Receiver) *hep.Mirror {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	m := hep.Open(cfg, &to)
	t.Cleanup(func() { closeNow(m) })
	return m
}

func closeNow(m *hep.Mirror) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m.Close(ctx)
}

// What a SIP message becomes, over IPv4 and IPv6, and that a recording session has the Call-ID of its call.
func TestPackets(t *testing.T) {
	c := udp(t)
	m := open(t, hep.Config{Clean: bytes.ToUpper}, hep.Receiver{Proto: "udp", Address: c.LocalAddr().String(), ID: 2001, Node: "edge", Password: "secret"})
	m.SIP(us, them, false, []byte("a@b"), []byte("options"))
	got := receive(t, c)
	at := time.Unix(int64(binary.BigEndian.Uint32([]byte(got[9]))), int64(binary.BigEndian.Uint32([]byte(got[10])))*1000)
	if d := time.Since(at); d < 0 || d > patience {
		t.Errorf("sent at %v", at)
	}
	delete(got, 9)
	delete(got, 10)
	want := map[uint16]string{
		1: "\x02", 2: "\x11", 3: "\xc0\x00\x02\x01", 4: "\xc0\x00\x02\x02", 7: "\x13\xc4", 8: "\x13\xce", 11: "\x01",
		12: "\x00\x00\x07\xd1", 14: "secret", 15: "OPTIONS", 17: "a@b", 19: "edge",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}

	m.Relate("rs@b", "a@b")
	six := netip.MustParseAddrPort("[2001:db8::1]:5061")
	m.SIP(six, six, true, []byte("rs@b"), []byte("invite"))
	got = receive(t, c)
	if got[17] != "a@b" || got[1] != "\x0a" || got[2] != "\x06" || len(got[5]) != 16 || got[5] != got[6] || got[3] != "" || got[15] != "INVITE" {
		t.Errorf("over IPv6: %v", got)
	}
	m.Forget("rs@b") // its last messages may come again
	m.SIP(six, six, true, []byte("rs@b"), []byte("bye"))
	if got = receive(t, c); got[17] != "a@b" {
		t.Errorf("after its end: %v", got)
	}
	m.SIP(us, them, false, []byte("a@b"), []byte("\r\n\r\n")) // a keep-alive
	m.SIP(netip.AddrPort{}, them, false, nil, []byte("info"))
	if got = receive(t, c); got[15] != "INFO" || got[3] != "\x00\x00\x00\x00" || got[17] != "" {
		t.Errorf("without an address: %v", got)
	}
}

// A report is told as JSON with Homer's names; what is no report is left out.
func TestReports(t *testing.T) {
	c := udp(t)
	m := open(t, hep.Config{}, hep.Receiver{Proto: "udp", Address: c.LocalAddr().String()})
	block := rtcp.ReceptionReport{SSRC: 9, FractionLost: 3, TotalLost: 4, LastSequenceNumber: 5, Jitter: 6, LastSenderReport: 7, Delay: 8}
	sr, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.SenderReport{SSRC: 1, NTPTime: 2<<32 | 3, RTPTime: 4, PacketCount: 5, OctetCount: 6, Reports: []rtcp.ReceptionReport{block}},
		rtcp.NewCNAMESourceDescription(1, "x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	rr, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}})
	bye, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.Goodbye{Sources: []uint32{1}}})
	for _, b := range [][]byte{bye, []byte("\x80\xc8\x00"), nil, sr, rr} {
		m.Send(hep.Packet{Kind: hep.RTCP, From: us, To: them, CallID: "a@b", Payload: b})
	}
	got := receive(t, c)
	want := `{"sender_information":{"ntp_timestamp_sec":2,"ntp_timestamp_usec":3,"rtp_timestamp":4,"packets":5,"octets":6},"ssrc":1,"type":200,` +
		`"report_count":1,"report_blocks":[{"source_ssrc":9,"fraction_lost":3,"packets_lost":4,"highest_seq_no":5,"ia_jitter":6,"lsr":7,"dlsr":8}],"sdes_ssrc":1}`
	if got[11] != "\x05" || got[15] != want || got[17] != "a@b" {
		t.Errorf("%v", got)
	}
	if got = receive(t, c); got[15] != `{"ssrc":1,"type":201,"report_count":0,"report_blocks":[],"sdes_ssrc":1}` {
		t.Errorf("%v", got)
	}
}

// Over TCP and TLS packets follow each other; a receiver that goes away and comes back gets what comes then.
func TestStreams(t *testing.T) {
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS() // for its certificate
	defer srv.Close()
	for _, proto := range []string{"tcp", "tls"} {
		t.Run(proto, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { ln.Close() }()
			address := ln.Addr().String()
			to := hep.Receiver{Proto: proto, Address: address}
			accept := func() net.Conn {
				conn, err := ln.Accept()
				if err != nil {
					t.Fatal(err)
				}
				conn.SetDeadline(time.Now().Add(patience))
				if proto == "tls" {
					return tls.Server(conn, &tls.Config{Certificates: srv.TLS.Certificates})
				}
				return conn
			}
			if proto == "tls" {
				to.TLS = &tls.Config{RootCAs: roots(srv)}
			}
			reg := prometheus.NewRegistry()
			m := open(t, hep.Config{Registerer: reg}, to)
			payload := bytes.Repeat([]byte("x"), 3000)
			for range 20 {
				m.SIP(us, them, true, []byte("a@b"), payload)
			}
			conn := accept()
			for range 20 {
				if got := next(t, conn); got[15] != string(payload) {
					t.Fatalf("%d octets", len(got[15]))
				}
			}
			conn.Close()
			ln.Close()
			// Nobody is there: what comes now is lost, and counted.
			eventually(t, func() bool {
				m.SIP(us, them, true, []byte("a@b"), payload)
				return value(t, reg, "sidetrack_hep_dropped_packets_total", "sip", "connection") > 0
			})
			if ln, err = net.Listen("tcp", address); err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
					select {
					case <-stop:
						tick.Stop()
						return
					default:
						m.SIP(us, them, true, []byte("a@b"), payload)
					}
				}
			}()
			conn = accept()
			if got := next(t, conn); got[17] != "a@b" {
				t.Errorf("%v", got)
			}
			close(stop)
			<-done
			go io.Copy(io.Discard, conn)
			closeNow(m)
			conn.Close()
		})
	}
}

// A receiver that reads nothing costs packets, not time; so does a message that is longer than a packet.
func TestOverflow(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	reg := prometheus.NewRegistry()
	m := open(t, hep.Config{Registerer: reg}, hep.Receiver{Proto: "tcp", Address: ln.Addr().String()})
	m.Send(hep.Packet{Kind: hep.Log, From: us, To: them, Payload: bytes.Repeat([]byte("x"), 70_000)})
	eventually(t, func() bool { return value(t, reg, "sidetrack_hep_dropped_packets_total", "verdict", "size") == 1 })
	payload := bytes.Repeat([]byte("x"), 60_000)
	eventually(t, func() bool {
		m.SIP(us, them, true, []byte("a@b"), payload)
		return value(t, reg, "sidetrack_hep_dropped_packets_total", "sip", "queue") > 0
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close() // what is being written fails
	m.Close(ctx)
	m.SIP(us, them, true, []byte("a@b"), payload) // no more, and no panic
}

// Another receiver gets what comes from then on, and what still waits; the same address with another name keeps its
// connection, and without a receiver nothing is kept or counted.
func TestRedirect(t *testing.T) {
	listen := func() (*net.TCPListener, hep.Receiver) {
		ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		ln.SetDeadline(time.Now().Add(patience))
		return ln, hep.Receiver{Proto: "tcp", Address: ln.Addr().String(), Node: "edge"}
	}
	accept := func(ln *net.TCPListener) net.Conn {
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		return conn
	}
	one, to := listen()
	reg := prometheus.NewRegistry()
	m := open(t, hep.Config{Registerer: reg}, to)
	say := func(text string) { m.SIP(us, them, true, []byte("rs@b"), []byte(text)) }
	m.Relate("rs@b", "call@b")
	say("first")
	conn := accept(one)
	if got := next(t, conn); got[15] != "first" || got[17] != "call@b" || got[19] != "edge" {
		t.Errorf("%v", got)
	}
	renamed := to
	renamed.Node = "core"
	m.Redirect(&renamed)
	say("second")
	if got := next(t, conn); got[15] != "second" || got[19] != "core" {
		t.Errorf("%v", got)
	}
	two, other := listen()
	m.Redirect(&other)
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection before: %d %v", n, err)
	}
	say("third")
	conn = accept(two)
	if got := next(t, conn); got[15] != "third" || got[17] != "call@b" {
		t.Errorf("%v", got)
	}
	m.Redirect(nil)
	say("for nobody")
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection before: %d %v", n, err)
	}
	m.Redirect(&to)
	say("fourth")
	if got := next(t, accept(one)); got[15] != "fourth" || got[17] != "rs@b" {
		t.Errorf("%v", got)
	}
	eventually(t, func() bool { return value(t, reg, "sidetrack_hep_packets_total", "sip") == 4 }) // counted after it has left
}

// next reads one packet of a stream.
func next(t *testing.T, conn net.Conn) map[uint16]string {
	t.Helper()
	head := make([]byte, 6)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint16(head[4:]))
	copy(b, head)
	if _, err := io.ReadFull(conn, b[6:]); err != nil {
		t.Fatal(err)
	}
	return chunks(t, b)
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("never true")
}

// value reads a counter by the values of its labels.
func value(t *testing.T, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetValue())
			}
			if f.GetName() == name && strings.Join(have, " ") == strings.Join(labels, " ") {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func roots(srv *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return pool
}
