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

// A flow's own settings say whom we trust and who we are, and are kept by what comes back by its connection; nothing
// of the layer's own counts then. A ServerName in them stands for all peers.
func TestSettingsOfAFlow(t *testing.T) {
	cert, pool := selfSigned(t, "srs.example.com")
	ours, vouched := selfSigned(t, "src.example.com")
	server := newRig(t, transport.Config{TLS: &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: vouched, ClientAuth: tls.RequireAndVerifyClientCert}})
	_, strangers := selfSigned(t, "srs.example.com")
	client := newRig(t, transport.Config{TLS: &tls.Config{RootCAs: strangers}})
	to := transport.Flow{Proto: "tls", Remote: server.listen("tls://127.0.0.1:0").Bound}
	if res := dial(client, to, "srs.example.com", 0); res.err == nil {
		t.Error("a certificate was taken for which the layer's settings do not vouch")
	}
	to.TLS = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{ours}}
	res := dial(client, to, "srs.example.com", 0)
	if res.err != nil {
		t.Fatal(res.err)
	}
	if err := client.Send(res.flow, []byte(request("x", via, ""))); err != nil {
		t.Fatal(err)
	}
	if err := server.Send(server.next().Flow, []byte(request("y", via, ""))); err != nil {
		t.Fatal(err)
	}
	if back := client.next().Flow; back != res.flow {
		t.Errorf("came by %+v, want %+v", back, res.flow)
	}
	other := to
	other.TLS = &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{ours}, ServerName: "srs.example.com"}
	named := dial(client, other, "", 0)
	if named.err != nil || named.flow.Conn == res.flow.Conn {
		t.Errorf("%+v, want a connection of its own", named)
	}
}
