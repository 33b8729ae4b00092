package b2bua

import (
	"net/netip"
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
)

// A phone is known by where it sends from, also after a reload has had our socket advertised as something else.
func TestBindingOutlivesAnotherAdvertise(t *testing.T) {
	l := &transport.Listener{URL: "udp://0.0.0.0:5060", Advertise: "old.example"}
	phone := transport.Flow{Proto: "udp", Listener: l, Remote: netip.MustParseAddrPort("192.0.2.7:5060")}
	b := newBindings(nil)
	b.put(binding{token: "t", flow: phone, expires: time.Now().Add(time.Hour)})
	now, other := phone, phone
	now.Listener = l.Advertised("new.example")
	other.Remote = netip.MustParseAddrPort("192.0.2.7:5061")
	if now == phone {
		t.Fatal("the flows do not differ")
	}
	if got := b.of(now); got != "t" {
		t.Errorf("found %q", got)
	}
	if got := b.of(other); got != "" {
		t.Errorf("another phone is %q", got)
	}
	b.drop("t")
	if b.of(now) != "" || b.of(phone) != "" {
		t.Error("it is still there")
	}
}
