//go:build interop

package interop_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// crowd is a site with many live calls: every 25th is recorded, two of them are talking; one in five has no stream (RFC 3264
// §5), for a process may not have so many sockets as thousands of calls with audio take: four each, eight when recorded.
type crowd struct {
	*site
	caller, callee  *peer.Peer
	calls, recorded int
	talk            []*conversation
}

// crowded are the numbers of agents whose calls are recorded.
const crowded = `^sip:agent[0-9]*(00|25|50|75)@`

func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	ladder := peer.NewLadder(t)
	c := &crowd{caller: peer.New(t, ladder, "caller", home(81), "udp"), callee: peer.New(t, ladder, "callee", home(82), "udp")}
	c.site = newSiteOf(t, "", home(80), siteKeys{
		routes: fmt.Sprintf("  - to: %q\n", c.callee.URI("")), rules: fmt.Sprintf("  - {recorder: main, match: {from: '%s'}}\n", crowded),
		ports: "10000-32699", media: "  timeout: 0s",
	})
	a, b := peer.NewMedia(t, home(81), "crowd", "caller"), peer.NewMedia(t, home(82), "crowd", "callee")
	says := func(m *peer.Media, streams bool) []byte {
		if !streams {
			return peer.BuildSDP(1)
		}
		return peer.BuildSDP(1, peer.Line{Media: m})
	}
	c.callee.Auto("INVITE", func(in *peer.Incoming) bool {
		in.Reply(200, peer.WithSDP(says(b, len(peer.ParseSDP(in.SDP()).Media) > 0)))
		return true
	})
	for _, p := range []*peer.Peer{c.caller, c.callee} {
		p.Auto("ACK", func(*peer.Incoming) bool { return true })
		p.AutoReply("BYE", 200) // when the proxy ends
	}
	const atOnce = 20
	for i := 0; i < n; i += atOnce {
		var asked []*peer.Outgoing
		for k := i; k < min(i+atOnce, n); k++ {
			asked = append(asked, c.caller.Invite(netip.AddrPortFrom(netip.MustParseAddr(c.ip), proxyPort), peer.Call{
				URI: "sip:+4930555@pbx.example", From: fmt.Sprintf("<sip:agent%d@phones.example>", k), SDP: says(a, k%5 != 4),
			}))
		}
		for _, out := range asked {
			ok := out.Expect(200)
			out.Dialog(ok).Ack(ok)
		}
	}
	c.callee.Auto("INVITE", func(*peer.Incoming) bool { return false })
	c.callee.Auto("ACK", func(*peer.Incoming) bool { return false })
	c.talk = []*conversation{c.converse(c.caller, c.callee, 100_000), c.converse(c.caller, c.callee, 100_025)}
	c.calls, c.recorded = n+2, (n-1)/25+2 // agent0 ends in one zero
	if !eventually(patience, func() bool { return c.sum("sidetrack_recordings_active") == float64(c.recorded) }) {
		t.Fatalf("%v of %d calls are being recorded", c.sum("sidetrack_recordings_active"), c.recorded)
	}
	return c
}

// With PAGE_CALLS (300) live calls the page shows fifty, asks for no more than those, leaves the rows and the focus where
// they are while numbers change, finds one call of all, and those that are recorded, turns to the last page, and has the
// list hold still while a call of it is looked at, with its packets and its messages.
func TestPageWithManyCalls(t *testing.T) {
	c := newCrowd(t, number(t, "PAGE_CALLS", 300))
	b := newChromium(t)
	b.login(token)
	b.look(1280, 800, "light")
	b.open(c.http + "/")
	shows := func(format string, args ...any) {
		t.Helper()
		b.until(`document.getElementById("place").innerText === %q`, fmt.Sprintf(format, args...))
	}
	fill := func(id, value, event string) {
		t.Helper()
		b.eval(`(() => { const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event(%q, {bubbles: true})); })()`, id, value, event)
	}
	shows("1–50 of %d", c.calls)
	b.until(`document.getElementById("numbers").innerText.includes("%s")`, grouped(c.calls))

	b.eval(`window.first = document.querySelector("#rows tr"); document.querySelector("#rows button").focus(); window.seen = document.querySelector("#rows .packets").innerText`)
	b.asking(`document.querySelector("#rows .packets").innerText !== window.seen`)
	if same := b.eval(`document.querySelector("#rows tr") === window.first && document.activeElement === document.querySelector("#rows button")`); same != "true" {
		t.Error("the row was made anew, or has lost the focus")
	}
	if n := b.eval(`document.getElementsByTagName("*").length`); len(n) > 4 || n > "2000" && len(n) == 4 {
		t.Errorf("%s elements", n)
	}
	render := b.eval(`(() => { const t = performance.now(); for (let i = 0; i < 20; i++) { state.now.items.forEach(c => c.streams.forEach(s => s.packets++)); show(); } return (performance.now() - t) / 20; })()`)
	picture(t, b, "page-crowd")

	fill("word", "AGENT17@", "input")
	b.until(`document.querySelectorAll("#rows tr").length === 1 && document.getElementById("rows").innerText.includes("agent17@")`)
	fill("word", "", "input")
	fill("with", "recording", "change")
	shows("1–%d of %d", min(50, c.recorded), c.recorded)
	b.until(`[...document.querySelectorAll("#rows tr")].every(r => r.innerText.includes("main: recording"))`)
	fill("with", "", "change")
	b.eval(`ask(1000)`)
	shows("%d–%d of %d", (c.calls-1)/50*50+1, c.calls, c.calls)
	b.until(`document.getElementById("older").getAttribute("aria-disabled") === "true" && /agent1?[0-9]@/.test(document.getElementById("rows").innerText)`) // the first twenty came at once
	b.eval(`ask(0)`)
	shows("1–50 of %d", c.calls)
	c.open(b)

	if largest := b.eval(`performance.getEntriesByType("resource").filter(e => e.name.includes("overview")).reduce((n, e) => Math.max(n, e.encodedBodySize), 0) <= 16384`); largest != "true" {
		t.Error("an answer of more than 16 KB")
	}
	b.until(`document.getElementById("fine").innerText.startsWith("None, what the proxy remembers")`)
	if bad := b.complaints("404"); len(bad) > 0 {
		t.Errorf("the page complains: %v", bad)
	}
	before := c.sum("process_cpu_seconds_total")
	const looks = 20
	for range looks {
		c.get("/api/v1/overview")
	}
	t.Logf("%d calls: showing changed numbers takes %s ms in the browser; an answer costs the proxy %.1f ms of CPU, with its media", c.calls, render,
		1000*(c.sum("process_cpu_seconds_total")-before)/looks)
}

// open looks at the newest call, while another one comes.
func (c *crowd) open(b *chromium) {
	c.t.Helper()
	top := `document.querySelector("#rows tr").innerText.includes("agent%d@")`
	b.asking(top, 100_025)
	b.eval(`document.querySelector("#rows button").click()`)
	b.until(`document.querySelector(".detail .copies").innerText.includes("caller PCMU/8000: ")`)
	b.eval(`window.seen = document.querySelector(".detail .copies").innerText; window.detail = document.querySelector(".detail")`)
	c.talk = append(c.talk, c.converse(c.caller, c.callee, 100_050))
	b.asking(`document.querySelector(".detail .copies").innerText !== window.seen && document.getElementById("place").innerText.endsWith(" of %d")`, c.calls+1)
	if held := b.eval(`!document.getElementById("held").hidden && window.detail.isConnected && `+top, 100_025); held != "true" {
		c.t.Error("the list has moved under a call that was open")
	}
	b.eval(`document.querySelector("[data-action^=ladder]").click()`)
	b.until(`[...document.querySelectorAll("dialog th")].map(h => h.innerText).join() === "Second,caller,sidetrack,callee,SRS of main"`)
	b.eval(`document.getElementById("close").click()`)
	b.eval(`document.querySelector("#rows button").click()`)
	b.asking(top, 100_050)
}

// grouped is a number as the page writes it.
func grouped(n int) string {
	s, _ := json.Marshal(n)
	if len(s) > 3 {
		return strings.Join([]string{string(s[:len(s)-3]), string(s[len(s)-3:])}, ",")
	}
	return string(s)
}
