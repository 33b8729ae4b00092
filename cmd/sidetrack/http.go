package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// client talks to the HTTP API of a running proxy.
type client struct {
	base, tokenFile, ca string
	certificate, key    string
	json                bool
	std                 stdio
}

// defaultSocket is where the packages of distributions have http.socket.
const defaultSocket = "/run/sidetrack/api.sock"

// clientFlags adds the options that all commands of the API share.
func clientFlags(name string, std stdio) (*flag.FlagSet, *client) {
	fs := flags(name)
	c := &client{std: std}
	base := os.Getenv("SIDETRACK_API")
	if base == "" {
		base = "http://127.0.0.1:8080"
		if s, err := os.Stat(defaultSocket); err == nil && s.Mode()&os.ModeSocket != 0 {
			base = "unix://" + defaultSocket
		}
	}
	fs.StringVar(&c.base, "api", base, "`URL` of the proxy's HTTP API, or unix:// and its socket; environment SIDETRACK_API")
	fs.StringVar(&c.tokenFile, "token-file", "", "`FILE` that holds the token to show; else environment SIDETRACK_TOKEN; none is needed on the proxy's host")
	fs.StringVar(&c.ca, "ca", "", "PEM `FILE` of those who sign the proxy's certificate; the system's when not given")
	fs.StringVar(&c.certificate, "certificate", "", "PEM `FILE` of a certificate of ours, where the proxy wants one (http.tls.verify_client)")
	fs.StringVar(&c.key, "key", "", "PEM `FILE` of its key; that of --certificate when not given")
	fs.BoolVar(&c.json, "json", !isTerminal(std.out), "print JSON, one object per line, as is done where the output is no terminal; --json=false prints the table")
	return fs, c
}

// open sends a request; timeout 0: an answer may go on for ever. Its error says
// what went wrong in one line.
func (c *client) open(ctx context.Context, timeout time.Duration, method, path string, in any, header ...string) (*http.Response, error) {
	base, transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+"/api/v1/"+path, body)
	if err != nil {
		return nil, fmt.Errorf("--api %s: not an address such as http://127.0.0.1:8080", c.base)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Timeout: timeout, Transport: transport}).Do(req)
	if err != nil {
		return nil, c.unreached(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.refused(resp)
}

// unreached says why there is no answer.
func (c *client) unreached(err error) error {
	var unknown x509.UnknownAuthorityError
	var refused *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("the certificate of %s is not trusted (%w); --ca gives the file of those who sign it", c.shown(), cause(err))
	case errors.As(err, &refused):
		return fmt.Errorf("the certificate of %s is not trusted (%w)", c.shown(), cause(err))
	case strings.Contains(err.Error(), "remote error: tls:"):
		return fmt.Errorf("%s does not take our certificate (%w); --certificate and --key give one", c.shown(), cause(err))
	}
	return fmt.Errorf("%w at %s (%w); --api or SIDETRACK_API names another", errNoProxy, c.shown(), cause(err))
}

// transport is how the API is reached: one connection for one command, so that
// nothing is left open.
func (c *client) transport() (base string, t *http.Transport, err error) {
	t = &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	if t.TLSClientConfig, err = c.tls(); err != nil {
		return "", nil, err
	}
	base = c.shown()
	if file, unix := strings.CutPrefix(base, "unix://"); unix {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", file)
		}
		base = "http://localhost"
	}
	return base, t, nil
}

// tls is whom we trust and what we show; nil: as the system does, and nothing.
func (c *client) tls() (*tls.Config, error) {
	if c.ca == "" && c.certificate == "" && c.key == "" {
		return nil, nil
	}
	out := &tls.Config{}
	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		if out.RootCAs = x509.NewCertPool(); !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca %s: holds no certificate", c.ca)
		}
	}
	switch {
	case c.certificate == "" && c.key != "":
		return nil, errors.New("--key without --certificate, whose it is")
	case c.certificate != "":
		pair, err := tls.LoadX509KeyPair(c.certificate, cmp.Or(c.key, c.certificate))
		if err != nil {
			return nil, fmt.Errorf("--certificate: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// shown is the API's address as messages have it.
func (c *client) shown() string {
	base := strings.TrimRight(c.base, "/")
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	return base
}

// token is not an option: others on the host would see it.
func (c *client) token() (string, error) {
	if c.tokenFile == "" {
		return os.Getenv("SIDETRACK_TOKEN"), nil
	}
	b, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// refused is what a problem document says, in one line unless it lists mistakes.
func (c *client) refused(resp *http.Response) error {
	out, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", c.shown(), err)
	}
	var p struct {
		Detail   string
		Mistakes []string
	}
	if json.Unmarshal(out, &p) == nil {
		p.Detail = clean(p.Detail)
		for i := range p.Mistakes {
			p.Mistakes[i] = clean(p.Mistakes[i])
		}
	}
	switch {
	case resp.StatusCode == http.StatusBadRequest && bytes.Contains(out, []byte("HTTP request to an HTTPS server")): // of net/http
		return fmt.Errorf("%s is asked without TLS, which it wants; write https://", c.shown())
	case p.Detail == "":
		return fmt.Errorf("%s answered %s", c.shown(), resp.Status)
	case resp.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s; SIDETRACK_TOKEN or --token-file gives one", p.Detail)
	case len(p.Mistakes) > 0:
		return errors.New(p.Detail + "\n" + strings.Join(p.Mistakes, "\n"))
	}
	return errors.New(p.Detail)
}

// do asks the API and reads the answer.
func (c *client) do(method, path string, in any) ([]byte, error) {
	resp, err := c.open(context.Background(), 15*time.Second, method, path, in)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", c.shown(), err)
	}
	return out, nil
}

var errNoProxy = errors.New("no proxy answers")

// cause is the innermost error: the address around it is told already.
func cause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}
