package scenario_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// signer makes certificates that one authority vouches for.
type signer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newSigner(t *testing.T) *signer {
	s := &signer{t: t}
	var made tls.Certificate
	made, s.key = s.make(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "authority"}})
	s.cert = made.Leaf
	return s
}

// issue makes a certificate for a name, or an address.
func (s *signer) issue(name string) tls.Certificate {
	template := &x509.Certificate{DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	made, _ := s.make(template)
	return made
}

func (s *signer) make(template *x509.Certificate) (tls.Certificate, *ecdsa.PrivateKey) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	s.next++
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(s.next), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, by := s.cert, s.key
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		s.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, key
}

// files writes a certificate and its key, and gives their names.
func (s *signer) files(c tls.Certificate) (cert, key string) {
	s.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		s.t.Fatal(err)
	}
	dir := s.t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return cert, key
}

// behind is an address from where a peer that speaks TCP reaches a TLS socket with that certificate.
func (s *signer) behind(socket string, cert tls.Certificate) netip.AddrPort {
	s.t.Helper()
	l, err := net.Listen("tcp", srsIP+":0")
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.cert)
	join(s.t, l, func() (net.Conn, error) {
		out, err := tls.Dial("tcp", socket, &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots})
		if err != nil {
			s.t.Errorf("TLS to %s: %v", socket, err)
			return nil, err // not a *tls.Conn that is nil
		}
		return out, nil
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// An SRS that must be known by its certificate is let in with it; with another that the same authority has signed, or
// without TLS, it is not.
func TestAnSRSIsKnownByItsCertificate(t *testing.T) {
	s := newSigner(t)
	cert, key := s.files(s.issue(systemIP))
	ca, _ := s.files(tls.Certificate{Certificate: [][]byte{s.cert.Raw}, PrivateKey: s.key})
	socket := freePort(t, systemIP)
	st := newStage(t, setup{noPolicy: true, recorder: "    accept: {certificate: [other-rooms.test, quality.test]}\n", sockets: fmt.Sprintf("%q, ", "tls://"+socket),
		sip: fmt.Sprintf("tls: {certificate: %q, key: %q, ca: %q, verify_client: true}", cert, key, ca)})
	c := st.establish(dialing{})
	us := "sip:alice@" + st.sys.SIP.String()
	if got := st.srs().AskOver("tcp", s.behind(socket, s.issue("elsewhere.test")), us).ExpectFinal(); got.Status() != 403 {
		t.Errorf("with another's certificate: %s", got.Start)
	}
	if got := st.srs().AskOver("tcp", s.behind(socket, s.issue("*.test")), us).ExpectFinal(); got.Status() != 403 {
		t.Errorf("with a certificate for every name (RFC 5922 §7.2): %s", got.Start)
	}
	if got := st.srs().Ask(st.sys.SIP, us).ExpectFinal(); got.Status() != 403 {
		t.Errorf("without TLS: %s", got.Start)
	}
	rs := st.srs().Asked(st.srs().AskOver("tcp", s.behind(socket, s.issue("quality.test")), us, peer.With("Contact", "<sip:srs@"+srsIP+">;+sip.srs")))
	c.recorded(rs, 5)
	hold(c, rs) // our updates go back by the connection that the SRS has opened
	rs.Dialog.Bye()
	st.result("partial")
	c.hangUp()
}
