package src_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// authority is a certificate authority of a test.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key, pool: x509.NewCertPool()}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, key.Public(), key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// issue makes a certificate for an address or a name that is good until then.
func (a *authority) issue(host string, until time.Time) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// behindTLS gives the URI of a TLS port before the recorder's TCP port. Who connects there must show a certificate of
// that authority, where there is one.
func behindTLS(t *testing.T, rec *peer.Recorder, cert tls.Certificate, clients *authority) string {
	t.Helper()
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
	if clients != nil {
		cfg.ClientCAs, cfg.ClientAuth = clients.pool, tls.RequireAndVerifyClientCert
		cfg.MaxVersion = tls.VersionTLS12 // by TLS 1.3 a client may not learn why it is refused
	}
	l, err := tls.Listen("tcp", srsHost+":0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { join(conn, rec.Addr().String()) })
		}
	})
	return "sip:" + l.Addr().String() + ";transport=tls"
}

// join passes bytes between a connection and an address until either side ends.
func join(conn net.Conn, to string) {
	defer conn.Close()
	if conn.(*tls.Conn).Handshake() != nil {
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	done := make(chan struct{}, 2)
	pass := func(a, b net.Conn) {
		_, _ = io.Copy(a, b) // its end is what counts
		done <- struct{}{}
	}
	go pass(conn, far)
	go pass(far, conn)
	<-done
	conn.Close()
	far.Close()
	<-done
}

func trusting(a *authority, own ...tls.Certificate) func(*setup) {
	return func(s *setup) { s.tls = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.pool, Certificates: own} }
}

var soon = time.Now().Add(time.Hour)

// TLS with a certificate of our own that the SRS demands. Its Contact names no transport: ACK, updates and BYE stay on
// the connection. The SRS drops it in mid-dialog: the session goes on over a new one.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	rec := newSRS(t, "srs", "tcp")
	uri := behindTLS(t, rec, ca.issue(srsHost, soon), ca)
	r := newRig(t, []string{uri}, trusting(ca, ca.issue(ourHost, soon)))
	c := r.newCall()
	c.talk()
	c.begin()
	contact := peer.With("Contact", "<sip:srs@"+srsHost+">;+sip.srs")
	s := rec.AcceptInvite(rec.Expect("INVITE"), contact)
	if via := s.Invite.Get("Via"); !strings.HasPrefix(via, "SIP/2.0/TLS ") {
		t.Errorf("Via: %s", via)
	}
	hears(t, c, s)
	c.spoken(250) // past the quiet time after the start
	rec.DropConnections()
	rec.Expect("OPTIONS").Reply(200)
	c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Robert" })
	in := s.ExpectUpdate()
	in.Reply(200, peer.WithSDP(s.Answer()), contact)
	for _, m := range []*peer.Incoming{in, in.ExpectOther("ACK")} {
		if via := m.Get("Via"); !strings.HasPrefix(via, "SIP/2.0/TLS ") {
			t.Errorf("%s: Via: %s", m.Method(), via)
		}
	}
	hears(t, c, s)
	finish(t, c, s)
	if v := r.last(c.view().ID); v.Moves != 0 || len(v.View.Attempts) != 1 {
		t.Errorf("%+v", v)
	}
}

// Two recorders at one address, each with its own authority, server name and certificate of ours: their sessions do not
// meet on a connection, and what has to connect again in mid-dialog does so as it did at first. The layer's own
// settings would be good for neither.
func TestTLSPerRecorder(t *testing.T) {
	t.Parallel()
	one, other := newAuthority(t), newAuthority(t)
	rec := newSRS(t, "srs", "tcp")
	uri := behindTLS(t, rec, one.issue("srs.example.com", soon), other)
	keys := func(ours tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: one.pool, ServerName: "srs.example.com", Certificates: []tls.Certificate{ours}}
	}
	r := newRig(t, []string{uri}, trusting(other), func(s *setup) {
		s.recorder.TLS = keys(other.issue("main", soon))
		s.further = []src.Recorder{{Name: "second", SRS: []string{uri}, TLS: keys(one.issue("second", soon)), Timeout: time.Second}}
		s.rule.Also = []string{"second"}
		s.ports = 64
	})
	c := r.newCall()
	c.talk()
	c.begin()
	contact := peer.With("Contact", "<sip:srs@"+srsHost+">;+sip.srs")
	s := rec.AcceptInvite(rec.Expect("INVITE"), contact)
	hears(t, c, s)
	if v := c.of("second", metadata.StateEnded); v.Result != src.Failed {
		t.Errorf("the recorder to which we show a certificate that nobody vouches for: %+v", v)
	}
	rec.DropConnections()
	c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Robert" })
	s.ExpectUpdate().Reply(200, peer.WithSDP(s.Answer()), contact)
	hears(t, c, s)
	c.end()
	s.End()
	if v := c.of("main", metadata.StateEnded); v.Result != src.Complete || len(v.Attempts) != 1 {
		t.Errorf("%+v", v)
	}
}

// SRTP as an operator has it: required, and its keys go over TLS alone. The SRS that is first in line is reached in clear:
// it is not asked at all, not even when the one behind TLS refuses.
func TestSRTPOverTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	clear := newSRS(t, "clear", "tcp")
	clear.Auto("INVITE", func(in *peer.Incoming) bool {
		t.Error("the SRS in clear was asked")
		in.Reply(503)
		return true
	})
	v := newVault(t, "AEAD_AES_256_GCM", "tcp")
	uri := behindTLS(t, v.Recorder, ca.issue(srsHost, soon), nil)
	r := newRig(t, []string{clear.URI(";transport=tcp"), uri}, trusting(ca), func(s *setup) { s.recorder.SRTP = src.SRTPRequired })
	c := r.newCall()
	c.talk()
	c.begin()
	s := v.Accept(peer.With("Contact", "<sip:srs@"+srsHost+">;+sip.srs"))
	hears(t, c, s)
	if via := s.Invite.Get("Via"); !strings.HasPrefix(via, "SIP/2.0/TLS ") {
		t.Errorf("keys went by %s", via)
	}
	for _, m := range s.Offer().Media {
		if m.Proto != "RTP/SAVP" || m.Attr("crypto") == "" {
			t.Errorf("offered %s, crypto %q", m.Proto, m.Attr("crypto"))
		}
	}
	for label, stream := range s.Streams {
		for _, p := range stream.Packets() {
			if p.Party == "" {
				t.Fatalf("label %s: a packet that its key does not open", label)
			}
		}
	}
	if got := c.view(); got.SRS != uri || len(got.Attempts) != 2 || got.Attempts[0].SRS != clear.URI(";transport=tcp") ||
		!strings.Contains(got.Attempts[0].Reason, "without TLS") {
		t.Errorf("%+v", got)
	}
	finish(t, c, s)

	again := r.newCall()
	again.talk()
	again.begin()
	in := v.Expect("INVITE")
	in.Reply(503)
	in.ExpectOther("ACK")
	again.ended(src.Failed)
	again.end()
}

// Certificates that are not to be believed: the session goes to nobody, and the log says why.
func TestTLSRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		ip    string
		until time.Time
		other bool // of an authority that we do not know
		fault string
		own   bool // the SRS wants a certificate of ours, and takes none of this authority
		why   string
	}{
		"expired":      {ip: srsHost, until: time.Now().Add(-time.Minute), fault: "expired", why: "expired"},
		"another name": {ip: "127.0.0.77", until: soon, fault: "name", why: "certificate is valid for 127.0.0.77, not " + srsHost},
		"another CA":   {ip: srsHost, until: soon, other: true, fault: "authority", why: "unknown authority"},
		"our own":      {ip: srsHost, until: soon, own: true, fault: "ours", why: "unknown certificate authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca, issuer := newAuthority(t), (*authority)(nil)
			if issuer = ca; tt.other {
				issuer = newAuthority(t)
			}
			var clients *authority
			if tt.own {
				clients = newAuthority(t)
			}
			rec := newSRS(t, "srs", "tcp")
			r := newRig(t, []string{behindTLS(t, rec, issuer.issue(tt.ip, tt.until), clients)}, trusting(ca, ca.issue(ourHost, soon)))
			c := r.newCall()
			c.talk()
			c.begin()
			v := c.ended(src.Failed)
			if len(v.Attempts) != 1 || !strings.Contains(v.Attempts[0].Reason, tt.why) {
				t.Errorf("attempts: %+v", v.Attempts)
			}
			line := `msg="certificate of the SRS refused"`
			if tt.own {
				line = `msg="our certificate refused by the SRS"`
			}
			for _, want := range []string{tt.why, line, " fault=" + tt.fault + " "} {
				if !strings.Contains(r.log.String(), want) {
					t.Errorf("the log does not say %q", want)
				}
			}
			if n := r.metric(t, "sidetrack_srs_certificates_refused_total", "reason", tt.fault); n != 1 {
				t.Errorf("%v counted for %s", n, tt.fault)
			}
			if n := r.metric(t, "sidetrack_srs_attempts_total"); n != 1 {
				t.Errorf("%v attempts counted", n)
			}
			if in := rec.Maybe("INVITE", 0); in != nil {
				t.Error("INVITE to who is not to be believed")
			}
			c.end()
		})
	}
}
