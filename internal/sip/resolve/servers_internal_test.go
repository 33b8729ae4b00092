package resolve

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A name server that is silent is asked last for a while, so that it costs one call its time and not each.
func TestSilentServerIsAskedLast(t *testing.T) {
	dead, well := serveNames(t, silent), serveNames(t, addressed)
	var skew atomic.Int64
	r := opened(t, Config{Servers: []string{dead.addr, well.addr}, Timeout: time.Minute, Try: 500 * time.Millisecond,
		Now: func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }})
	look := func() {
		t.Helper()
		if found, err := r.Lookup(context.Background(), uri(t, "sip:one.test:5060")); err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
	}
	look()
	asked := dead.asked.Load()
	if asked == 0 {
		t.Error("the first one was not asked")
	}
	skew.Add(int64(2 * time.Minute))
	if look(); dead.asked.Load() != asked {
		t.Error("asked again at once")
	}
	skew.Add(int64(silentFor))
	if look(); dead.asked.Load() == asked {
		t.Error("never asked again")
	}
}

// Who neither knows a name nor asks others for it says nothing of it (RFC 2308 §2.2).
func TestReferralIsNoAnswer(t *testing.T) {
	lame := serveNames(t, func(m *dns.Msg) *dns.Msg {
		reply := new(dns.Msg)
		reply.SetReply(m)
		reply.Ns = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: "test.", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.test."}}
		return reply
	})
	well := serveNames(t, addressed)
	r := opened(t, Config{Servers: []string{lame.addr, well.addr}, Timeout: time.Minute})
	if found, err := r.Lookup(context.Background(), uri(t, "sip:one.test:5060")); err != nil || len(found) != 1 {
		t.Error(found, err)
	}
}

// Name servers that the machine gets after our start, or others later, are asked without a restart.
func TestNameServersAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	r := opened(t, Config{Conf: file})
	names := func() string {
		r.servers.mu.Lock()
		r.servers.checked = time.Time{}
		r.servers.mu.Unlock()
		list := r.servers.names("pbx")
		return strings.Join(append(r.servers.inOrder(time.Now()), list...), " ")
	}
	if got := names(); got != "pbx." {
		t.Errorf("without a file: %s", got)
	}
	if _, err := r.Lookup(context.Background(), uri(t, "sip:pbx.test")); !errors.Is(err, errNoServer) {
		t.Errorf("without a file: %v", err)
	}
	for i, want := range []string{"127.0.0.53:53 pbx. pbx.corp.test.", "[::1]:53 192.0.2.1:53 pbx."} {
		text := []string{"nameserver 127.0.0.53\nsearch corp.test\noptions ndots:0\n", "nameserver ::1\nnameserver 192.0.2.1\noptions ndots:0\n"}[i]
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		stamp := time.Unix(int64(1+i), 0)
		if err := os.Chtimes(file, stamp, stamp); err != nil {
			t.Fatal(err)
		}
		if got := names(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := names(); got != "[::1]:53 192.0.2.1:53 pbx." {
		t.Errorf("when the file is gone: %s", got)
	}
}
