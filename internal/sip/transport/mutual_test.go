package transport_test

import (
	"crypto/tls"
	"testing"

	"sidetrack/internal/sip/transport"
)

// Both ends show certificates (RFC 7866 §12.1): who shows none, or one that nobody vouches for, is not heard.
func TestMutualTLS(t *testing.T) {
	cert, pool := selfSigned(t, "srs.example.com")
	ours, vouched := selfSigned(t, "src.example.com")
	other, _ := selfSigned(t, "src.example.com")
	server := newRig(t, transport.Config{TLS: &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: vouched, ClientAuth: tls.RequireAndVerifyClientCert}})
	to := transport.Flow{Proto: "tls", Remote: server.listen("tls://127.0.0.1:0").Bound}
	for _, c := range []struct {
		call string
		cert []tls.Certificate
	}{{"none", nil}, {"stranger", []tls.Certificate{other}}, {"ours", []tls.Certificate{ours}}} {
		client := newRig(t, transport.Config{TLS: &tls.Config{RootCAs: pool, Certificates: c.cert}})
		res := dial(client, to, "srs.example.com", 0)
		if res.err == nil { // by TLS 1.3 a client learns later that it was refused
			_ = client.Send(res.flow, []byte(request(c.call, via, "")))
		} else if c.call == "ours" {
			t.Fatal(res.err)
		}
	}
	if got := server.next().Msg.CallID(); got != "ours" {
		t.Errorf("heard %q", got)
	}
}
