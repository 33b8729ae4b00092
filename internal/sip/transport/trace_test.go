package transport_test

import (
	"fmt"
	"sync"
	"testing"

	"sidetrack/internal/sip/transport"
)

// What passes is shown with its socket and peer, before it is handled or sent; junk is not shown.
func TestTraceShowsWhatPasses(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		var mu sync.Mutex
		var seen []string
		r := newRig(t, transport.Config{Trace: func(f transport.Flow, received bool, raw []byte) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, fmt.Sprint(f.Listener.Bound, " ", f.Remote, " ", received, " ", len(raw)))
		}})
		l := r.listen(proto + "://127.0.0.1:0")
		c := dialled(t, l)
		if proto == "udp" {
			fmt.Fprint(c, "junk\r\n\r\n")
			r.awaitRejected("parse", 1)
		}
		msg := request("one", via, "body")
		fmt.Fprint(c, msg)
		flow := r.next().Flow
		flow.Listener = nil
		if err := r.Send(flow, []byte("answer")); err != nil {
			t.Fatal(err)
		}
		read(t, c)
		mu.Lock()
		want := fmt.Sprint([]string{
			fmt.Sprint(l.Bound, " ", flow.Remote, " true ", len(msg)), fmt.Sprint(l.Bound, " ", flow.Remote, " false 6"),
		})
		if got := fmt.Sprint(seen); got != want {
			t.Errorf("%s: %s, want %s", proto, got, want)
		}
		mu.Unlock()
	}
}
