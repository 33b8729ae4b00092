package app_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	a.key, a.cert = sign(t, template, nil)
	return a
}

// issue makes a certificate; change makes it another one than that of trunk.example.
func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"trunk.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	change(template)
	key, cert := sign(t, template, a)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func sign(t *testing.T, template *x509.Certificate, by *authority) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = &authority{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

func write(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// secured is a phone's TLS connection to the proxy.
type secured struct {
	t     *testing.T
	conn  net.Conn
	in    *textproto.Reader
	asked int
}

func (s *stage) secured(to netip.AddrPort, cert ...tls.Certificate) *secured {
	s.t.Helper()
	cfg := &tls.Config{InsecureSkipVerify: true}
	if len(cert) > 0 { // whoever is asked for: many phones do not choose either
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert[0], nil }
	}
	from := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(home(4)), 0))}
	conn, err := tls.DialWithDialer(from, "tcp", to.String(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return &secured{t: s.t, conn: conn, in: textproto.NewReader(bufio.NewReader(conn))}
}

// ask sends a request to the proxy and gives the final status.
func (c *secured) ask(method, uri string) string {
	c.t.Helper()
	c.asked++
	_, err := fmt.Fprintf(c.conn, "%s %s SIP/2.0\r\nVia: SIP/2.0/TLS phone.test;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\nFrom: <sip:a@x.test>;tag=%[4]d\r\n"+
		"To: <%[2]s>\r\nCall-ID: %[3]s%[4]d\r\nCSeq: 1 %[1]s\r\nContact: <sip:a@phone.test;transport=tls>\r\nContent-Length: 0\r\n\r\n",
		method, uri, strings.ReplaceAll(c.conn.LocalAddr().String(), ":", "-"), c.asked)
	for err == nil {
		var line string
		if line, err = c.in.ReadLine(); err == nil {
			_, err = c.in.ReadMIMEHeader()
		}
		if status, ok := strings.CutPrefix(line, "SIP/2.0 "); err == nil && ok && status[0] != '1' {
			return status[:3]
		}
	}
	c.t.Fatal(err)
	return ""
}

// Who shows a certificate of the right authority and for the right name may start calls; nobody else, whatever is wrong
// with his. A reload puts another authority in force, for connections that are open, too.
func TestTrustByCertificate(t *testing.T) {
	dir := t.TempDir()
	partners, others := newAuthority(t, "partners"), newAuthority(t, "others")
	ca, own := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "own.pem")
	write(t, ca, "CERTIFICATE", partners.cert.Raw)
	write(t, own, "CERTIFICATE", others.cert.Raw)
	server := partners.issue(t, func(*x509.Certificate) {})
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", server.Certificate[0])
	write(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", key)
	s := open(t, `tcp://`+home(1)+`:0]`, `tls://`+home(1)+`:0, {url: "tls://`+home(6)+`:0", trusted_certificates: {ca: `+own+`}}]
  tls: {certificate: `+dir+`/cert.pem, key: `+dir+`/key.pem}
  trusted_certificates: {ca: `+ca+`, names: [trunk.example, "*.pbx.example"]}`, "trusted: [127.0.0.0/8]", "trusted: ["+home(2)+"]")
	all, second := s.app.Listeners()[1].Bound, s.app.Listeners()[2].Bound
	ping := "sip:" + all.String() + ";transport=tls"

	good := partners.issue(t, func(*x509.Certificate) {})
	for what, tt := range map[string]struct {
		cert tls.Certificate
		want string
	}{
		"for a name below": {partners.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"x", "One.PBX.example"} }), "200"},
		"for a sip: URI": {partners.issue(t, func(c *x509.Certificate) {
			c.DNSNames, c.URIs = nil, []*url.URL{{Scheme: "sip", Opaque: "trunk.example"}}
		}), "200"},
		"by its common name": {partners.issue(t, func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, "trunk.example" }), "200"},
		"for servers":        {partners.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "200"},
		"for SIP": {partners.issue(t, func(c *x509.Certificate) {
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 20}}
		}), "200"},

		"for mail":              {partners.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }), "403"},
		"of another authority":  {others.issue(t, func(*x509.Certificate) {}), "403"},
		"expired":               {partners.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "403"},
		"not yet valid":         {partners.issue(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }), "403"},
		"for another name":      {partners.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"trunk.example.org"} }), "403"},
		"for two names below":   {partners.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"a.one.pbx.example"} }), "403"},
		"for the name above":    {partners.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"pbx.example"} }), "403"},
		"for all names":         {partners.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"*.pbx.example", "*"} }), "403"},
		"with the name ignored": {partners.issue(t, func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = []string{"x"}, "trunk.example" }), "403"},
		"for a user": {partners.issue(t, func(c *x509.Certificate) {
			c.DNSNames, c.URIs = nil, []*url.URL{{Scheme: "sip", Opaque: "a@trunk.example"}}
		}), "403"},
	} {
		if got := s.secured(all, tt.cert).ask("OPTIONS", ping); got != tt.want {
			t.Errorf("%s: %s, want %s", what, got, tt.want)
		}
	}
	if got := s.secured(all).ask("OPTIONS", ping); got != "403" {
		t.Errorf("without a certificate: %s", got)
	}
	if got := s.secured(second, good).ask("OPTIONS", ping); got != "403" {
		t.Errorf("by the socket of others: %s", got)
	}
	if got := s.secured(second, others.issue(t, func(c *x509.Certificate) { c.DNSNames = nil })).ask("OPTIONS", ping); got != "200" {
		t.Errorf("the others, of any name: %s", got)
	}

	again := parse(t, text(s.names...))
	kept, theirs := s.secured(all, good), s.secured(all, others.issue(t, func(*x509.Certificate) {}))
	s.pbx.AutoReply("INVITE", 486)
	s.pbx.Auto("ACK", func(*peer.Incoming) bool { return true })
	if got := kept.ask("INVITE", "sip:bob@pbx.test"); got != "486" {
		t.Errorf("a call: %s", got)
	}
	if got := theirs.ask("OPTIONS", ping); got != "403" {
		t.Errorf("the others before the reload: %s", got)
	}
	write(t, ca, "CERTIFICATE", others.cert.Raw)
	if err := s.app.Reload(again); err != nil {
		t.Fatal(err)
	}
	if was, is := kept.ask("OPTIONS", ping), theirs.ask("OPTIONS", ping); was != "403" || is != "200" {
		t.Errorf("after the reload: %s and %s", was, is)
	}
	if err := os.Remove(ca); err != nil {
		t.Fatal(err)
	}
	if err := s.app.Reload(again); err == nil || !strings.Contains(err.Error(), "sip.trusted_certificates.ca") {
		t.Errorf("reloaded without the file: %v", err)
	}
	if got := theirs.ask("OPTIONS", ping); got != "200" {
		t.Errorf("after a reload that failed: %s", got)
	}
	s.eventually("refused certificates are counted", func() bool {
		return s.metric(`sidetrack_sip_rejected_total{reason="certificate"}`) >= "1"
	})
}
