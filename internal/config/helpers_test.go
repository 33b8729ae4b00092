package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// certificates makes a directory with cert.pem and the key.pem that belongs to it, and with old.pem and old-key.pem, good
// until 2001.
func certificates(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	certificate(t, dir, "cert.pem", "key.pem", time.Now().Add(time.Hour))
	certificate(t, dir, "old.pem", "old-key.pem", time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC))
	return dir
}

func certificate(t testing.TB, dir, cert, private string, until time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		cert:    {Type: "CERTIFICATE", Bytes: der},
		private: {Type: "PRIVATE KEY", Bytes: pkcs8},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
