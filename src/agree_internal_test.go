package src

import (
	"net/netip"
	"testing"

	"sidetrack/internal/sdp"
)

// An SRS that holds a stream by c=0.0.0.0 is not sent to by force when it does not answer an update of ours in time, as if it
// had said inactive; one that begins so is waited for.
func TestHeldByAnAddressOfZeros(t *testing.T) {
	st := &stream{}
	said := func(addr string, wanted, waits bool) {
		t.Helper()
		a := sdp.AnswerMedia{Accepted: true, RTP: netip.MustParseAddrPort(addr), Direction: sdp.RecvOnly}
		a.Send = wanted && !a.RTP.Addr().IsUnspecified()
		st.agree(a, nil, wanted)
		if st.waits != waits || st.agreed != a.Send {
			t.Errorf("after %s the SRS holds it: %v, may be sent to: %v", addr, st.waits, st.agreed)
		}
	}
	said("0.0.0.0:4000", true, false)
	said("192.0.2.7:4000", true, false)
	said("0.0.0.0:4000", false, false) // in answer to our own pause
	said("0.0.0.0:4000", true, true)
	said("192.0.2.7:4000", true, false)
}
