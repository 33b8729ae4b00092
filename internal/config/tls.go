package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
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

// tlsOf reads how connections to the SRSs of a recorder are made. What it does
// not say is as in sip.tls, which may come later in the file.
func (d *decoder) tlsOf(c cursor, r *Recorder, srs *[]target) {
	t := &TLS{}
	var certificate, key, ca *cursor
	ok := c.read(fields{
		{"certificate", func(c cursor) { t.Certificate, certificate = d.fileName(c), &c }},
		{"key", func(c cursor) { t.Key, key = d.fileName(c), &c }},
		{"ca", func(c cursor) { t.CA, ca = d.fileName(c), &c }},
		{"server_name", func(c cursor) {
			if s, ok := c.text(`a host name, or "" for that of the SRS's URI`); ok {
				t.ServerName = s
			}
		}},
	})
	if !ok || c.n.null() {
		return
	}
	r.TLS = t
	d.checkPair(c, t, certificate, key)
	if t.CA != "" {
		if err := checkAuthorities(t.CA); err != nil {
			ca.failf("%v", err)
		}
	}
	given := *t
	d.later(func() {
		if all := d.cfg.SIP.TLS; all != nil && certificate == nil && key == nil {
			t.Certificate, t.Key = all.Certificate, all.Key
		}
		if all := d.cfg.SIP.TLS; all != nil && ca == nil {
			t.CA = all.CA
		}
		plain := func(t target) bool { return t.transport != "tls" && (t.transport != "" || t.addr.IsValid()) }
		if given != (TLS{}) && len(*srs) > 0 && !slices.ContainsFunc(*srs, func(t target) bool { return !plain(t) }) {
			c.warnf("has no effect: no SRS of this recorder is reached by TLS; add ;transport=tls to it")
		}
	})
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
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			certificate.failf("certificate and key cannot be used: %v; write PEM files that belong together", err)
			return
		}
		if leaf := pair.Leaf; leaf != nil && time.Now().After(leaf.NotAfter) {
			certificate.warnf("the certificate has expired on %s; peers will refuse it", leaf.NotAfter.UTC().Format(time.DateOnly))
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
