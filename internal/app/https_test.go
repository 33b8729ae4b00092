package app_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The API by TLS: who trusts the authority is answered, who does not ends in the handshake, and who speaks in clear is
// told to use TLS, whatever he asks for. A certificate that takes the place of another is shown to the next who connects; files that cannot
// be used leave the old one in force.
func TestAPIByTLS(t *testing.T) {
	dir := t.TempDir()
	ca, strangers := newAuthority(t, "ours"), newAuthority(t, "strangers")
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	put := func(serial int64) {
		pair := ca.issue(t, func(c *x509.Certificate) {
			c.SerialNumber.SetInt64(serial)
			c.IPAddresses = []net.IP{net.ParseIP(home(1))}
		})
		der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		write(t, cert, "CERTIFICATE", pair.Certificate[0])
		write(t, key, "PRIVATE KEY", der)
	}
	put(11)
	s := open(t, `http: {listen: "`+home(1)+`:0"}`, `http: {listen: "`+home(1)+`:0", tls: {certificate: `+cert+`, key: `+key+`}}`)
	at := s.app.HTTPAddr().String()
	ask := func(by *authority) (status int, serial int64, err error) {
		roots := x509.NewCertPool()
		roots.AddCert(by.cert)
		one := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
		resp, err := one.Get("https://" + at + "/api/v1/recorders")
		if err != nil {
			return 0, 0, err
		}
		resp.Body.Close()
		return resp.StatusCode, resp.TLS.PeerCertificates[0].SerialNumber.Int64(), nil
	}
	shows := func(want int64) {
		t.Helper()
		if status, serial, err := ask(ca); status != 200 || serial != want {
			t.Errorf("status %d, certificate %d, error %v; wanted certificate %d", status, serial, err, want)
		}
	}
	shows(11)
	if _, _, err := ask(strangers); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("who does not know the authority: %v", err)
	}
	for _, path := range []string{"/api/v1/recorders", "/healthz", "/"} {
		resp, err := http.Get("http://" + at + path)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || string(got) != "Client sent an HTTP request to an HTTPS server.\n" {
			t.Errorf("%s in clear: %d %s", path, resp.StatusCode, got)
		}
	}
	if said := s.log.String(); !strings.Contains(said, "https://"+at) {
		t.Errorf("the log does not say that it is https:\n%s", said)
	}

	same := parse(t, text(s.names...))
	put(12)
	shows(11)
	if err := s.app.Reload(same); err != nil {
		t.Fatal(err)
	}
	if now := s.app.HTTPAddr().String(); now != at {
		t.Errorf("the socket has changed from %s to %s", at, now)
	}
	shows(12)
	write(t, key, "PRIVATE KEY", []byte("none"))
	if err := s.app.Reload(same); err == nil || !strings.Contains(err.Error(), "http.tls: ") {
		t.Errorf("reloaded with a key that is none: %v", err)
	}
	shows(12)
}

// With http.tls.verify_client the API speaks with nobody who does not show a certificate of the authority, be it for the health;
// a token is needed besides. A reload that asks for it counts for the next connection.
func TestAPIByClientCertificate(t *testing.T) {
	const token = "read-0123456789abcdef"
	dir := t.TempDir()
	ca, strangers := newAuthority(t, "ours"), newAuthority(t, "strangers")
	file := func(name string) string { return filepath.Join(dir, name) }
	pair := ca.issue(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP(home(1))} })
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file("cert.pem"), "CERTIFICATE", pair.Certificate[0])
	write(t, file("key.pem"), "PRIVATE KEY", der)
	write(t, file("ca.pem"), "CERTIFICATE", ca.cert.Raw)
	web := func(verify string) string {
		return `http: {local: none, tokens: [{name: eyes, role: read, token: ` + token + `}], tls: {certificate: ` + file("cert.pem") + `, key: ` + file("key.pem") +
			`, ca: ` + file("ca.pem") + `, verify_client: ` + verify + `}, `
	}
	s := open(t, "http: {", web("true"))
	at := "https://" + s.app.HTTPAddr().String()
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	ask := func(path, token string, shown ...tls.Certificate) int {
		// What is shown is shown whoever is asked for it: a client may be of bad faith.
		show := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &append(shown, tls.Certificate{})[0], nil
		}
		c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, GetClientCertificate: show}}}
		req, err := http.NewRequest("GET", at+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := c.Do(req)
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	client := func(change func(*x509.Certificate)) tls.Certificate { return ca.issue(t, change) }
	good := client(func(*x509.Certificate) {})
	for name, c := range map[string]struct {
		shown  []tls.Certificate
		token  string
		health int // 0: the handshake has failed
		list   int
	}{
		"certificate and token":      {[]tls.Certificate{good}, token, 200, 200},
		"certificate alone":          {[]tls.Certificate{good}, "none", 200, 401},
		"token alone":                {nil, token, 0, 0},
		"of another authority":       {[]tls.Certificate{strangers.issue(t, func(*x509.Certificate) {})}, token, 0, 0},
		"expired":                    {[]tls.Certificate{client(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })}, token, 0, 0},
		"a server's, not a client's": {[]tls.Certificate{client(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, token, 0, 0},
	} {
		if health, list := ask("/healthz", c.token, c.shown...), ask("/api/v1/recorders", c.token, c.shown...); health != c.health || list != c.list {
			t.Errorf("%s: health %d, list %d; wanted %d, %d", name, health, list, c.health, c.list)
		}
	}
	for _, step := range []struct {
		verify string
		want   int
	}{{"false", 200}, {"true", 0}} {
		names := append([]string{"http: {", web(step.verify)}, s.names[2:]...)
		if err := s.app.Reload(parse(t, text(names...))); err != nil {
			t.Fatal(err)
		}
		if got := ask("/api/v1/recorders", token); got != step.want {
			t.Errorf("verify_client %s: %d without a certificate, wanted %d", step.verify, got, step.want)
		}
	}
}
