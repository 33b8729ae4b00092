package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An API by TLS is believed when its certificate is signed by whom --ca names; else no token is shown to it, and one line
// says why.
func TestTheAPIByTLS(t *testing.T) {
	const token = "s3cret-0123456789"
	t.Setenv("SIDETRACK_TOKEN", token)
	server := httptest.NewUnstartedServer(whole(token))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are to fail
	server.StartTLS()
	defer server.Close()
	good, other := pemFile(t, server.Certificate().Raw), pemFile(t, stranger(t))
	elsewhere := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	plain := strings.Replace(server.URL, "https:", "http:", 1)
	for _, tt := range []struct {
		args   string
		status int
		err    string
	}{
		{"srs --api " + server.URL + " --ca " + good, 0, ""},
		{"srs --api " + server.URL, 1, "is not trusted (x509: certificate signed by unknown authority); --ca gives the file"},
		{"srs --api " + server.URL + " --ca " + other, 1, "certificate signed by unknown authority"},
		{"srs --api " + elsewhere + " --ca " + good, 1, "is not trusted (x509: certificate is valid for"},
		{"srs --api " + plain + " --ca " + good, 1, "write https://"},
		{"srs --api " + server.URL + " --ca " + good + "x", 1, "--ca: open " + good + "x: no such file"},
		{"tail --api " + server.URL, 1, "certificate signed by unknown authority"},
	} {
		status, out, err := try(strings.Fields(tt.args)...)
		if status != tt.status || !holds(err, tt.err) || (status == 0) != strings.Contains(out, "main") {
			t.Errorf("sidetrack %s: %d\nout: %s\nerr: %s", tt.args, status, out, err)
		}
		if status == 1 && (strings.Count(err, "\n") != 1 || !strings.HasPrefix(err, "sidetrack "+strings.Fields(tt.args)[0]+": ")) {
			t.Errorf("sidetrack %s: not one line of its own:\n%s", tt.args, err)
		}
	}
}

// An API that wants a certificate (http.tls.verify_client) is shown one; without, one line says what helps.
func TestTheAPIWantsACertificate(t *testing.T) {
	const token = "s3cret-0123456789"
	t.Setenv("SIDETRACK_TOKEN", token)
	pair, both := own(t)
	server := httptest.NewUnstartedServer(whole(token))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	server.TLS.ClientCAs.AddCert(pair)
	server.StartTLS()
	defer server.Close()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	block, rest := pem.Decode(both)
	for name, b := range map[string][]byte{cert: pem.EncodeToMemory(block), key: rest, filepath.Join(dir, "both.pem"): both} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ask := "srs --api " + server.URL + " --ca " + pemFile(t, server.Certificate().Raw)
	for _, tt := range []struct {
		args   string
		status int
		err    string
	}{
		{" --certificate " + cert + " --key " + key, 0, ""},
		{" --certificate " + filepath.Join(dir, "both.pem"), 0, ""},
		{"", 1, server.URL + " does not take our certificate (tls: certificate required); --certificate and --key give one"},
		{" --certificate " + cert, 1, "--certificate: tls: "},
		{" --key " + key, 1, "--key without --certificate"},
		{" --certificate " + cert + "x", 1, "no such file"},
	} {
		status, out, err := try(strings.Fields(ask + tt.args)...)
		if status != tt.status || !holds(err, tt.err) || (status == 0) != strings.Contains(out, "main") || strings.Count(err, "\n") > 1 {
			t.Errorf("sidetrack %s: %d\nout: %s\nerr: %s", tt.args, status, out, err)
		}
	}
}

// own is a certificate that has signed itself, and it with its key as PEM.
func own(t *testing.T) (*x509.Certificate, []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return cert, append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
}

// stranger is the certificate of an authority that has signed nothing.
func stranger(t *testing.T) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemFile(t *testing.T, der []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
