package src

import (
	"crypto/x509"
	"errors"
	"net"
	"strings"
)

// Why a TLS connection to an SRS has failed for a certificate.
const (
	faultExpired   = "expired"   // it is not valid now
	faultName      = "name"      // it is for somebody else
	faultAuthority = "authority" // nobody vouches for it whom we trust
	faultInvalid   = "invalid"   // it is not good for what it is used for
	faultOurs      = "ours"      // the SRS does not take ours, or wants one
)

var certificateFaults = []string{faultExpired, faultName, faultAuthority, faultInvalid, faultOurs}

// certificateFault is why a connection has failed; "" when no certificate is to
// blame.
func certificateFault(err error) string {
	var (
		invalid   x509.CertificateInvalidError
		name      x509.HostnameError
		authority x509.UnknownAuthorityError
		remote    *net.OpError
	)
	switch {
	case errors.As(err, &name):
		return faultName
	case errors.As(err, &authority):
		return faultAuthority
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return faultExpired
	case errors.As(err, &invalid):
		return faultInvalid
	case errors.As(err, &remote) && remote.Op == "remote error" && strings.Contains(remote.Error(), "certificate"):
		return faultOurs // the alert has no type that others may name
	}
	return ""
}

// noteCertificate tells the operator of a failure that only he can mend.
func (c *Client) noteCertificate(r *Recorder, srs string, err error) {
	fault := certificateFault(err)
	if fault == "" {
		return
	}
	c.metrics.untrusted.WithLabelValues(r.Name, srs, fault).Inc()
	msg := "certificate of the SRS refused"
	if fault == faultOurs {
		msg = "our certificate refused by the SRS"
	}
	c.trouble.warn(c.log, "certificate of "+srs, msg, "recorder", r.Name, "srs", srs, "fault", fault, "error", err)
}
