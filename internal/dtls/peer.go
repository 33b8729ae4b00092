package dtls

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"

	"sidetrack/internal/srtp"
)

const (
	handshakeTime = 30 * time.Second // of one attempt
	lingerTime    = 10 * time.Second // after it, for a peer that has not had our last flight
	firstResend   = 500 * time.Millisecond
)

// Peer is what SDP says of the other end of an association.
type Peer struct {
	Identity     *Identity
	Client       bool     // we begin (our a=setup is active)
	Fingerprints []string // values of a=fingerprint, of which the certificate must have one
	ID           string   // a=tls-id; another one is another association (RFC 8842)
}

// Same tells whether both mean one association.
func (p *Peer) Same(o *Peer) bool {
	if p == nil || o == nil {
		return p == o
	}
	return p.Client == o.Client && p.ID == o.ID && slices.Equal(p.Fingerprints, o.Fingerprints)
}

var profiles = map[dtls.SRTPProtectionProfile]srtp.Suite{
	dtls.SRTP_AEAD_AES_128_GCM:       srtp.AEAD128GCM,
	dtls.SRTP_AEAD_AES_256_GCM:       srtp.AEAD256GCM,
	dtls.SRTP_AES128_CM_HMAC_SHA1_80: srtp.AESCM128SHA80,
	dtls.SRTP_AES128_CM_HMAC_SHA1_32: srtp.AESCM128SHA32,
}

// Run shakes hands over the pipe, tells the keys of what we send and of what the
// peer sends, and answers the peer's repetitions for a while. It returns when
// that is over, ctx ends, or the handshake has failed; the pipe is closed then.
// Keys are told only of a peer with a certificate that SDP names.
func (p *Peer) Run(ctx context.Context, pipe *Pipe, keyed func(own, theirs *srtp.Key)) error {
	defer pipe.Close()
	conn, err := p.conn(pipe)
	if err != nil {
		return fmt.Errorf("preparing DTLS: %w", err)
	}
	defer conn.Close()
	defer pipe.Mute() // no close_notify: the media go on
	limited, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	if err := conn.HandshakeContext(limited); err != nil {
		return fmt.Errorf("DTLS handshake: %w", err)
	}
	own, theirs, err := p.keys(conn)
	if err != nil {
		return err
	}
	keyed(own, theirs)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	_ = conn.SetReadDeadline(time.Now().Add(lingerTime))
	for buf := make([]byte, 2048); ctx.Err() == nil; {
		if _, err := conn.Read(buf); err != nil {
			break
		}
	}
	return nil
}

func (p *Peer) conn(pipe *Pipe) (*dtls.Conn, error) {
	certificate := dtls.WithCertificates(p.Identity.certificate)
	offered := dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM,
		dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AES128_CM_HMAC_SHA1_32)
	unchecked := dtls.WithInsecureSkipVerify(true) // nobody signs these certificates; SDP names them
	verify := dtls.WithVerifyPeerCertificate(p.verify)
	secret := dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret)
	resend := dtls.WithFlightInterval(firstResend)
	quiet := dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled})
	if p.Client {
		return dtls.ClientWithOptions(pipe, pipe.LocalAddr(), certificate, offered, unchecked, verify, secret, resend, quiet)
	}
	return dtls.ServerWithOptions(pipe, pipe.LocalAddr(), certificate, offered, unchecked, verify, secret, resend, quiet,
		dtls.WithClientAuth(dtls.RequireAnyClientCert))
}

var errStranger = errors.New("the certificate has no fingerprint that SDP names")

func (p *Peer) verify(certificates [][]byte, _ [][]*x509.Certificate) error {
	if len(certificates) > 0 && slices.ContainsFunc(p.Fingerprints, func(f string) bool { return matches(f, certificates[0]) }) {
		return nil
	}
	return errStranger
}

// keys exports the keys (RFC 5764 §4.2).
func (p *Peer) keys(conn *dtls.Conn) (own, theirs *srtp.Key, err error) {
	state, ok := conn.ConnectionState()
	profile, agreed := conn.SelectedSRTPProtectionProfile()
	suite := profiles[profile]
	master, salt := suite.Sizes()
	if !ok || !agreed || master == 0 || p.verify(state.PeerCertificates, nil) != nil {
		return nil, nil, errors.New("DTLS without the use of SRTP, or without a certificate")
	}
	b, err := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 2*(master+salt))
	if err != nil {
		return nil, nil, fmt.Errorf("exporting keys: %w", err)
	}
	client := &srtp.Key{Suite: suite, Master: b[:master:master], Salt: b[2*master : 2*master+salt : 2*master+salt]}
	server := &srtp.Key{Suite: suite, Master: b[master : 2*master : 2*master], Salt: b[2*master+salt:]}
	if p.Client {
		return client, server, nil
	}
	return server, client, nil
}

// Is tells whether a datagram is a record of DTLS (RFC 7983 §7).
func Is(b []byte) bool { return len(b) > 0 && b[0] >= 20 && b[0] <= 63 }

var _ net.PacketConn = (*Pipe)(nil)
