//go:build interop

package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var (
	trunkIP = private(2)
	pbxIP   = private(3)
)

// Sidetrack on both sides of a PBX: Kamailio with authentication, three baresip phones that register by UDP, TCP and TLS,
// and a trunk played by SIPp. Phones call each other, the trunk and are called by it; one holds, one transfers; the trunk
// plays an announcement before it answers. A call passes twice and each pass is recorded whole. After a restart of
// sidetrack the phones reach each other once they have registered again.
func TestPBXWithPhonesAndTrunk(t *testing.T) {
	root(t)
	need(t, "kamailio", "baresip", "sipp", "ip")
	namespace := newNamespace(t)
	for _, ip := range []string{trunkIP, pbxIP} {
		addAddress(t, namespace, ip)
	}
	startKamailioAt(t, namespace, pbxIP)
	id := newIdentity(t, inside)
	s := newSiteOf(t, namespace, inside, siteKeys{
		sip: fmt.Sprintf("  tls: {certificate: %s, key: %s}", id.cert, id.key), listeners: fmt.Sprintf(`, "tls://%s:%d"`, inside, tlsPort),
		routes: fmt.Sprintf("  - {name: out, match: {source: [%s/32]}, to: \"sip:%s:5080\"}\n  - {name: in, to: \"sip:%s:%d\"}\n", pbxIP, trunkIP, pbxIP, pbxPort),
	})
	p := pbx{t: t, site: s, namespace: namespace}
	anna, ben, carl := p.phone("anna", 6071, 440, "udp", proxyPort, id), p.phone("ben", 6081, 1000, "tcp", proxyPort, id), p.phone("carl", 6101, 1000, "tls", tlsPort, id)
	s.awaitPhones(3)
	p.pcap, _ = clip(t, 4, 1000)

	p.call(anna, ben, nil)  // UDP to TCP
	p.call(carl, anna, nil) // TLS to UDP
	p.call(anna, carl, func() { p.hold(anna) })
	p.toTrunk(anna)
	p.fromTrunk(anna)
	for _, r := range s.awaitRecordings(p.recordings) {
		s.bothTones(r)
	}
	p.transfer(anna, ben, carl)

	s.restart(namespace, anna, ben, carl)
	p.call(anna, carl, nil)
	s.awaitRecordings(p.recordings)

	for _, phone := range []*phone{anna, ben, carl} { // they take their registrations back
		phone.process.end()
	}
	s.awaitPhones(0)
}

// pbx is the whole set-up, and how many calls each has had.
type pbx struct {
	t          *testing.T
	site       *site
	namespace  string
	pcap       string
	recordings int
	calls      map[*phone]int
}

// phone starts one that registers through sidetrack.
func (p *pbx) phone(name string, port int, hertz float64, network string, by int, id identity) *phone {
	p.t.Helper()
	account := fmt.Sprintf(`<sip:%[1]s@%[2]s:%[3]d;transport=%[5]s>;auth_user=%[1]s;auth_pass=secret;outbound="sip:%[6]s:%[4]d;transport=%[5]s";regint=10`,
		name, pbxIP, pbxPort, by, network, inside)
	both, err := os.ReadFile(id.cert)
	if err != nil {
		p.t.Fatal(err)
	}
	key, err := os.ReadFile(id.key)
	if err != nil {
		p.t.Fatal(err)
	}
	return newPhoneIn(p.t, p.namespace, name, port, hertz, account, append(key, both...))
}

// established awaits the next call of each.
func (p *pbx) established(phones ...*phone) {
	p.t.Helper()
	if p.calls == nil {
		p.calls = map[*phone]int{}
	}
	for _, ph := range phones {
		p.calls[ph]++
		ph.event("CALL_ESTABLISHED", p.calls[ph])
	}
}

// call is one between two phones, with something done in it.
func (p *pbx) call(from, to *phone, during func()) {
	p.t.Helper()
	before := p.site.copies()
	from.command("dial", fmt.Sprintf("sip:%s@%s:%d", to.name, pbxIP, pbxPort))
	p.established(from, to)
	p.site.awaitCopies(before + 320)
	if during != nil {
		during()
	}
	p.over(from, 2)
}

// over hangs up and awaits the end; so many recordings were made.
func (p *pbx) over(who *phone, recordings int) {
	p.t.Helper()
	who.command("hangup", "")
	p.recordings += recordings
	if !eventually(patience, func() bool { return p.site.calls() == 0 }) {
		failed(p.t, "%d calls are left", p.site.calls())
	}
	p.site.awaitRecordings(p.recordings)
}

func (p *pbx) hold(who *phone) {
	p.t.Helper()
	who.command("hold", "")
	p.site.awaitStates("paused", 2)
	who.command("resume", "")
	p.site.awaitStates("recording", 2)
	p.site.awaitCopies(p.site.copies() + 200)
}

// toTrunk is a call that ends at the trunk, which plays something before it answers.
func (p *pbx) toTrunk(from *phone) {
	p.t.Helper()
	trunk := start(p.t, "trunk", p.namespace, "sipp", "-sf", absolute(p.t, "sipp/uas_early.xml"), "-i", trunkIP, "-mi", trunkIP, "-p", "5080", "-mp", "7000",
		"-key", "pcap", p.pcap, "-m", "1", "-nostdin", "-trace_err", "-error_file", errors(p.t), "-timeout", "40s")
	trunk.listens(trunkIP + ":5080")
	before := p.site.copies()
	from.command("dial", fmt.Sprintf("sip:9123@%s:%d", pbxIP, pbxPort))
	from.event("CALL_PROGRESS", 1)
	p.established(from)
	p.site.awaitCopies(before + 320)
	p.over(from, 2)
	if status := trunk.wait(patience); status != 0 {
		p.t.Errorf("the trunk ended with %d", status)
	}
}

// fromTrunk is a call that the trunk makes.
func (p *pbx) fromTrunk(to *phone) {
	p.t.Helper()
	trunk := start(p.t, "trunk calls", p.namespace, "sipp", fmt.Sprintf("%s:%d", inside, proxyPort), "-sf", absolute(p.t, "sipp/uac_audio.xml"), "-i", trunkIP, "-mi", trunkIP,
		"-p", "5070", "-mp", "6000", "-s", to.name, "-key", "pcap", p.pcap, "-d", "3800", "-m", "1", "-nostdin", "-trace_err", "-error_file", errors(p.t), "-timeout", "40s")
	p.established(to)
	if status := trunk.wait(patience); status != 0 {
		p.t.Errorf("the trunk ended with %d", status)
	}
	p.recordings += 2
	p.site.awaitRecordings(p.recordings)
}

// transfer: first calls second and sends it on to third (RFC 5359 §2.4).
func (p *pbx) transfer(first, second, third *phone) {
	p.t.Helper()
	first.command("dial", fmt.Sprintf("sip:%s@%s:%d", second.name, pbxIP, pbxPort))
	p.established(first, second)
	p.site.awaitCopies(p.site.copies() + 300)
	first.command("transfer", fmt.Sprintf("sip:%s@%s:%d", third.name, pbxIP, pbxPort))
	p.established(second, third)
	p.site.awaitCopies(p.site.copies() + 300)
	p.recordings += 2 // of the first call, which the transfer ends
	p.over(third, 2)
	for _, r := range p.site.recordings() {
		if !r.Complete || len(r.Problems) > 0 {
			p.t.Errorf("recording %s: %+v", filepath.Base(r.dir), r)
		}
	}
}
