package transport_test

import (
	"crypto/tls"
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
)

// Who shakes hands too often waits, and who would wait for too long is cut off before a key of ours is used; plain TCP is
// as it was.
func TestHandshakesHaveARate(t *testing.T) {
	cert, pool := selfSigned(t, "srs.example.com")
	for name, tt := range map[string]struct {
		every    time.Duration
		burst    int
		patience time.Duration
		want     int // of 5
	}{
		"patient":   {20 * time.Millisecond, 1, time.Minute, 5},
		"impatient": {time.Hour, 2, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, transport.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
			r.PaceHandshakes(tt.every, tt.burst, tt.patience)
			secure, plain := r.listen("tls://127.0.0.1:0"), r.listen("tcp://127.0.0.1:0")
			done := 0
			for range 5 {
				c := tls.Client(dialled(t, secure), &tls.Config{RootCAs: pool, ServerName: "srs.example.com"})
				_ = c.SetDeadline(time.Now().Add(patience))
				if c.Handshake() == nil {
					done++
				}
			}
			r.awaitRejected("handshake-rate", 5-tt.want)
			if done != tt.want {
				t.Errorf("%d handshakes done of 5", done)
			}
			if _, err := dialled(t, plain).Write([]byte(request("plain", via, ""))); err != nil {
				t.Error(err)
			}
			if m := r.next(); m.Msg.CallID() != "plain" {
				t.Errorf("Call-ID %s", m.Msg.CallID())
			}
		})
	}
}
