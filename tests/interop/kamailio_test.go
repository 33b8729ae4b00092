//go:build interop

package interop_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const pbxPort = 6091

// Two baresip phones, one by UDP and one by TCP, register with Kamailio through sidetrack and call each other through
// it. A call passes twice, from the phone to the PBX and from the PBX to the phone, and each time it is recorded
// whole. After a restart of sidetrack they reach each other again once they have registered.
func TestPhonesRegisteredWithKamailio(t *testing.T) {
	root(t)
	need(t, "kamailio", "baresip", "ip")
	for _, mode := range []string{"contact", "path"} {
		t.Run(mode, func(t *testing.T) {
			namespace := newNamespace(t)
			startKamailio(t, namespace)
			s := newSiteWith(t, namespace, inside, fmt.Sprintf("sip:%s:%d", inside, pbxPort), "  register: "+mode)
			anna := newRegistered(t, namespace, "anna", 6071, 440, "udp")
			ben := newRegistered(t, namespace, "ben", 6081, 1000, "tcp")
			s.awaitPhones(2)

			s.talk(anna, ben, 1)
			s.talk(ben, anna, 2)
			for _, r := range s.awaitRecordings(4) {
				s.bothTones(r)
			}

			s.restart(namespace, anna, ben)
			s.talk(anna, ben, 3)
			s.awaitRecordings(6)

			anna.process.end() // they take their registrations back
			ben.process.end()
			s.awaitPhones(0)
		})
	}
}

func startKamailio(t *testing.T, namespace string) {
	t.Helper()
	startKamailioAt(t, namespace, inside)
}

func startKamailioAt(t *testing.T, namespace, ip string) {
	t.Helper()
	socket := fmt.Sprintf("udp:%s:%d", ip, pbxPort)
	dir := t.TempDir()
	k := start(t, "kamailio", namespace, "kamailio", "-f", absolute(t, "kamailio/registrar.cfg"), "-l", socket, "-DD", "-E", "-A", fmt.Sprintf("TRUNK=%q", trunkIP), "-A", fmt.Sprintf(`SIDETRACK="sip:%s:%d"`, inside, proxyPort),
		"-Y", dir, "-P", filepath.Join(dir, "pid"), "-m", "32", "-M", "8")
	k.listens(fmt.Sprintf("%s:%d", ip, pbxPort))
}

// newRegistered starts a phone that registers through sidetrack.
func newRegistered(t *testing.T, namespace, name string, port int, hertz float64, network string) *phone {
	t.Helper()
	account := fmt.Sprintf(`<sip:%[1]s@%[2]s:%[3]d;transport=%[5]s>;auth_user=%[1]s;auth_pass=secret;outbound="sip:%[2]s:%[4]d;transport=%[5]s";regint=10`,
		name, inside, pbxPort, proxyPort, network)
	return newPhoneAs(t, namespace, name, port, hertz, account)
}

// awaitPhones waits until so many are known.
func (s *site) awaitPhones(n float64) {
	s.t.Helper()
	s.awaitPhonesFor(patience, n)
}

func (s *site) awaitPhonesFor(within time.Duration, n float64) {
	s.t.Helper()
	if !eventually(within, func() bool { return s.sum("sidetrack_registrations") == n }) {
		fatal(s.t, "%v phones have registered, %v should", s.sum("sidetrack_registrations"), n)
	}
}

// restart ends the proxy and starts it again while these phones stay, and waits until all have registered again, which
// they do every nine seconds. One whose connection is refused meanwhile tries only after half a minute to a minute
// (baresip's library, src/sipreg/reg.c: failwait), so it is best done when no refresh is due, and has the time of one.
func (s *site) restart(namespace string, phones ...*phone) {
	s.t.Helper()
	eventually(patience, func() bool {
		return !slices.ContainsFunc(phones, func(p *phone) bool { return p.sinceRefresh() > 5*time.Second })
	})
	s.proxy.end()
	s.serve(namespace)
	s.awaitPhonesFor(patience+time.Minute, float64(len(phones)))
}

// sinceRefresh is how long ago the phone has registered.
func (p *phone) sinceRefresh() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.fresh)
}

// talk is the nth call between two phones, some seconds long.
func (s *site) talk(from, to *phone, n int) {
	s.t.Helper()
	before := s.copies()
	from.command("dial", fmt.Sprintf("sip:%s@%s:%d", to.name, inside, pbxPort))
	from.event("CALL_ESTABLISHED", n)
	to.event("CALL_ESTABLISHED", n)
	s.awaitCopies(before + 320) // two passes of two streams, over a second and a half of each
	from.command("hangup", "")
	from.event("CALL_CLOSED", n)
	to.event("CALL_CLOSED", n)
	if !eventually(patience, func() bool { return s.calls() == 0 }) {
		failed(s.t, "%d calls are left", s.calls())
	}
}

// bothTones looks whether a recording has each party's tone under a label of its own.
func (s *site) bothTones(r recording) {
	s.t.Helper()
	if !r.Complete || len(r.Problems) > 0 || len(r.Streams) != 2 {
		s.t.Errorf("recording %+v", r)
	}
	tones := map[float64]float64{}
	for _, stream := range r.Streams {
		samples, rate := wave(s.t, filepath.Join(r.dir, filepath.Base(stream.File)))
		low, high := heard(samples, rate, 440), heard(samples, rate, 1000)
		if low > 0 && high > 0 || stream.Lost > 0 {
			s.t.Errorf("label %s: %.1f s of one tone, %.1f s of the other, %d packets lost", stream.Label, low, high, stream.Lost)
		}
		tones[440] += low
		tones[1000] += high
	}
	if tones[440] < 1 || tones[1000] < 1 {
		s.t.Errorf("recording of %v: tones %v", r.Parties, tones)
	}
}
