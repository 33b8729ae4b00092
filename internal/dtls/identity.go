package dtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Identity is a certificate of ours, known by its fingerprint alone.
type Identity struct {
	Fingerprint string // value of a=fingerprint
	certificate tls.Certificate
}

// NewIdentity makes a key and a certificate that name nobody.
func NewIdentity() (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "SRTP"},
		NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(10, 0, 0), // a peer's clock may be wrong; nobody checks it (RFC 5763 §5)
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return &Identity{
		Fingerprint: fingerprint("sha-256", der),
		certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
	}, nil
}

// fingerprint is the value of a=fingerprint for a certificate (RFC 8122 §5); ""
// for a hash that is not known.
func fingerprint(hash string, der []byte) string {
	var sum []byte
	switch hash {
	case "sha-1": // a second preimage is still out of reach, and old phones have no other
		s := sha1.Sum(der)
		sum = s[:]
	case "sha-256":
		s := sha256.Sum256(der)
		sum = s[:]
	case "sha-384":
		s := sha512.Sum384(der)
		sum = s[:]
	case "sha-512":
		s := sha512.Sum512(der)
		sum = s[:]
	default:
		return ""
	}
	text := strings.ToUpper(hex.EncodeToString(sum))
	var b strings.Builder
	b.WriteString(hash)
	for i := 0; i < len(text); i += 2 {
		b.WriteByte(" :"[min(i, 1)])
		b.WriteString(text[i : i+2])
	}
	return b.String()
}

// Known tells whether a value of a=fingerprint is one that can be checked.
func Known(value string) bool {
	hash, _, ok := strings.Cut(value, " ")
	return ok && fingerprint(strings.ToLower(hash), nil) != ""
}

// matches tells whether a certificate has that fingerprint.
func matches(value string, der []byte) bool {
	hash, _, _ := strings.Cut(value, " ")
	own := fingerprint(strings.ToLower(hash), der)
	return own != "" && strings.EqualFold(own, strings.Join(strings.Fields(value), " "))
}
