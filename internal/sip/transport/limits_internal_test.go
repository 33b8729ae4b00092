package transport

import (
	"net/netip"
	"testing"
	"time"
)

func TestSourcesOfConnections(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:2", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
	} {
		a, b := sourceOf(netip.MustParseAddr(tc.a)), sourceOf(netip.MustParseAddr(tc.b))
		if (a == b) != tc.same {
			t.Errorf("%s and %s count as %s and %s", tc.a, tc.b, a, b)
		}
	}
}

// The media of calls keeps half of the descriptors, whatever is asked for.
func TestLimitsKeepDescriptors(t *testing.T) {
	l := New(Config{})
	defer l.Close()
	n := descriptors()
	if n == 0 {
		t.Skip("no limit of descriptors here")
	}
	if got := l.SetLimits(Limits{Conns: 2 * n}); got.Conns != n/2 || got.PerSource != DefaultConnsPerSource {
		t.Errorf("of %d descriptors: %+v", n, got)
	}
	if got := l.SetLimits(Limits{Conns: 1, PerSource: 7}); got != (Limits{1, 7}) {
		t.Errorf("%+v", got)
	}
}

// Who has us keep a connection says something soon, whoever has made it, but for those that we have made for ourselves.
func TestTimeToSaySomething(t *testing.T) {
	now := time.Now()
	layer := New(Config{})
	for _, tt := range []struct {
		c    *conn
		want time.Duration
	}{
		{&conn{theirs: true}, firstMessageTime},
		{&conn{theirs: true, spoken: true}, defaultIdleTimeout},
		{&conn{}, defaultIdleTimeout},
	} {
		tt.c.layer = layer
		if got := tt.c.deadline(now).Sub(now); got != tt.want {
			t.Errorf("theirs %t, spoken %t: %v, want %v", tt.c.theirs, tt.c.spoken, got, tt.want)
		}
	}
}
