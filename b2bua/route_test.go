package b2bua_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// oneRoute is a stage whose only route is changed by with.
func oneRoute(t *testing.T, with func(*stage, *policy.Route)) *stage {
	return newStage(t, setup{hunting: true, policy: func(s *stage) policy.Config {
		r := policy.Route{Name: "pbx", Targets: policy.Targets(s.pbx.URI(""), s.second.URI(""))}
		with(s, &r)
		return policy.Config{Routes: []policy.Route{r}}
	}})
}

// A route's own codes decide when the next target is asked, for calls and for other requests.
func TestFailoverCodes(t *testing.T) {
	s := oneRoute(t, func(_ *stage, r *policy.Route) { r.FailoverCodes = regexp.MustCompile("^(404|486|5)") })
	for _, status := range []int{404, 486, 500, 503} {
		c := s.invite()
		c.in.Reply(status)
		c.in.ExpectOther("ACK")
		c.in = s.second.Expect("INVITE")
		c.answer().hangUp()
		out := s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: bob})
		s.pbx.Expect("MESSAGE").Reply(status)
		s.second.Expect("MESSAGE").Reply(200)
		out.Expect(200)
	}
	for _, status := range []int{408, 403, 603} {
		c := s.invite()
		c.in.Reply(status)
		c.in.ExpectOther("ACK")
		c.out.Expect(status)
	}
	s.quiet()
}

// Headers of the route and of the target's URI are set; a sender cannot forge them.
func TestRouteHeaders(t *testing.T) {
	s := oneRoute(t, func(s *stage, r *policy.Route) {
		for name, text := range map[string]string{"X-Tenant": "acme", "X-Caller": "{{.From.User}} by {{.Route}}"} {
			value, err := policy.ParseTemplate(name, text)
			if err != nil {
				t.Fatal(err)
			}
			r.Headers = append(r.Headers, policy.RouteHeader{Name: name, Value: value})
		}
		r.Targets = policy.Targets(s.pbx.URI("?X-Trunk=a%20b&User-to-User=56a390%3Bencoding%3Dhex&Via=no&X-Bad=%0d%0aX-Evil:%201"))
	})
	check := func(in *peer.Incoming) {
		t.Helper()
		for name, want := range map[string]string{
			"X-Tenant": "acme", "X-Caller": "caller by pbx", "X-Trunk": "a b", "User-to-User": "56a390;encoding=hex",
		} {
			if got := in.All(name); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %q", name, got)
			}
		}
		if in.Get("X-Evil") != "" || len(in.All("Via")) != 1 || strings.Contains(in.URI(), "?") {
			t.Errorf("came as %q", in.Raw)
		}
	}
	forged := []peer.Opt{peer.With("X-Tenant", "mine"), peer.Adding("X-Tenant", "too")}
	c := s.invite(forged...)
	check(c.in)
	c.answer().hangUp()
	out := s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: bob, Opts: forged})
	in := s.pbx.Expect("MESSAGE")
	check(in)
	in.Reply(200)
	out.Expect(200)
	s.quiet()
}

// A 302 is followed: the Contact with the greatest q first, as it reads, then the others; the caller hears only them.
func TestRedirectsAreFollowed(t *testing.T) {
	s := oneRoute(t, func(s *stage, r *policy.Route) {
		r.FollowRedirects, r.Targets = true, policy.Targets(s.pbx.URI(""))
	})
	second := "sip:carol@" + s.second.Addr().String()
	c := s.invite()
	c.in.Reply(302, peer.With("Contact", "<sip:nobody@"+s.pbx.Addr().String()+">;q=0.1, <"+second+"?X-Evil=1>;q=0.9, <mailto:x@y>"))
	c.in.ExpectOther("ACK")
	c.in = s.second.Expect("INVITE")
	if c.in.URI() != second || c.in.Get("X-Evil") != "" {
		t.Errorf("the INVITE came as %q", c.in.Raw)
	}
	c.in.Reply(503)
	c.in.ExpectOther("ACK")
	c.in = s.pbx.ExpectWhere("the INVITE for nobody", func(m *peer.Message) bool { return strings.HasPrefix(m.URI(), "sip:nobody@") })
	c.answer().hangUp()
	s.quiet()
}

// One Contact of a redirection that is busy, or not there, is not the last word while there are others; 603 is, and so is
// a challenge.
func TestRefusedContactOfARedirection(t *testing.T) {
	for status, last := range map[int]bool{486: false, 404: false, 603: true, 401: true} {
		s := oneRoute(t, func(s *stage, r *policy.Route) {
			r.FollowRedirects, r.Targets = true, policy.Targets(s.pbx.URI(""))
		})
		c := s.invite()
		c.in.Reply(302, peer.With("Contact", "<sip:desk@"+s.second.Addr().String()+">, <sip:home@"+s.pbx.Addr().String()+">;q=0.5"))
		c.in.ExpectOther("ACK")
		first := s.second.Expect("INVITE")
		first.Reply(status)
		first.ExpectOther("ACK")
		if last {
			c.out.Expect(status)
		} else {
			c.in = s.pbx.ExpectWhere("the INVITE for home", func(m *peer.Message) bool { return strings.HasPrefix(m.URI(), "sip:home@") })
			c.answer().hangUp()
		}
		s.quiet()
	}
}

// Two servers that redirect to each other do not keep us busy; without the key a 302 is the caller's.
func TestRedirectsEnd(t *testing.T) {
	for _, follow := range []bool{true, false} {
		s := oneRoute(t, func(s *stage, r *policy.Route) {
			r.FollowRedirects, r.Targets = follow, policy.Targets(s.pbx.URI(""))
		})
		asked := []*peer.Peer{s.pbx}
		if follow {
			asked = []*peer.Peer{s.pbx, s.second, s.pbx}
		}
		out := s.caller.Invite(s.proxy, peer.Call{URI: bob, SDP: peer.BuildSDP(1)})
		for _, p := range asked {
			far := s.second
			if p == s.second {
				far = s.pbx
			}
			in := p.Expect("INVITE")
			in.Reply(302, peer.With("Contact", "<sip:x@"+far.Addr().String()+">"))
			in.ExpectOther("ACK")
		}
		if got := out.Expect(302); peer.URIOf(got.Get("Contact")) != "sip:x@"+s.second.Addr().String() {
			t.Errorf("the caller got %q", got.Raw)
		}
		s.quiet()
	}
}
