//go:build interop

package interop_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// What baresip cannot: attended transfer and pick-up by INVITE with Replaces, by scripted phones that are registered with
// Kamailio through sidetrack. An INVITE passes twice and must name, at each phone, the dialog by that phone's own
// identifiers, also where each passage rewrites them. Each passage of each call is recorded whole.
func TestReplacesThroughKamailio(t *testing.T) {
	root(t)
	need(t, "kamailio", "ip")
	for _, identity := range []string{"preserve", "rewrite"} {
		t.Run(identity, func(t *testing.T) {
			namespace := newNamespace(t)
			startKamailio(t, namespace)
			s := newSiteWith(t, namespace, inside, fmt.Sprintf("sip:%s:%d", inside, pbxPort), "  identity: "+identity)
			ladder := peer.NewLadder(t)
			alice, bob, carol := newDesk(t, ladder, "alice", "udp"), newDesk(t, ladder, "bob", "tcp"), newDesk(t, ladder, "carol", "udp")
			s.awaitPhones(3)
			attended(t, alice, bob, carol)
			pickup(t, alice, bob, carol)
			if !eventually(patience, func() bool { return s.calls() == 0 }) {
				t.Errorf("%d calls are left", s.calls())
			}
			all := s.awaitRecordings(8)
			if len(all) != 8 {
				t.Errorf("%d recordings, four calls were answered", len(all))
			}
			for _, r := range all {
				if !r.Complete || len(r.Problems) > 0 || len(r.Streams) != 2 {
					t.Errorf("recording %s: %+v", filepath.Base(r.dir), r)
				}
				for _, stream := range r.Streams {
					if stream.Lost > 0 || stream.Packets == 0 {
						t.Errorf("recording %s: label %s: %d packets, %d lost", filepath.Base(r.dir), stream.Label, stream.Packets, stream.Lost)
					}
				}
			}
		})
	}
}

// attended: alice talks to bob, who asks carol and then refers alice to her (RFC 5359 §2.5).
func attended(t *testing.T, alice, bob, carol *desk) {
	t.Helper()
	first := alice.dial(bob).answer()
	asking := bob.dial(carol).answer()
	known := asking.left.CallID + ";to-tag=" + peer.Param(asking.left.Remote, "tag") + ";from-tag=" + peer.Param(asking.left.Local, "tag")
	refer := first.right.Send("REFER", peer.With("Contact", bob.Contact(bob.network)), peer.With("Referred-By", "<"+bob.aor()+">"),
		peer.With("Refer-To", "<"+carol.aor()+"?Replaces="+url.QueryEscape(known)+">"))
	in := first.left.Expect("REFER")
	in.Reply(202)
	refer.Expect(202)
	_, escaped, _ := strings.Cut(peer.URIOf(in.Get("Refer-To")), "?Replaces=")
	replaces, err := url.QueryUnescape(escaped)
	if err != nil || replaces == "" {
		t.Fatalf("Refer-To came as %q", in.Get("Refer-To"))
	}
	third := alice.dial(carol, peer.With("Replaces", replaces), peer.With("Referred-By", in.Get("Referred-By")))
	third.names(asking.right)
	third.answer()
	notify := first.left.Send("NOTIFY", peer.With("Event", "refer"), peer.With("Subscription-State", "terminated;reason=noresource"),
		peer.With("Contact", alice.Contact(alice.network)), peer.WithBody("message/sipfrag;version=2.0", []byte("SIP/2.0 200 OK")))
	first.right.Expect("NOTIFY").Reply(200)
	notify.Expect(200)
	asking.hangUp(asking.right, asking.left)
	first.hangUp(first.right, first.left)
	third.hangUp(third.left, third.right)
}

// pickup: alice's call rings at bob, and carol takes it (RFC 5359 §2.16). She has the dialog from bob, as the PBX tells it
// to those who watch his phone.
func pickup(t *testing.T, alice, bob, carol *desk) {
	t.Helper()
	first := alice.dial(bob)
	first.in.Reply(180)
	ringing := first.out.Dialog(first.out.Expect(180))
	known := first.in.CallID() + ";to-tag=" + first.in.FromTag() + ";from-tag=" + first.in.Tag + ";early-only"
	second := carol.dial(alice, peer.With("Replaces", known), peer.With("Require", "replaces"))
	second.names(ringing)
	second.answer()
	cancel := first.out.Cancel()
	cancel.Expect(200)
	first.in.ExpectOther("CANCEL").Reply(200)
	first.in.Reply(487)
	first.out.Expect(487)
	second.hangUp(second.right, second.left)
}

// desk is a scripted phone, registered. It is outside the namespace.
type desk struct {
	*peer.Peer
	t       *testing.T
	network string
	proxy   netip.AddrPort
}

func (d *desk) aor() string { return fmt.Sprintf("sip:%s@%s:%d", d.Name, inside, pbxPort) }

func newDesk(t *testing.T, ladder *peer.Ladder, name, network string) *desk {
	t.Helper()
	d := &desk{Peer: peer.New(t, ladder, name, outside, network), t: t, network: network,
		proxy: netip.MustParseAddrPort(fmt.Sprintf("%s:%d", inside, proxyPort))}
	ladder.Name(d.proxy, "sidetrack")
	call := peer.Call{URI: d.aor(), Opts: []peer.Opt{peer.With("Expires", "600")}}
	challenge := d.start("REGISTER", call).Expect(401)
	call.Opts = append(call.Opts, peer.With("Authorization", d.credentials("REGISTER", call.URI, challenge.Get("WWW-Authenticate"))))
	d.start("REGISTER", call).Expect(200)
	return d
}

func (d *desk) start(method string, c peer.Call) *peer.Outgoing {
	c.Network, c.From = d.network, "<"+d.aor()+">"
	return d.Start(method, d.proxy, c)
}

var challengeParts = regexp.MustCompile(`realm="([^"]*)".*nonce="([^"]*)"`)

// credentials answer a challenge without qop (RFC 2617 §3.2.2).
func (d *desk) credentials(method, uri, challenge string) string {
	d.t.Helper()
	m := challengeParts.FindStringSubmatch(challenge)
	if m == nil {
		d.t.Fatalf("challenge %q", challenge)
	}
	hash := func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }
	response := hash(hash(d.Name+":"+m[1]+":secret") + ":" + m[2] + ":" + hash(method+":"+uri))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=MD5`, d.Name, m[1], m[2], uri, response)
}

// deskCall is a call between two of them.
type deskCall struct {
	t           *testing.T
	a, b        *peer.Media
	out         *peer.Outgoing
	in          *peer.Incoming
	left, right *peer.Dialog
}

// dial sends an INVITE, with credentials when it is asked for them, and takes it at the other phone.
func (d *desk) dial(to *desk, opts ...peer.Opt) *deskCall {
	d.t.Helper()
	c := &deskCall{t: d.t, a: peer.NewMedia(d.t, outside, d.Name, d.Name), b: peer.NewMedia(d.t, outside, d.Name, to.Name)}
	invite := peer.Call{URI: to.aor(), SDP: peer.BuildSDP(1, peer.Line{Media: c.a}), Opts: opts}
	challenge := d.start("INVITE", invite).Expect(407)
	invite.Opts = append(opts[:len(opts):len(opts)],
		peer.With("Proxy-Authorization", d.credentials("INVITE", invite.URI, challenge.Get("Proxy-Authenticate"))))
	c.out, c.in = d.start("INVITE", invite), to.Expect("INVITE")
	return c
}

// names looks whether the INVITE, where it arrived, replaces that dialog of the phone there.
func (c *deskCall) names(d *peer.Dialog) {
	c.t.Helper()
	got := c.in.Get("Replaces")
	id, _, _ := strings.Cut(got, ";")
	if id != d.CallID || peer.Param(got, "to-tag") != peer.Param(d.Local, "tag") || peer.Param(got, "from-tag") != peer.Param(d.Remote, "tag") {
		c.t.Errorf("Replaces came as %q; the dialog of the phone is %s, local %s, remote %s", got, d.CallID, d.Local, d.Remote)
	}
}

// answer takes the call, and both talk until they have heard each other.
func (c *deskCall) answer() *deskCall {
	c.t.Helper()
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	c.a.Talk(peer.ParseSDP(ok.SDP()).Media[0].Addr())
	c.b.Talk(peer.ParseSDP(c.in.SDP()).Media[0].Addr())
	c.b.AwaitFrom(c.a.Party, 0, 30)
	c.a.AwaitFrom(c.b.Party, 0, 30)
	return c
}

func (c *deskCall) hangUp(by, other *peer.Dialog) {
	c.t.Helper()
	bye := by.Send("BYE")
	other.AnswerBye()
	bye.Expect(200)
	c.a.Quiet()
	c.b.Quiet()
}
