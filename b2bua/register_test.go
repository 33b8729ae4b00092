package b2bua_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// phone is the stage's caller as one that registers with its PBX through us.
type phone struct {
	*stage
	network string
	sent    *peer.Outgoing // its last REGISTER
	in      *peer.Incoming // the same at the PBX
	contact string         // what the PBX knows it by
	path    string
}

const alice = "sip:alice@pbx.test"

// register has the phone register and the PBX grant what it asks for.
func (s *stage) register(network string, opts ...peer.Opt) *phone {
	s.t.Helper()
	p := &phone{stage: s, network: network}
	p.again(opts...)
	p.grant("600")
	return p
}

func (p *phone) again(opts ...peer.Opt) {
	p.t.Helper()
	p.sent = p.caller.Start("REGISTER", p.proxy, peer.Call{Network: p.network, URI: "sip:pbx.test", From: "<" + alice + ">",
		Opts: append([]peer.Opt{peer.With("To", "<"+alice+">"), peer.With("Expires", "600")}, opts...)})
	p.in = p.pbx.Expect("REGISTER")
	p.contact, p.path = p.in.Get("Contact"), p.in.Get("Path")
}

// grant answers 200 with the Contacts of the request.
func (p *phone) grant(expires string) *peer.Message {
	p.t.Helper()
	opts := []peer.Opt{peer.Without("Contact"), peer.With("Expires", expires)}
	for _, c := range p.in.All("Contact") {
		opts = append(opts, peer.Adding("Contact", c))
	}
	p.in.Reply(200, opts...)
	return p.sent.Expect(200)
}

// uri and opts lead a request of the PBX to the phone.
func (p *phone) reach(opts ...peer.Opt) peer.Call {
	if p.path != "" {
		opts = append(opts, peer.With("Route", p.path))
	}
	return peer.Call{URI: peer.URIOf(p.contact), Opts: opts}
}

// ring has the PBX call the phone; it answers, and both talk about it.
func (p *phone) ring() *call {
	p.t.Helper()
	c := &call{st: p.stage, a: peer.NewMedia(p.t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(p.t, "127.0.0.1", "c", "callee")}
	with := p.reach()
	with.SDP = c.sdpA(1)
	c.out = p.pbx.Invite(p.proxy, with)
	c.in = p.caller.Expect("INVITE")
	if own := peer.URIOf(p.caller.Contact(p.network)); c.in.URI() != own || c.in.Network() != p.network || c.in.Get("Route") != "" {
		p.t.Errorf("the phone got %q over %s, its Contact is %s", c.in.Start, c.in.Network(), own)
	}
	return c
}

// What the registrar says of a phone's Contacts is told in the phone's own words; others' stay as they are. Challenge
// and credentials pass, parameters of the Contact too.
func TestRegisterPasses(t *testing.T) {
	s := newStage(t, setup{})
	own := []string{`<sip:alice@192.0.2.9>;q=0.5`, `"A, B" <sip:alice@192.0.2.10>;+sip.instance="<urn:uuid:1>"`, `<mailto:alice@pbx.test>`}
	contacts := []peer.Opt{peer.With("Contact", own[0]), peer.Adding("Contact", own[1]+", "+own[2])}
	p := &phone{stage: s, network: "udp"}
	p.again(append(contacts, peer.With("Require", "path"))...)
	if p.in.Get("Require") != "path" || len(p.in.All("Via")) != 1 || p.in.Get("Max-Forwards") != "69" || p.in.URI() != "sip:pbx.test" {
		t.Errorf("REGISTER came as %q", p.in.Raw)
	}
	p.in.Reply(401, peer.With("WWW-Authenticate", `Digest realm="a,b", nonce="n"`))
	if got := p.sent.Expect(401); got.Get("WWW-Authenticate") != `Digest realm="a,b", nonce="n"` || got.ToTag() != p.in.Tag {
		t.Errorf("401 came as %q", got.Raw)
	}
	p.again(append(contacts, peer.With("Authorization", `Digest a="b,c"`))...)
	seen := p.in.All("Contact")
	if len(seen) != 3 || !strings.HasSuffix(seen[0], ">;q=0.5") || !strings.HasPrefix(seen[1], `"A, B" <sip:`) || seen[2] != own[2] ||
		strings.Contains(seen[0]+seen[1], "192.0.2.") || p.in.Get("Authorization") != `Digest a="b,c"` {
		t.Errorf("REGISTER came as %q", p.in.Raw)
	}
	other := "<sip:alice@198.51.100.7>;expires=17"
	p.in.Reply(200, peer.With("Contact", seen[0]+";expires=300, "+seen[1]+";expires=300"), peer.Adding("Contact", other), peer.With("Service-Route", "<sip:pbx.test;lr>"))
	got := p.sent.Expect(200)
	if want := []string{own[0] + ";expires=300", own[1] + ";expires=300", other}; !slices.Equal(got.All("Contact"), want) {
		t.Errorf("200 came with %q", got.All("Contact"))
	}
	if got.Get("Service-Route") != "<sip:pbx.test;lr>" || len(got.All("Via")) != 1 {
		t.Errorf("200 came as %q", got.Raw)
	}
	// A query has no Contact; its answer is mapped as well.
	p.again(peer.Without("Contact"))
	p.in.Reply(200, peer.With("Contact", seen[1]+";expires=290"))
	if got := p.sent.Expect(200).Get("Contact"); got != own[1]+";expires=290" {
		t.Errorf("the query says %q", got)
	}
	s.quiet()
}

// Each refresh shows the registrar the same Contact, also after a restart of ours; then the phone must have registered once.
func TestTokenIsTheSameAfterARestart(t *testing.T) {
	first := newStage(t, setup{})
	contact := peer.With("Contact", "<sip:alice@192.0.2.9>")
	p := first.register("udp", contact)
	before := p.contact
	p.again(contact)
	p.grant("600")
	if p.contact != before {
		t.Errorf("refreshed as %s, before %s", p.contact, before)
	}
	user := regexp.MustCompile(`sip:([^@]*)@`)
	second := newStage(t, setup{})
	token := user.FindStringSubmatch(before)[1]
	second.pbx.Start("OPTIONS", second.proxy, peer.Call{URI: "sip:" + token + "@" + second.proxy.String()}).Expect(480)
	again := second.register("udp", contact)
	if got := user.FindStringSubmatch(again.contact)[1]; got != token {
		t.Errorf("token %s, before the restart %s", got, token)
	}
	out := second.pbx.Start("OPTIONS", second.proxy, again.reach())
	second.caller.Expect("OPTIONS").Reply(200)
	out.Expect(200)
}

// A binding ends with expires=0, with "*" and with its time; a phone whose connection is closed is not reached.
func TestBindingEnds(t *testing.T) {
	for name, end := range map[string]func(*phone) int{
		"expires": func(p *phone) int { p.again(peer.With("Expires", "0")); p.grant("0"); return 480 },
		"parameter": func(p *phone) int {
			p.again(peer.With("Contact", p.caller.Contact("tcp")+";expires=0"))
			p.in.Reply(200, peer.Without("Contact"))
			p.sent.Expect(200)
			return 480
		},
		"star": func(p *phone) int {
			p.again(peer.With("Contact", "*"), peer.With("Expires", "0"))
			if p.contact != "*" {
				t.Errorf("the registrar got %q", p.contact)
			}
			p.in.Reply(200, peer.Without("Contact"))
			p.sent.Expect(200)
			return 480
		},
		"connection": func(p *phone) int { p.caller.DropConnections(); return 480 },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, setup{})
			p := s.register("tcp")
			with := p.reach()
			out := s.pbx.Start("MESSAGE", s.proxy, with)
			s.caller.Expect("MESSAGE").Reply(200)
			out.Expect(200)
			status := end(p)
			if !peer.Eventually(func() bool { return s.pbx.Start("MESSAGE", s.proxy, with).ExpectFinal().Status() == status }) {
				t.Errorf("the phone is still reached")
			}
		})
	}
}

// A failed registration binds nothing.
func TestRefusedRegistrationBindsNothing(t *testing.T) {
	s := newStage(t, setup{})
	p := &phone{stage: s, network: "udp"}
	p.again()
	p.in.Reply(403)
	p.sent.Expect(403)
	s.pbx.Start("MESSAGE", s.proxy, p.reach()).Expect(480)
	s.quiet()
}

// Another way of registering counts for phones that are not registered. One that is keeps its way while it is, refreshes and
// queries included, so that the registrar never has it twice; once it has left it comes back the new way.
func TestWayOfRegisteringChanges(t *testing.T) {
	for _, mode := range []b2bua.RegisterMode{b2bua.RegisterContact, b2bua.RegisterPath} {
		other := map[b2bua.RegisterMode]b2bua.RegisterMode{b2bua.RegisterContact: b2bua.RegisterPath, b2bua.RegisterPath: b2bua.RegisterContact}[mode]
		t.Run(string(mode)+" to "+string(other), func(t *testing.T) {
			s := newStage(t, setup{register: mode})
			p := s.register("tcp")
			contact, path := p.contact, p.path
			s.server.Set(b2bua.Settings{Identity: b2bua.IdentityPreserve, Register: other})

			p.again()
			if p.contact != contact || p.path != path {
				t.Errorf("its refresh came as %q", p.in.Raw)
			}
			own := peer.URIOf(s.caller.Contact("tcp"))
			if ok := p.grant("600"); peer.URIOf(ok.Get("Contact")) != own {
				t.Errorf("it is told %q", ok.Get("Contact"))
			}
			p.again(peer.Without("Contact"))
			p.in.Reply(200, peer.With("Contact", contact+";expires=300"))
			if ok := p.sent.Expect(200); peer.URIOf(ok.Get("Contact")) != own {
				t.Errorf("its query is answered by %q", ok.Get("Contact"))
			}
			p.contact, p.path = contact, path
			c := p.ring()
			c.answer()
			bye := c.left.Send("BYE")
			c.right.AnswerBye()
			bye.Expect(200)

			p.again(peer.With("Expires", "0"))
			if p.contact != contact {
				t.Errorf("it leaves as %q", p.in.Raw)
			}
			p.grant("0")
			p.again()
			if hasPath := p.path != ""; hasPath != (other == b2bua.RegisterPath) || p.contact == contact {
				t.Errorf("it comes back as %q", p.in.Raw)
			}
			p.grant("600")
			c = p.ring()
			c.answer()
			bye = c.left.Send("BYE")
			c.right.AnswerBye()
			bye.Expect(200)
			s.quiet()
		})
	}
}
