package resolve_test

import (
	"testing"
	"time"

	"sidetrack/internal/sip/resolve"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// After an outage of the name servers no call waits, and they are asked again while calls go by the old answer: what
// txn.Lane makes of Known and Refresh.
func TestOldAddressesAreAskedForAgain(t *testing.T) {
	z := &zone{records: []string{"pbx.test. 60 IN A 192.0.2.1"}}
	sockets := transport.New(transport.Config{})
	defer sockets.Close()
	if _, err := sockets.Listen("udp://127.0.0.1:0", ""); err != nil {
		t.Fatal(err)
	}
	layer := txn.New(txn.Config{Lanes: 1, Transport: sockets, Resolver: serveWith(t, z, resolve.Config{Timeout: time.Minute})})
	layer.Start(nil)
	defer layer.Close()

	const was, is = "192.0.2.1:5060", "192.0.2.2:5060"
	type result struct {
		addr   string
		atOnce bool
	}
	resolved := func() result {
		found := make(chan result, 1)
		lane := layer.Lanes()[0]
		lane.Post(func() {
			atOnce := true
			lane.Resolve("sip:pbx.test:5060", func(targets []txn.Target, err error) {
				if len(targets) != 1 {
					found <- result{}
					return
				}
				found <- result{targets[0].Addr.String(), atOnce}
			})
			atOnce = false
		})
		return <-found
	}
	if got := resolved(); got != (result{was, false}) {
		t.Fatalf("%+v", got)
	}
	z.broken.Store(true)
	z.pass(2 * time.Minute)
	for _, atOnce := range []bool{false, true} {
		if got := resolved(); got != (result{was, atOnce}) {
			t.Errorf("when the name server fails: %+v, want at once %t", got, atOnce)
		}
	}
	z.broken.Store(false)
	z.moved.Store(true)
	z.pass(31 * time.Second)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		got := resolved()
		if got.addr == is { // who asks while the new answers come may have waited for the last of them
			return
		}
		if got != (result{was, true}) || time.Now().After(deadline) {
			t.Fatalf("after that: %+v", got)
		}
	}
}
