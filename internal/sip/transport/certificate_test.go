package transport_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/url"
	"testing"

	"sidetrack/internal/sip/transport"
)

// Which names a certificate bears (RFC 5922 §7.1, §7.2): those of its
// subjectAltName; a wildcard in it is the name of nobody, while one that the
// operator writes stands for a level of names.
func TestNamesThatACertificateBears(t *testing.T) {
	uri := func(s string) []*url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return []*url.URL{u}
	}
	for what, tc := range map[string]struct {
		cert *x509.Certificate
		name string
		want bool
	}{
		"a DNS name":            {&x509.Certificate{DNSNames: []string{"srs.example"}}, "SRS.example", true},
		"another":               {&x509.Certificate{DNSNames: []string{"srs.example"}}, "example", false},
		"a domain's URI":        {&x509.Certificate{URIs: uri("sip:srs.example")}, "srs.example", true},
		"a user's URI":          {&x509.Certificate{URIs: uri("sip:alice@srs.example")}, "srs.example", false},
		"a wildcard shown":      {&x509.Certificate{DNSNames: []string{"*.example"}}, "srs.example", false},
		"a wildcard asked for":  {&x509.Certificate{DNSNames: []string{"srs.example"}}, "*.example", true},
		"two levels below":      {&x509.Certificate{DNSNames: []string{"a.srs.example"}}, "*.example", false},
		"wildcards on both":     {&x509.Certificate{DNSNames: []string{"*.example"}}, "*.example", false},
		"an address":            {&x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}, "192.0.2.1", true},
		"an address for a name": {&x509.Certificate{DNSNames: []string{"srs.example"}}, "192.0.2.1", false},
		"a common name":         {&x509.Certificate{Subject: pkix.Name{CommonName: "srs.example"}}, "srs.example", true},
	} {
		a := transport.Authority{Names: []string{tc.name}}
		if got := a.Bears(tc.cert); got != tc.want {
			t.Errorf("%s: %t", what, got)
		}
	}
	if !(&transport.Authority{}).Bears(&x509.Certificate{}) {
		t.Error("no name is asked for, and yet one is missing")
	}
}
