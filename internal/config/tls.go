package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// tls reads whom we are and whom we trust; it is put where into points.
func (d *decoder) tls(into **TLS) func(cursor) {
	return func(c cursor) { d.readTLS(c, into) }
}

func (d *decoder) readTLS(c cursor, into **TLS) {
	t := &TLS{}
	var certificate, key, ca *cursor
	ok := c.read(fields{
		{"certificate", func(c cursor) { t.Certificate, certificate = d.fileName(c), &c }},
		{"key", func(c cursor) { t.Key, key = d.fileName(c), &c }},
		{"ca", func(c cursor) { t.CA, ca = d.fileName(c), &c }},
		{"verify_client", func(c cursor) {
			if v, ok := c.boolean(); ok {
				t.VerifyClient = v
			}
		}},
	})
	if !ok || c.n.null() {
		return
	}
	*into = t
	d.checkPair(c, t, certificate, key)
	if t.CA != "" {
		if err := checkAuthorities(t.CA); err != nil {
			ca.failf("%v", err)
		}
	} else if t.VerifyClient {
		c.failf("verify_client needs to know whom to trust; add ca: FILE")
	}
}

// checkPair reads certificate and key, so that a wrong file is found when the
// configuration is checked and not when it is put to use.
func (d *decoder) checkPair(c cursor, t *TLS, certificate, key *cursor) {
	switch {
	case t.Certificate == "" && t.Key == "":
	case t.Key == "":
		c.failf("a certificate without its key; add key: FILE")
	case t.Certificate == "":
		c.failf("a key without its certificate; add certificate: FILE")
	case !readable(*certificate, t.Certificate) || !readable(*key, t.Key):
	default:
		if _, err := tls.LoadX509KeyPair(t.Certificate, t.Key); err != nil {
			certificate.failf("certificate and key cannot be used: %v; write PEM files that belong together", err)
		}
	}
}

// needCertificate is the check of a TLS socket.
func (d *decoder) needCertificate(c cursor) {
	if t := d.cfg.SIP.TLS; t == nil || t.Certificate == "" && t.Key == "" {
		c.failf("a TLS socket needs a certificate; add sip.tls.certificate and sip.tls.key")
	}
}

// fileName reads the name of a file; a relative one is found beside the
// configuration. Empty means none.
func (d *decoder) fileName(c cursor) string {
	s, ok := c.text(`a file name, or "" for none`)
	if !ok || s == "" || filepath.IsAbs(s) {
		return s
	}
	return filepath.Join(filepath.Dir(d.file), s)
}

func readable(c cursor, name string) bool {
	f, err := os.Open(name)
	if err != nil {
		c.failf("%v", fileError(name, err))
		return false
	}
	_ = f.Close() // only opened to see that it can be
	return true
}

func fileError(name string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("file %s cannot be read: %w; check the name and its permissions", name, err)
}

// checkAuthorities reads a file of certificates.
func checkAuthorities(name string) error {
	pem, err := os.ReadFile(name)
	if err != nil {
		return fileError(name, err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return fmt.Errorf("file %s holds no certificate; write a PEM file", name)
	}
	return nil
}
