package resolve_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/resolve"
)

// known is what Known says: "udp 192.0.2.1:5060", the first of the endpoints, or "".
func known(t *testing.T, r *resolve.Resolver, uri string) (first string, due bool) {
	t.Helper()
	u, err := sip.ParseURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	found, ok, due := r.Known(u)
	if !ok {
		return "", due
	}
	return fmt.Sprintf("%s %s", found[0].Proto, found[0].Addr), due
}

func refresh(t *testing.T, r *resolve.Resolver, uri string) {
	t.Helper()
	u, err := sip.ParseURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	r.Refresh(context.Background(), u)
}

// While no name server answers, the first call waits a little, and none after it: the old answer is known, and is asked for
// again now and then. So it is for a name that has no records but its addresses.
func TestOldAnswersStandIn(t *testing.T) {
	for _, uri := range []string{"sip:plain.test", "sip:plain.test:5060", "sip:both.test"} {
		for _, outage := range []string{"silence", "SERVFAIL"} {
			t.Run(outage+" "+uri, func(t *testing.T) {
				z := &zone{records: []string{
					"plain.test. 60 IN A 192.0.2.1", "_sip._udp.both.test. 60 IN SRV 20 0 5060 a.test.", "a.test. 60 IN A 192.0.2.1",
				}}
				r := serveWith(t, z, resolve.Config{Stale: 20 * time.Millisecond, Try: 300 * time.Millisecond})
				if _, err := lookup(t, r, uri); err != nil {
					t.Fatal(err)
				}
				const was, is = "udp 192.0.2.1:5060", "udp 192.0.2.2:5060"
				fail := func(on bool) {
					if outage == "silence" {
						z.mute.Store(on)
					} else {
						z.broken.Store(on)
					}
				}
				fail(true)
				z.pass(6 * time.Minute) // absences included: these hold for 30 s here
				if got, err := lookup(t, r, uri); err != nil || len(got) != 1 || !strings.HasPrefix(got[0], was) {
					t.Fatalf("the first call: %v, %v", got, err)
				}
				again := func() { // so that no question is on its way, and without waiting for long
					z.broken.Store(true)
					z.mute.Store(false)
					refresh(t, r, uri)
					z.broken.Store(false)
					fail(true)
				}
				again()
				for range 3 {
					asked := z.asked.Load()
					z.pass(25 * time.Second)
					for range 3 { // for half a minute it is as good as new
						if got, due := known(t, r, uri); got != was || due {
							t.Errorf("the next calls: %q, due %t", got, due)
						}
					}
					z.pass(6 * time.Second)
					if got, due := known(t, r, uri); got != was || !due {
						t.Errorf("later: %q, due %t", got, due)
					}
					if got, due := known(t, r, uri); got != was || due {
						t.Errorf("at the same time: %q, due %t", got, due)
					}
					if z.asked.Load() != asked {
						t.Error("Known asked a name server")
					}
					again()
				}
				fail(false)
				z.broken.Store(false)
				z.moved.Store(true)
				z.pass(31 * time.Second)
				if got, due := known(t, r, uri); got != was || !due {
					t.Errorf("at the end: %q, due %t", got, due)
				}
				refresh(t, r, uri)
				if got, due := known(t, r, uri); got != is || due {
					t.Errorf("after the end: %q, due %t", got, due)
				}
				fail(true)
				z.pass(2 * time.Hour) // what is as old as that is told no more
				z.mute.Store(false)
				z.broken.Store(true)
				if got, _ := known(t, r, uri); got != "" {
					t.Errorf("known for ever: %s", got)
				}
				if got, err := lookup(t, r, uri); err == nil || errors.Is(err, resolve.ErrNotFound) {
					t.Errorf("got %v, %v", got, err)
				}
			})
		}
	}
}

// A name server that fails for one kind of record, as some do for SRV, does not cost each call its time.
func TestTroubleWithOneKindOfRecord(t *testing.T) {
	z := &zone{records: []string{"plain.test. 3600 IN A 192.0.2.1"}, fails: "NAPTR SRV AAAA"}
	r := serve(t, z)
	for range 2 {
		if got, err := lookup(t, r, "sip:plain.test"); err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		z.pass(10 * time.Second)
		if got, due := known(t, r, "sip:plain.test"); got != "udp 192.0.2.1:5060" || !due {
			t.Errorf("%q, due %t", got, due)
		}
		if got, due := known(t, r, "sip:plain.test"); got != "udp 192.0.2.1:5060" || due {
			t.Errorf("%q, due %t", got, due)
		}
	}
	if got, _ := known(t, r, "sip:other.test"); got != "" { // but what is not known has to be asked for
		t.Errorf("%q", got)
	}
}

// However many servers a name claims to have, so many are asked for, few at once, and the first by priority.
func TestManyServersAreCut(t *testing.T) {
	z := &zone{delay: time.Millisecond}
	for i := range 200 {
		z.records = append(z.records, fmt.Sprintf("_sip._udp.many.test. 60 IN SRV %d 0 5060 s%d.test.", 200-i, i),
			fmt.Sprintf(`many.test. 60 IN NAPTR %d 0 "s" "SIP+D2T" "" _sip._tcp.n%d.test.`, i, i),
			fmt.Sprintf("addresses.test. 60 IN A 10.0.0.%d", i))
		if i >= 190 {
			z.records = append(z.records, fmt.Sprintf("s%d.test. 60 IN A 10.1.0.%d", i, i-189))
		}
	}
	r := serveWith(t, z, resolve.Config{Timeout: time.Minute})
	questions := func() (n int) {
		z.names.Range(func(any, any) bool { n++; return true })
		z.names.Clear()
		return n
	}
	got, err := lookup(t, r, "sip:many.test;transport=udp")
	if err != nil || len(got) != 10 || !slices.Contains(got, "udp 10.1.0.10:5060 many.test") {
		t.Errorf("%d: %q, %v", len(got), got, err)
	}
	if n := questions(); n != 1+2*16 {
		t.Errorf("%d questions", n)
	}
	if _, err := lookup(t, r, "sip:many.test"); err == nil {
		t.Error("found")
	}
	if n := questions(); n > 2+4+2 {
		t.Errorf("%d questions", n)
	}
	if got, err := lookup(t, r, "sip:addresses.test:5060"); err != nil || len(got) != 32 {
		t.Errorf("%d addresses, %v", len(got), err)
	}
	if n := z.most.Load(); n > 8 {
		t.Errorf("%d questions at once", n)
	}
}
