//go:build interop

package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// identity is a certificate for an address, signed by itself, as PEM files and ready for use.
type identity struct {
	cert, key string
	pair      tls.Certificate
	pool      *x509.CertPool
}

func newIdentity(t *testing.T, ip string) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.ParseIP(ip)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	id := identity{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), pool: x509.NewCertPool()}
	for name, block := range map[string]*pem.Block{id.cert: {Type: "CERTIFICATE", Bytes: der}, id.key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if id.pair, err = tls.LoadX509KeyPair(id.cert, id.key); err != nil {
		t.Fatal(err)
	}
	id.pool.AddCert(id.pair.Leaf)
	return id
}

// tunnel joins what connects to listen with to: Debian's SIPp has no TLS, so its TCP is wrapped and unwrapped here.
func tunnel(t *testing.T, listen net.Listener, to func() (net.Conn, error)) string {
	t.Helper()
	var pairs sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	pairs.Go(func() {
		for {
			near, err := listen.Accept()
			if err != nil {
				return
			}
			far, err := to()
			if err != nil {
				near.Close()
				continue
			}
			mu.Lock()
			open[near], open[far] = true, true
			mu.Unlock()
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				pairs.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					way[0].Close()
					way[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		listen.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		pairs.Wait()
	})
	return listen.Addr().String()
}

func listenTCP(t *testing.T, at string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wrap takes TCP and goes on by TLS.
func wrap(t *testing.T, id identity, ip, server string) string {
	t.Helper()
	return tunnel(t, listenTCP(t, ip+":0"), func() (net.Conn, error) {
		return tls.Dial("tcp", server, &tls.Config{RootCAs: id.pool})
	})
}

// unwrap takes TLS and goes on by TCP.
func unwrap(t *testing.T, id identity, ip, server string) string {
	t.Helper()
	l := tls.NewListener(listenTCP(t, ip+":0"), &tls.Config{Certificates: []tls.Certificate{id.pair}})
	return tunnel(t, l, func() (net.Conn, error) { return net.Dial("tcp", server) })
}
