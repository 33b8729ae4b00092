package main

import (
	"crypto/ed25519"
	"crypto/rand"
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
