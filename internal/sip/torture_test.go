package sip_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/internal/sip"
)

const (
	accepted = -1 // parses; what a transaction user makes of it (405, 416, 420, 481, 483 …) is not for the parser
	dropped  = 0
)

// verdicts says what Parse makes of each torture message: accepted, dropped, or the status of the answer.
var verdicts = map[string]int{
	// RFC 4475 §3.1.1: valid messages.
	"rfc4475/wsinv.dat": accepted, "rfc4475/intmeth.dat": accepted, "rfc4475/esc01.dat": accepted,
	"rfc4475/escnull.dat": accepted, "rfc4475/esc02.dat": accepted, "rfc4475/lwsdisp.dat": accepted,
	"rfc4475/longreq.dat": accepted, "rfc4475/dblreq.dat": accepted, "rfc4475/semiuri.dat": accepted,
	"rfc4475/transports.dat": accepted, "rfc4475/mpart01.dat": accepted, "rfc4475/unreason.dat": accepted,
	"rfc4475/noreason.dat": accepted,
	// §3.1.2: invalid messages.
	"rfc4475/badinv01.dat": 400, "rfc4475/clerr.dat": 400, "rfc4475/ncl.dat": 400, "rfc4475/scalar02.dat": 400,
	"rfc4475/scalarlg.dat": dropped, "rfc4475/quotbal.dat": 400, "rfc4475/ltgtruri.dat": 400,
	"rfc4475/lwsruri.dat": 400, "rfc4475/lwsstart.dat": 400, "rfc4475/trws.dat": 400, "rfc4475/escruri.dat": 400,
	"rfc4475/baddate.dat": accepted, "rfc4475/regbadct.dat": 400, "rfc4475/badaspec.dat": 400,
	"rfc4475/baddn.dat": 400, "rfc4475/baddn-terminated.dat": 400, "rfc4475/badvers.dat": 505,
	"rfc4475/mismatch01.dat": 400, "rfc4475/mismatch02.dat": 400, "rfc4475/bigcode.dat": dropped,
	"rfc4475/test.dat": dropped,
	// §3.2–§3.4: transaction, application and compatibility matters.
	"rfc4475/badbranch.dat": accepted, "rfc4475/insuf.dat": 400, "rfc4475/unkscm.dat": accepted,
	"rfc4475/novelsc.dat": accepted, "rfc4475/unksm2.dat": accepted, "rfc4475/bext01.dat": accepted,
	"rfc4475/invut.dat": accepted, "rfc4475/regaut01.dat": accepted, "rfc4475/multi01.dat": 400,
	"rfc4475/mcl01.dat": 400, "rfc4475/bcast.dat": accepted, "rfc4475/zeromf.dat": accepted,
	"rfc4475/cparam01.dat": accepted, "rfc4475/cparam02.dat": accepted, "rfc4475/regescrt.dat": accepted,
	"rfc4475/sdp01.dat": accepted, "rfc4475/inv2543.dat": accepted,
	// RFC 5118 §4.
	"rfc5118/ipv6-good.dat": accepted, "rfc5118/ipv6-bad.dat": 400, "rfc5118/port-ambiguous.dat": accepted,
	"rfc5118/port-unambiguous.dat": accepted, "rfc5118/via-received-param-with-delim.dat": accepted,
	"rfc5118/via-received-param-no-delim.dat": accepted, "rfc5118/ipv6-in-sdp.dat": accepted,
	"rfc5118/mult-ip-in-header.dat": accepted, "rfc5118/mult-ip-in-sdp.dat": accepted,
	"rfc5118/ipv4-mapped-ipv6.dat": accepted, "rfc5118/ipv6-bug-abnf-3-colons.dat": 400,
	"rfc5118/ipv6-correct-abnf-2-colons.dat": accepted,
}

// torture reads a message of the corpus.
func torture(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata/torture", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestTortureVerdicts(t *testing.T) {
	files, err := filepath.Glob("testdata/torture/*/*.dat")
	if err != nil || len(files) != len(verdicts) {
		t.Fatalf("%d files, %d verdicts (%v)", len(files), len(verdicts), err)
	}
	for name, want := range verdicts {
		t.Run(name, func(t *testing.T) {
			m, err := sip.Parse(torture(t, name))
			if want == accepted {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				mustParse(t, m.Bytes())
				return
			}
			var refusal *sip.ParseError
			if !errors.As(err, &refusal) || refusal.Status != want {
				t.Fatalf("verdict %v, want %d", err, want)
			}
			if want != dropped {
				checkAnswer(t, refusal)
			}
		})
	}
}

// checkAnswer sees that the refusal can be turned into an answer that our own parser takes, as far as the request had
// the fields for it.
func checkAnswer(t *testing.T, refusal *sip.ParseError) {
	t.Helper()
	if refusal.Msg == nil {
		t.Fatal("nothing to build an answer from")
	}
	answer := sip.NewResponse(refusal.Msg, refusal.Status, refusal.Reason)
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		if refusal.Msg.Has(name) != answer.Has(name) {
			t.Errorf("%s lost in the answer", name)
		}
		if n := len(answer.All(name)); name != "Via" && n > 1 {
			t.Errorf("%d × %s in the answer", n, name)
		}
	}
	if !answer.Has("Via") || !answer.Has("CSeq") {
		t.Errorf("answer without Via or CSeq:\n%s", answer.Bytes())
	}
}

// TestTortureMeaning looks at what the valid messages are about.
func TestTortureMeaning(t *testing.T) {
	t.Run("wsinv", func(t *testing.T) {
		m := mustParse(t, torture(t, "rfc4475/wsinv.dat"))
		via := m.TopVia()
		want(t, "top Via", via.Transport+" "+via.Host+" "+via.Branch(), "UDP 192.0.2.2 390skdjuw")
		want(t, "Vias", strings.Join(branches(t, m), " "), "390skdjuw z9hG4bK9ikj8 z9hG4bK30239")
		want(t, "CSeq", m.CSeq(), sip.CSeq{Num: 9, Method: "INVITE"})
		want(t, "From", m.From().Display, `J Rosenberg \"`)
		want(t, "From-tag", m.FromTag(), "98asjd8")
		want(t, "To-tag", m.ToTag(), "1918181833n")
		want(t, "Subject", m.Get("Subject"), "")
		want(t, "Content-Type", m.ContentType(), "application/sdp")
		want(t, "routes", len(m.List("Route")), 1)
		contact, ok := m.Contact()
		if !ok || contact.URI != "sip:jdrosen@example.com" || contact.Display != "Quoted string \"\"" {
			t.Errorf("Contact %+v, %v", contact, ok)
		}
	})
	t.Run("intmeth", func(t *testing.T) {
		m := mustParse(t, torture(t, "rfc4475/intmeth.dat"))
		want(t, "method", m.Method, "!interesting-Method0123456789_*+`.%indeed'~")
		want(t, "display", m.To().Display, "BEL:\x07 NUL:\x00 DEL:\x7f")
	})
	t.Run("esc01", func(t *testing.T) {
		m := mustParse(t, torture(t, "rfc4475/esc01.dat"))
		want(t, "Request-URI", m.RequestURI, "sip:sips%3Auser%40example.com@example.net")
	})
	t.Run("esc02", func(t *testing.T) {
		want(t, "method", mustParse(t, torture(t, "rfc4475/esc02.dat")).Method, "RE%47IST%45R")
	})
	t.Run("lwsdisp", func(t *testing.T) {
		from := mustParse(t, torture(t, "rfc4475/lwsdisp.dat")).From()
		want(t, "display", from.Display, "caller")
		want(t, "URI", from.URI, "sip:caller@example.com")
	})
	t.Run("longreq", func(t *testing.T) {
		want(t, "Vias", len(branches(t, mustParse(t, torture(t, "rfc4475/longreq.dat")))), 34)
	})
	t.Run("dblreq", func(t *testing.T) {
		want(t, "body", len(mustParse(t, torture(t, "rfc4475/dblreq.dat")).Body), 0)
	})
	t.Run("semiuri", func(t *testing.T) {
		u, err := sip.ParseURI(mustParse(t, torture(t, "rfc4475/semiuri.dat")).RequestURI)
		if err != nil || u.User != "user;par=u%40example.net" || u.Host != "example.com" {
			t.Errorf("%+v, %v", u, err)
		}
	})
	t.Run("noreason", func(t *testing.T) {
		m := mustParse(t, torture(t, "rfc4475/noreason.dat"))
		want(t, "status", m.Status, 100)
		want(t, "reason", m.Reason, "")
	})
	t.Run("inv2543", func(t *testing.T) {
		m := mustParse(t, torture(t, "rfc4475/inv2543.dat"))
		want(t, "branch", m.TopVia().Branch(), "")
		want(t, "body begins", strings.HasPrefix(string(m.Body), "v=0"), true)
	})
	t.Run("port-ambiguous", func(t *testing.T) {
		u, err := sip.ParseURI(mustParse(t, torture(t, "rfc5118/port-ambiguous.dat")).RequestURI)
		if err != nil || u.Host != "2001:db8::10:5070" || u.Port != 0 {
			t.Errorf("%+v, %v", u, err)
		}
	})
	t.Run("port-unambiguous", func(t *testing.T) {
		u, err := sip.ParseURI(mustParse(t, torture(t, "rfc5118/port-unambiguous.dat")).RequestURI)
		if err != nil || u.Host != "2001:db8::10" || u.Port != 5070 {
			t.Errorf("%+v, %v", u, err)
		}
	})
	t.Run("received", func(t *testing.T) {
		for name, want := range map[string]string{
			"rfc5118/via-received-param-with-delim.dat": "[2001:db8::9:255]",
			"rfc5118/via-received-param-no-delim.dat":   "2001:db8::9:255",
		} {
			if got, _ := mustParse(t, torture(t, name)).TopVia().Params.Get("received"); got != want {
				t.Errorf("%s: received=%s, want %s", name, got, want)
			}
		}
	})
}

func branches(t *testing.T, m *sip.Message) []string {
	t.Helper()
	var all []string
	for _, value := range m.List("Via") {
		via, err := sip.ParseVia(value)
		if err != nil {
			t.Errorf("Via %q: %v", value, err)
		}
		all = append(all, via.Branch())
	}
	return all
}

// want compares one thing.
func want[T comparable](t testing.TB, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s: got %v, want %v", what, got, wanted)
	}
}
