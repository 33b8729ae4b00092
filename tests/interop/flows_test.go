//go:build interop

package interop_test

import (
	"fmt"
	"testing"
)

// Flows of RFC 3665 and RFC 5359 between two SIPps, twenty calls each, over UDP and TCP: both sides see exactly the
// messages of their scenario, and no call is left.
func TestSIPpFlows(t *testing.T) {
	need(t, "sipp")
	for i, network := range []struct{ name, sipp, uri string }{{"udp", "u1", ""}, {"tcp", "t1", ";transport=tcp"}} {
		ip := home(7 + i)
		s := newSite(t, "", ip, "sip:"+ip+":5080"+network.uri)
		for _, flow := range []string{"busy", "hold"} {
			t.Run(flow+" "+network.name, func(t *testing.T) {
				arguments := func(side, port, media string) []string {
					return []string{"-sf", absolute(t, "sipp/"+flow+"_"+side+".xml"), "-i", ip, "-mi", ip, "-p", port, "-mp", media, "-t", network.sipp,
						"-nostdin", "-m", "20", "-r", "20", "-s", "pbx", "-timeout", "20s", "-trace_err", "-error_file", errors(t)}
				}
				uas := start(t, "callee", "", append([]string{"sipp"}, arguments("uas", "5080", "7000")...)...)
				uac := start(t, "caller", "", append([]string{"sipp", fmt.Sprintf("%s:%d", ip, proxyPort)}, arguments("uac", "5070", "6000")...)...)
				if status := uac.wait(patience); status != 0 {
					t.Errorf("the caller ended with %d", status)
				}
				if status := uas.wait(patience); status != 0 {
					t.Errorf("the callee ended with %d", status)
				}
				if !eventually(patience, func() bool { return s.calls() == 0 }) {
					t.Errorf("%d calls are left", s.calls())
				}
			})
		}
		s.proxy.end()
	}
}
