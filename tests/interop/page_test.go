//go:build interop

package interop_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sidetrack/internal/audio"
	"sidetrack/tests/peer"
)

// conversation is a call of two scripted phones through the site.
type conversation struct {
	left, right *peer.Dialog
	a, b        *peer.Media
	aTo         netip.AddrPort // where a sends to
}

func (s *site) converse(caller, callee *peer.Peer, n int) *conversation {
	s.t.Helper()
	name := fmt.Sprintf("call%d", n)
	c := &conversation{
		a: peer.NewMedia(s.t, caller.Addr().Addr().String(), name, "alice"), b: peer.NewMedia(s.t, callee.Addr().Addr().String(), name, "bob"),
	}
	out := caller.Invite(netip.AddrPortFrom(netip.MustParseAddr(s.ip), proxyPort), peer.Call{
		URI: fmt.Sprintf("sip:+4930555%02d@pbx.example", n), From: fmt.Sprintf("<sip:agent%d@phones.example>", n), SDP: peer.BuildSDP(1, peer.Line{Media: c.a}),
	})
	in := callee.Expect("INVITE")
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	ok := out.Expect(200)
	c.left, c.right = out.Dialog(ok), in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	c.aTo = peer.ParseSDP(ok.SDP()).Media[0].Addr()
	c.a.Talk(c.aTo)
	c.b.Talk(peer.ParseSDP(in.SDP()).Media[0].Addr())
	return c
}

func (c *conversation) hangUp() {
	bye := c.left.Send("BYE")
	c.right.AnswerBye()
	bye.Expect(200)
	c.a.Quiet()
	c.b.Quiet()
}

// Chromium shows the calls, on a desk and on a telephone, in light and dark; a pause clicked there is heard in the WAV.
// SCREENSHOTS names a folder for pictures.
func TestPageInChromium(t *testing.T) {
	ladder := peer.NewLadder(t)
	callee := peer.New(t, ladder, "callee", home(72))
	s := newSiteOf(t, "", home(70), siteKeys{routes: fmt.Sprintf("  - to: %q\n", callee.URI("")), journal: filepath.Join(t.TempDir(), "journal.db")})
	caller := peer.New(t, ladder, "caller", home(71))
	b := newChromium(t)
	b.login(token)
	b.look(1280, 800, "light")
	b.open(s.http + "/")
	b.until(`!document.getElementById("none").hidden && document.getElementById("fine").innerText === "None."`)

	calls := []*conversation{s.converse(caller, callee, 1), s.converse(caller, callee, 2), s.converse(caller, callee, 3)}
	b.asking(`document.querySelectorAll("#rows tr").length === 3`)
	b.asking(`[...document.querySelectorAll("#rows tr")].every(r => r.innerText.includes("main: recording"))`)
	row := `[...document.querySelectorAll("#rows tr")].find(r => r.innerText.includes("agent1@"))`
	b.eval(`%s.querySelector("button").click()`, row)
	button := func(name string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".detail button")].find(b => b.innerText === %q)`, name)
	}
	b.until(`%s !== undefined`, button("Pause"))
	b.eval(`%s.focus(); %[1]s.click()`, button("Pause"))
	b.until(`%s !== undefined`, button("Resume"))
	b.until(`%s.innerText.includes("main: paused")`, row)
	if n := s.sum("sidetrack_recording_pauses_total", `cause="operator"`); n != 1 {
		t.Errorf("%v pauses counted", n)
	}
	calls[0].a.AwaitFrom("bob", calls[0].b.Sent(), 60) // the call goes on: more than a second of pause
	pictures(t, b)
	b.eval(`%s.click()`, button("Messages"))
	message := `[...document.querySelectorAll("dialog .arrow")].find(m => m.getAttribute("aria-label").startsWith("sidetrack to SRS of main: INVITE SDP+metadata"))`
	b.until(`%s !== undefined`, message)
	if heads := b.eval(`[...document.querySelectorAll("dialog th")].map(h => h.innerText).join()`); heads != `"Second,caller,sidetrack,callee,SRS of main"` {
		t.Errorf("the ladder's columns: %s", heads)
	}
	b.eval(`%s.click()`, message)
	b.until(`document.querySelector("dialog .detail:not([hidden]) pre").innerText.includes("application/rs-metadata+xml")`)
	b.eval(`%s.click()`, message)
	picture(t, b, "page-ladder")
	b.eval(`document.getElementById("close").click()`)
	b.until(`!document.querySelector("dialog").open`)
	b.eval(`%s.click()`, button("Resume"))
	b.until(`%s.innerText.includes("main: recording")`, row)
	calls[0].a.AwaitFrom("bob", calls[0].b.Sent(), 30)

	b.eval(`const w = document.getElementById("word"); w.value = "AGENT2"; w.dispatchEvent(new Event("input", {bubbles: true}))`)
	b.asking(`document.querySelectorAll("#rows tr").length === 1 && document.getElementById("rows").innerText.includes("agent2@")`)
	if name := b.eval(`[...document.querySelectorAll("button, input")].filter(e => !(e.getAttribute("aria-label") || e.innerText || document.querySelector("label[for=" + e.id + "]"))).length`); name != "0" {
		t.Errorf("%s controls without a name", name)
	}
	for _, c := range calls {
		c.hangUp()
	}
	b.eval(`const v = document.getElementById("word"); v.value = ""; v.dispatchEvent(new Event("input", {bubbles: true}))`)
	b.asking(`document.querySelectorAll("#rows tr").length === 0`)
	if bad := b.complaints(); len(bad) > 0 {
		t.Errorf("the page complains: %v", bad)
	}

	all := s.awaitRecordings(3)
	paused := 0
	for _, r := range all {
		for _, stream := range r.Streams {
			if len(stream.Pauses) == 0 {
				continue
			}
			paused++
			wav, err := audio.ReadWAVFile(stream.File)
			if err != nil {
				t.Fatal(err)
			}
			if quiet := silent(wav.PCM, wav.Rate); quiet < 1 {
				t.Errorf("label %s: %.1f s of silence for the pauses %v", stream.Label, quiet, stream.Pauses)
			}
		}
	}
	if paused != 2 {
		t.Errorf("%d paused streams of 2", paused)
	}
}

// pictures looks at the page in four ways; nothing may be wider than the window.
func pictures(t *testing.T, b *chromium) {
	t.Helper()
	for _, view := range []struct {
		name          string
		width, height int
		scheme        string
	}{{"page", 1280, 800, "light"}, {"page-dark", 1280, 800, "dark"}, {"page-phone", 390, 844, "light"}, {"page-phone-dark", 390, 844, "dark"}} {
		b.look(view.width, view.height, view.scheme)
		b.until(`window.innerWidth === %d && matchMedia("(prefers-color-scheme: %s)").matches`, view.width, view.scheme)
		if wide := b.eval(`document.documentElement.scrollWidth`); wide != fmt.Sprint(view.width) {
			t.Errorf("%s: %s wide in a window of %d", view.name, wide, view.width)
		}
		picture(t, b, view.name)
	}
	b.look(1280, 800, "light")
}

// ofDocs are the pictures that the docs show.
var ofDocs = []string{"page", "page-ladder", "page-phone-dark"}

// picture takes one, and keeps it where SCREENSHOTS says.
func picture(t *testing.T, b *chromium, name string) {
	t.Helper()
	png := b.shoot()
	if dir := os.Getenv("SCREENSHOTS"); dir != "" && (filepath.Base(dir) != "img" || slices.Contains(ofDocs, name)) {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			t.Error(err)
		}
	}
	if len(png) < 5000 {
		t.Errorf("%s: a picture of %d bytes", name, len(png))
	}
}
