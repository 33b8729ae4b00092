package transport_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
)

// However few datagrams come at once and whenever they do, each is read without waiting for the next: bursts of all
// sizes, each sent when the one before has been handled, some while it is.
func TestUDPNothingIsLeftLying(t *testing.T) {
	r := newRig(t, transport.Config{})
	l := r.listen("udp://127.0.0.1:0")
	c := dialled(t, l)
	one := request("one", "SIP/2.0/UDP x;branch=z9hG4bKx;rport", "")
	for range 1000 {
		ahead := rand.IntN(12)
		for range ahead {
			fmt.Fprint(c, one)
		}
		pause := time.Duration(rand.IntN(100)) * time.Microsecond
		for began := time.Now(); time.Since(began) < pause; {
			// somewhere between the reading of those and the waiting for more
		}
		fmt.Fprint(c, one)
		for range ahead + 1 {
			r.next()
		}
	}
}
