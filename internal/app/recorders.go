package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"sidetrack/forker"
	"sidetrack/internal/config"
	"sidetrack/internal/srtp"
	"sidetrack/policy"
	"sidetrack/src"
)

// recorders are the recorders of a configuration as the client takes them. Files
// of certificates are read anew.
func recorders(in []config.Recorder) ([]src.Recorder, error) {
	out := make([]src.Recorder, len(in))
	for i, r := range in {
		out[i] = src.Recorder{
			Name: r.Name, SRS: r.SRS, SkipFailoverCodes: r.SkipFailoverCodes, Timeout: r.Timeout,
			Retry: r.Retry, MidCall: src.MidCall(r.MidCall), Check: r.Check, FollowRedirects: r.FollowRedirects,
			Dialect: dialect(r.Dialect),
			Probe:   src.Probe(r.Probe), Session: src.SessionTimer{Expires: r.Session.Expires, Min: r.Session.Min, Refresher: src.Refresher(r.Session.Refresher), ByUpdate: r.Session.ByUpdate},
			Strategy: src.Strategy(r.Strategy), Weights: r.Weights,
			Buffer: keep(r.Buffer), Replay: keep(r.Replay), Hedge: r.Hedge, RTCPTimeout: r.RTCPTimeout, DTMF: dtmfRules[r.DTMF], Pause: pauseModes[r.Pause], Mask: pauseModes[r.Mask], Transcode: src.Transcode(r.Transcode), KeepSource: r.SSRC == config.SSRCSource, HeaderExtensions: r.HeaderExtensions,
			FromURI: r.FromURI, ToURI: r.ToURI, Socket: r.Socket, PlainCopy: r.PlainCopy,
			SRTP: src.SRTP(r.SRTP), SRTPOverPlain: r.SRTPOverPlain,
			Group: r.Group, GroupExtension: r.GroupExtension, SessionExtension: r.SessionExtension,
			Caller: r.Caller, Callee: r.Callee, CallerExtension: r.CallerExtension, CalleeExtension: r.CalleeExtension, Parameters: src.Parameters(r.Parameters), Network: r.Network,
		}
		var err error
		if out[i].TLS, err = loadTLS("recorders."+r.Name+".tls", r.TLS); err != nil {
			return nil, err
		}
		if r.Accept != nil {
			out[i].Accept = accepted(r.Accept)
		}
		if r.Auth != nil {
			out[i].Auth = &src.Auth{User: r.Auth.User, Password: r.Auth.Password}
		}
		for _, s := range r.Suites {
			out[i].Suites = append(out[i].Suites, srtp.Suite(s))
		}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, src.HeaderTemplate{Name: h.Name, Value: h.Value})
		}
	}
	return out, nil
}

var (
	dtmfRules = map[config.DTMF]forker.DTMF{
		config.DTMFPass: forker.DTMFPass, config.DTMFDrop: forker.DTMFDrop, config.DTMFMask: forker.DTMFMask,
	}
	pauseModes = map[config.Pause]forker.PauseMode{
		config.PauseStop: forker.PauseStop, config.PauseSilence: forker.PauseSilence, config.PauseBeep: forker.PauseBeep,
	}
)

// keep turns the 0 of a configuration, nothing, into what the client calls so.
func keep(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// batch is how many copies leave as one send, as the media engine takes it.
func batch(n int) int {
	if n == config.AdaptiveBatch {
		return forker.BatchAdaptive
	}
	return n
}

// loadTLS reads the files that a key of the configuration names; nil without.
func loadTLS(key string, t *config.TLS) (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	if t.CA != "" {
		pool, err := authorities(key+".ca", t.CA)
		if err != nil {
			return nil, err
		}
		out.RootCAs, out.ClientCAs = pool, pool
	}
	if t.VerifyClient {
		out.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return out, nil
}

// authorities reads a file of certificates.
func authorities(key, file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s holds no certificate", key, file)
	}
	return pool, nil
}

func dialect(d config.Dialect) src.Dialect {
	return src.Dialect{
		LabelShift: d.LabelShift, LabelStep: d.LabelStep, CalleeFirst: d.CalleeFirst, Labels: d.Labels, First: d.First,
		MetadataType: d.MetadataType, ContactTag: d.ContactTag, TagInside: d.TagInside,
		NoRequire: d.NoRequire, SRSInFrom: d.SRSInFrom, CallIDAsSession: d.CallIDAsSession,
		Style: d.Style, Partial: d.Partial, Carrier: src.Carrier(d.Carrier), Last: src.LastDocument(d.Last),
		Hold: src.HoldForm(d.Hold), Streams: src.StreamMode(d.Streams),
	}
}

// accepted is who may ask for recordings, as the client takes it.
func accepted(in *config.Accept) *src.Accept {
	out := &src.Accept{From: in.From, Certificate: in.Certificate, Tracks: in.Tracks}
	if in.Auth != nil {
		out.Auth = &src.Auth{User: in.Auth.User, Password: in.Auth.Password}
	}
	if !in.Match.Empty() {
		rule := policy.New(policy.Config{Rules: []policy.Rule{{Name: "accept", Match: in.Match, Recorder: "accept"}}})
		out.Calls = func(in *policy.Invite) bool {
			d := rule.Decide(in)
			return len(d.Wanted) > 0
		}
	}
	return out
}
