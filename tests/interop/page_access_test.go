//go:build interop

package interop_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// press strikes a key.
func (b *chromium) press(key string, modifiers ...int) {
	b.t.Helper()
	down := map[string]any{"type": "rawKeyDown", "key": key, "code": key, "windowsVirtualKeyCode": map[string]int{"Tab": 9, "Enter": 13, "Escape": 27}[key]}
	if key == "Enter" {
		down["type"], down["text"] = "keyDown", "\r"
	}
	for _, m := range modifiers {
		down["modifiers"] = m
	}
	b.ask("Input.dispatchKeyEvent", down, nil)
	up := map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": down["windowsVirtualKeyCode"]}
	b.ask("Input.dispatchKeyEvent", up, nil)
}

const shift = 8 // of Input.dispatchKeyEvent

// focused is the name of what has the focus, as it is said aloud.
func (b *chromium) focused() string {
	b.t.Helper()
	var name string
	_ = json.Unmarshal([]byte(b.eval(`(() => { const e = document.activeElement; return e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent.trim().slice(0, 60) })()`)), &name)
	return name
}

// focusedIs waits for that.
func (b *chromium) focusedIs(name string) {
	b.t.Helper()
	if !eventually(patience, func() bool { return b.focused() == name }) {
		b.t.Fatalf("the focus is at %q, not at %q", b.focused(), name)
	}
}

// spoken is the page as a screen reader has it: how many of each role, and what has a role that needs a name and none.
func (b *chromium) spoken() (roles map[string]int, nameless []string) {
	b.t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value any }
			ChildIDs   []string
		}
	}
	b.ask("Accessibility.getFullAXTree", nil, &tree)
	roles = map[string]int{}
	for _, n := range tree.Nodes {
		if n.Ignored {
			continue
		}
		role, name := fmt.Sprint(n.Role.Value), strings.TrimSpace(fmt.Sprint(n.Name.Value))
		roles[role]++
		if named := []string{"button", "searchbox", "combobox", "dialog", "region", "navigation", "table", "link", "columnheader", "heading"}; slices.Contains(named, role) && (name == "" || name == "<nil>") {
			nameless = append(nameless, role)
		}
	}
	return roles, nameless
}

// pale lists what is seen and too faint: text below 4.5:1, edges of fields and the ring around what has the focus below 3:1 (WCAG
// 2.2 §1.4.3, §1.4.11).
const pale = `(() => {
	const rgb = s => s.match(/[\d.]+/g).map(Number);
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
	const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > .99) return c.slice(0, 3); } return [255, 255, 255]; };
	const ratio = (a, b) => { const [x, y] = [light(a.slice(0, 3)), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
	const bad = [];
	const check = (what, e, color, behind, least) => { const r = ratio(rgb(color), behind); if (r < least) bad.push(what + " " + (e.id || e.className || e.tagName) + ": " + r.toFixed(2)); };
	const dialog = document.querySelector("dialog[open]");
	for (const e of (dialog || document.body).querySelectorAll("*")) {
		if (!e.checkVisibility() || e.closest("[aria-disabled=true], .quiet, option")) continue;
		const style = getComputedStyle(e);
		if ([...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) check("text of", e, style.color, ground(e), 4.5);
		if (e.matches("input, select")) check("edge of", e, style.borderTopColor, ground(e.parentElement), 3);
		if (e.matches("input")) check("hint of", e, getComputedStyle(e, "::placeholder").color, ground(e), 4.5);
		if (e === document.activeElement && e.matches(":focus-visible")) check("ring of", e, style.outlineColor, ground(e.parentElement), 3);
	}
	return bad.join("\n");
})()`

// looked judges the page, or the dialog that is open, in four ways of looking at it.
func (b *chromium) looked(what string) {
	b.t.Helper()
	for _, width := range []int{1280, 768, 390} {
		for _, scheme := range []string{"light", "dark"} {
			b.look(width, 844, scheme)
			b.until(`window.innerWidth === %d && matchMedia("(prefers-color-scheme: %s)").matches && document.getAnimations().length === 0`, width, scheme)
			if faint := b.eval(pale); faint != `""` {
				b.t.Errorf("%s, %d wide, %s: %s", what, width, scheme, faint)
			}
			if wide := b.eval(`Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll("dialog[open]")].map(d => d.getBoundingClientRect().right))`); wide != fmt.Sprint(width) {
				b.t.Errorf("%s, %s: %s wide in a window of %d", what, scheme, wide, width)
			}
		}
		if roles, nameless := b.spoken(); len(nameless) > 0 || what == "messages" && roles["row"] < 8 || what == "page" && (roles["columnheader"] < 20 || roles["cell"] < 20 || roles["table"] < 4 || roles["status"] < 2) {
			b.t.Errorf("%s, %d wide: %v; without a name: %v", what, width, roles, nameless)
		}
	}
	b.look(1280, 800, "light")
}

// Whoever has no mouse, or does not see the page, does all that others do: the keys go through it in its order with a ring
// that is seen, stay where they are while numbers change and calls come and go, and come back from dialogs; whatever is
// looked at is named. One recorder of two has failed: that is said first, its calls are found, and why is counted.
func TestPageByKeyWithAFailedRecorder(t *testing.T) {
	ladder := peer.NewLadder(t)
	callee := peer.New(t, ladder, "callee", home(85))
	s := newSiteOf(t, "", home(84), siteKeys{
		routes: fmt.Sprintf("  - to: %q\n", callee.URI("")), journal: filepath.Join(t.TempDir(), "journal.db"),
		recorders: fmt.Sprintf("  lame: {srs: \"sip:%[1]s:5999;transport=tcp\", retry: false}\n  away: {srs: \"sip:%[1]s:5998;transport=tcp\"}", home(84)),
		rules:     "  - {recorder: lame, match: {from: '^sip:agent[123]@'}}\n  - {recorder: away, match: {from: '^sip:agent4@'}}\n  - recorder: main\n",
		tokens:    ", {name: eyes, role: read, token: whoever-may-only-look-at-it}",
	})
	caller := peer.New(t, ladder, "caller", home(86))
	var calls []*conversation
	for n := range 5 {
		calls = append(calls, s.converse(caller, callee, n+1))
	}
	b := newChromium(t)
	b.login(token)
	b.look(1280, 800, "light")
	b.open(s.http + "/")
	b.asking(`document.querySelectorAll("#rows tr").length === 5 && [...document.querySelectorAll("#rows tr")].filter(r => r.innerText.includes("lame: failed")).length === 3`)

	b.until(`document.getElementById("attention").innerText.includes("The recorder lame: no server is fit") && document.getElementById("attention").innerText.includes("3 recordings have ended before their calls.")`)
	b.asking(`document.getElementById("attention").innerText.includes("One recording waits for a server.") && [...document.querySelectorAll("#rows tr")].some(r => r.innerText.includes("agent4@") && r.innerText.includes("away: waiting"))`)
	b.until(`troubles().then(() => document.querySelectorAll("#reasons tr").length === 1 && document.getElementById("reasons").innerText.startsWith("3") && document.getElementById("reasons").innerText.includes("503"))`)
	b.eval(`troubles().then(troubles)`)
	if rows := b.eval(`[document.querySelectorAll("#reasons tr").length, document.querySelectorAll("#trouble tr").length].join()`); rows != `"1,3"` {
		t.Errorf("what was missed, asked again: %s rows", rows)
	}
	b.asking(`[...document.querySelectorAll("#srs tr")].some(r => r.innerText.includes("lame") && r.innerText.includes("3"))`)

	// Through the page by Tab.
	call := func(n int) string {
		return fmt.Sprintf("Details of the call from sip:agent%d@phones.example to sip:+4930555%02d@pbx.example", n, n)
	}
	for _, name := range []string{"To the calls", "Show the call", "Show the calls", "Search calls", "Calls whose recording is", "Hold", "Newer", "Older", call(5)} {
		b.press("Tab")
		b.focusedIs(name)
		if ring := b.eval(`(() => { const s = getComputedStyle(document.activeElement); return document.activeElement.matches(":focus-visible") && s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 })()`); ring != "true" {
			t.Errorf("the focus is not seen at %q", name)
		}
	}
	b.press("Enter")
	b.until(`document.activeElement.getAttribute("aria-expanded") === "true"`)
	b.eval(`window.seen = document.querySelector(".detail .copies").innerText`)
	b.asking(`document.querySelector(".detail .copies").innerText !== window.seen`)
	b.focusedIs(call(5))
	b.press("Tab")
	b.focusedIs("Pause the recording main")
	b.press("Enter")
	b.focusedIs("Resume the recording main")
	b.until(`document.getElementById("said").textContent === "main: paused"`)
	b.press("Enter")
	b.focusedIs("Pause the recording main")
	b.press("Tab")
	b.press("Enter")
	b.focusedIs("Keep recording")
	b.looked("question")
	b.press("Escape")
	b.focusedIs("Stop the recording main")
	if !strings.Contains(b.eval(`document.querySelector("#rows tr").innerText`), "main: recording") {
		t.Error("stopped though nobody was sure")
	}
	b.press("Enter")
	b.focusedIs("Keep recording")
	b.press("Tab")
	b.focusedIs("Stop")
	b.press("Enter")
	b.until(`document.querySelector("#rows tr").innerText.includes("main: partial")`)
	b.focusedIs("Messages")
	b.press("Enter")
	b.until(`document.querySelectorAll("#ladder .arrow").length > 8`)
	b.focusedIs("Close")
	for range 30 {
		b.press("Tab")
		if out := b.eval(`document.activeElement.closest("dialog") === null && document.activeElement !== document.body`); out != "false" {
			t.Fatalf("the keys have left the dialog for %q", b.focused())
		}
	}
	b.looked("messages")
	b.press("Escape")
	b.focusedIs("Messages")
	b.looked("page")
	b.press("Tab", shift)
	b.focusedIs(call(5))
	b.press("Enter")
	b.until(`document.querySelectorAll("#rows .detail").length === 0`)
	calls[4].hangUp()
	b.asking(`document.querySelectorAll("#rows tr").length === 4`)
	b.focusedIs(call(4)) // the row that had it is gone
	for _, p := range []*peer.Peer{caller, callee} {
		p.AutoReply("BYE", 200) // of the proxy when it ends
	}

	b.eval(`document.querySelector("[data-action=ended]").focus()`)
	b.press("Enter")
	b.until(`document.querySelectorAll("#rows tr").length === 3 && [...document.querySelectorAll("#rows tr")].every(r => r.innerText.includes("lame: failed"))`)
	b.focusedIs("Calls whose recording is")

	// The proxy goes, and comes back: both are said.
	_ = s.proxy.cmd.Process.Kill()
	<-s.proxy.done
	b.asking(`!document.getElementById("error").hidden && document.getElementById("error").innerText.includes("has not answered since") && document.body.className === "stale"`)
	if roles, _ := b.spoken(); roles["alert"] != 1 {
		t.Errorf("%d alerts", roles["alert"])
	}
	s.serve("")
	b.asking(`document.getElementById("error").hidden && document.body.className === "" && document.getElementById("none").innerText === "No such calls."`)
	b.mu.Lock()
	foreign := slices.DeleteFunc(slices.Clone(b.fetched), func(url string) bool { return strings.HasPrefix(url, s.http+"/") || strings.HasPrefix(url, "data:") })
	asked := len(b.fetched)
	b.mu.Unlock()
	if len(foreign) > 0 || asked < 10 {
		t.Errorf("of %d requests these go elsewhere: %v", asked, foreign)
	}

	// Who may only look is offered nothing else, and could not do it.
	for _, c := range calls[:4] { // the proxy that had them is gone
		c.a.Quiet()
		c.b.Quiet()
	}
	s.converse(caller, callee, 6)
	b.login("whoever-may-only-look-at-it")
	b.open(s.http + "/")
	b.asking(`document.getElementById("you").innerText === "eyes (read)" && document.getElementById("rows").innerText.includes("main: recording")`)
	b.eval(`document.querySelector("#rows button").click()`)
	if offered := b.eval(`[...document.querySelectorAll(".detail button")].map(b => b.innerText).join()`); offered != `"Messages"` {
		t.Errorf("offered: %s", offered)
	}
	if status := b.eval(`fetch("api/v1/recordings/" + state.now.items[0].recordings[0].id + "/stop", {method: "POST"}).then(r => r.status)`); status != "403" {
		t.Errorf("stopping: %s", status)
	}
	if bad := b.complaints("ERR_CONNECTION", "403", "Failed to load resource"); len(bad) > 0 {
		t.Errorf("the page complains: %v", bad)
	}
}
