package scenario_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/config"
	"sidetrack/tests/peer"
)

// many is how many calls a test of many makes: in the environment for a machine of its own, else few.
func many(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(or(os.Getenv(variable), strconv.Itoa(otherwise)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// ahead is how many packets murmur has under way to one party, at most: far fewer than any socket on the way holds, so that
// a machine that cannot follow loses nothing by itself, and keys do not wait long behind them.
const ahead = 10

// murmur has the parties of calls speak, a frame each every 60 ms, until it is told to stop. Who is not heard waits.
func murmur(calls []*call) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(3 * peer.Pace)
		defer tick.Stop()
		for {
			for _, c := range calls {
				if c.a.Sent()-c.b.Received() < ahead {
					c.a.Send(c.aTo.rtp)
				}
				if c.b.Sent()-c.a.Received() < ahead {
					c.b.Send(c.bTo.rtp)
				}
			}
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return sync.OnceFunc(func() { close(done); wg.Wait() })
}

// renew writes a new certificate for name, and its key, into dir.
func renew(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// shownBy is the name in the certificate that a socket shows.
func shownBy(t *testing.T, addr string) string {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// reload loads a file as a signal would have it loaded, and gives what is wrong with it.
func (s *System) reload(file, yaml string) error {
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		return err
	}
	cfg, problems := config.Load(file, os.LookupEnv)
	if len(problems) > 0 {
		s.app.ReloadFailed()
		return fmt.Errorf("%s", problems)
	}
	return s.app.Reload(cfg)
}

// complete waits until a session has every packet of the parties since the first that it has.
func complete(t *testing.T, rs *peer.Session, c *call) {
	t.Helper()
	for _, from := range []*peer.Media{c.a, c.b} {
		holds := func(all []peer.Packet) bool {
			first, seen := from.Sent(), map[int]bool{}
			for _, p := range all {
				if p.Party == from.Party && p.Call == from.Call {
					seen[p.Number], first = true, min(first, p.Number)
				}
			}
			return len(seen) > 0 && len(seen) == from.Sent()-first+1
		}
		for label, m := range rs.Streams {
			if rs.Doc().Sender(label) == map[*peer.Media]string{c.a: aliceAOR, c.b: bobAOR}[from] {
				m.Await("all of "+from.Call+"/"+from.Party, holds)
			}
		}
	}
}

// Rules, recorders, certificate, sockets, limits and ports change in the middle of RELOAD_CALLS calls (40 when not set), and
// bad files come between: no packet is lost, to the parties or in a copy, and new calls go by the new rules.
func TestReloadUnderCalls(t *testing.T) {
	n := many(t, "RELOAD_CALLS", 40)
	dir := t.TempDir()
	file := filepath.Join(dir, "sidetrack.yaml")
	renew(t, dir, "first")
	var yaml, secure string
	st := newStageWith(t, setup{srs: 2, ports: "22000-25999"}, func(st *stage, s *setup) {
		s.srsURIs = st.srss[0].URI("")
		s.sip = fmt.Sprintf("tls: {certificate: %s/cert.pem, key: %s/key.pem}", dir, dir)
		yaml = st.yaml(*s)
	})
	// The stage has made its addresses anew: those in force count.
	before := st.sys.app.Listeners()
	old := strings.TrimPrefix(yaml[strings.Index(yaml, `"udp://`)+1:strings.Index(yaml, `", "tcp`)], "udp://")
	api := yaml[strings.Index(yaml, "http:\n  listen: ")+len("http:\n  listen: "):]
	api = api[:strings.Index(api, "\n")]
	yaml = strings.NewReplacer(old, before[0].Bound.String(), api, strings.TrimPrefix(st.sys.HTTP, "http://")).Replace(yaml)
	secure = freePort(t, systemIP)
	one, two := st.srss[0].AcceptAll(), st.srss[1].AcceptAll()

	var calls []*call
	for range n {
		calls = append(calls, st.establish(dialing{quiet: true}))
	}
	if !peer.Eventually(func() bool { return one.Taken() == n && st.sys.sum("sidetrack_recordings_active") == float64(n) }) {
		t.Fatalf("%d of %d calls are recorded", one.Taken(), n)
	}
	stop := murmur(calls)
	defer stop()
	heard := func() { calls[0].heard(3); calls[n-1].heard(3) }
	heard()
	good := func(text string) {
		t.Helper()
		if err := st.sys.reload(file, text); err != nil {
			t.Error(err)
		}
		heard()
	}
	bad := func(want, text string) {
		t.Helper()
		if err := st.sys.reload(file, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		if got := st.sys.metric("sidetrack_config_last_reload_successful"); got != 0 {
			t.Errorf("the gauge says %v after a bad file", got)
		}
		heard()
	}

	more := strings.Replace(yaml, `", "tcp://`, fmt.Sprintf(`", "tls://%s", "tcp://`, secure), 1)
	good(more) // a socket more
	if got := shownBy(t, secure); got != "first" {
		t.Errorf("the new socket shows %q", got)
	}
	renew(t, dir, "second")
	changed := strings.NewReplacer("22000-25999", "26000-26999", st.srss[0].URI(""), st.srss[1].URI(""), "recording:\n", "recording:\n  - {match: {from: unrecorded}, recorder: none}\n").Replace(more)
	good(changed) // another certificate, other recorders, rules and ports
	if got := shownBy(t, secure); got != "second" {
		t.Errorf("after a renewal the socket shows %q", got)
	}
	bad("recorder", strings.Replace(changed, "recorder: main", "recorder: mian", 1))
	bad("address already in use", strings.Replace(changed, "tls://"+secure, "udp://"+st.srs().Addr().String(), 1))

	fresh := st.establish(dialing{quiet: true})
	if !peer.Eventually(func() bool { return two.Taken() == 1 }) {
		t.Error("a new call does not go by the new rules")
	}
	if port := fresh.aTo.rtp.Port(); port < 26000 || port > 26999 {
		t.Errorf("a new call has port %d", port)
	}
	unrecorded := st.establish(dialing{quiet: true, from: "<sip:unrecorded@caller.test>"})
	less := strings.Replace(changed, fmt.Sprintf(`, "tls://%s"`, secure), "", 1)
	less = strings.Replace(less, `, "tcp://`+before[1].Bound.String()+`"`, "", 1)
	good(less) // without tls and tcp
	retiring := func(n float64) func() bool {
		return func() bool { return st.sys.metric(`sidetrack_sip_sockets{state="retiring"}`) == n }
	}
	if !peer.Eventually(retiring(1)) {
		t.Error("nobody uses the tls socket, the recordings the tcp one: one was to stay")
	}
	heard()
	stop()
	for i, c := range calls {
		c.quiet()
		complete(t, one.Number(i), c)
	}
	for _, c := range append(calls, fresh, unrecorded) {
		c.hangUp()
	}
	if !peer.Eventually(retiring(0)) {
		t.Error("a socket that nobody uses is still there")
	}
	if !peer.Eventually(func() bool { return one.Ended() == n && two.Ended() == 1 }) {
		t.Errorf("%d and %d recordings have ended", one.Ended(), two.Ended())
	}
	if one.Taken() != n || two.Taken() != 1 {
		t.Errorf("%d and %d recordings", one.Taken(), two.Taken())
	}
}
