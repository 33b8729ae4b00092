package webhook_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net/http/httptest"
	"testing"
)

// A receiver behind https whose certificate the system's authorities do not vouch for gets nothing: no event, and no
// request with the signature of one. Once its authority is named it gets all that waited, in order.
func TestReceiverByTLS(t *testing.T) {
	r := &receiver{t: t, status: always(200)}
	r.server = httptest.NewUnstartedServer(r)
	r.server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are to fail
	r.server.StartTLS()
	t.Cleanup(r.server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(r.server.Certificate())
	var told logged
	cfg := config(t.TempDir(), r.server.URL)
	cfg.Log = slog.New(slog.NewTextHandler(&told, nil))
	s := open(t, cfg)
	for i := range 3 {
		s.Publish(uint64(i), "x", []byte(number(i)))
	}
	eventually(t, "the log says why", func() bool { return told.count("certificate signed by unknown authority") == 1 })
	if n := r.requests(); n != 0 {
		t.Errorf("%d requests to who is not to be believed", n)
	}

	trusting := cfg.Hooks[0]
	trusting.TLS = &tls.Config{RootCAs: roots}
	put(t, s, cfg.Dir, trusting)
	eventually(t, "what waited has come", func() bool { return len(r.got()) == 3 })
	s.Publish(3, "x", []byte(number(3)))
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	inOrder(t, r.got(), 4)
}
