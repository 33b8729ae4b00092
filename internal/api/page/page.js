// The page at /. Everything shown is text that is set as text: nothing of a call
// can become markup.
"use strict";

const every = 2000, patience = 10000, pageSize = 50, rounds = 5;
const state = {
  page: 0, search: "", recording: "", // which calls are asked for
  hold: false, open: new Set(), ids: null, // ids: of the calls of a list that holds still; null: whichever are newest
  you: { role: "none" }, now: null, asked: 0, told: "", journal: true, lost: -1, since: null,
};
const $ = id => document.getElementById(id);
const roles = { tr: "row", td: "cell", th: "columnheader" }; // said aloud, for a narrow page lays tables out as blocks

function el(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  if (roles[tag]) e.setAttribute("role", roles[tag]);
  for (const [k, v] of Object.entries(props)) {
    if (k === "class") e.className = v;
    else if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (v !== undefined && v !== false) e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.map(c => c instanceof Node ? c : document.createTextNode(c ?? "")));
  return e;
}

async function api(path, options = {}) {
  const r = await fetch("api/v1/" + path, { ...options, headers: { Accept: "application/json" }, signal: AbortSignal.timeout(patience) });
  const body = r.headers.get("Content-Type")?.includes("json") ? await r.json() : {};
  if (!r.ok) throw Object.assign(new Error(body.detail || r.statusText || "HTTP " + r.status), { status: r.status });
  return body;
}

const may = role => ["none", "read", "control", "admin"].indexOf(state.you.role) >= ["none", "read", "control", "admin"].indexOf(role);
const tones = {
  recording: "good", answered: "good", fit: "good", complete: "good",
  starting: "busy", paused: "busy", moving: "busy", trying: "busy", early: "busy", last: "busy", skipped: "busy", drained: "busy", partial: "busy",
  down: "bad", waiting: "bad", failed: "bad", missed: "bad", refused: "bad",
};
const tag = (text, word) => el("span", { class: "tag " + (tones[word ?? text] || "soft") }, text);
const waits = r => r.state === "starting" && r.attempts.length > 0; // an SRS was asked in vain; they are asked again
const stateOf = r => r.state === "ended" ? r.result || "ended" : waits(r) ? "waiting" : r.state;
const whyOf = r => r.reason || (waits(r) ? r.attempts.slice(-3).map(a => `${a.srs}: ${a.code} ${a.reason || ""}`.trim()).join("; ") : "");

function lasting(from, to) {
  const s = Math.max(0, Math.round((new Date(to) - new Date(from)) / 1000));
  const two = n => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}
const sum = (list, key) => list.reduce((n, x) => n + (x[key] || 0), 0);
const number = n => n.toLocaleString("en");
const clock = at => new Date(at).toLocaleTimeString([], { hourCycle: "h23" });
const short = uri => uri.replace(/^sip:/, "");
const put = (e, text) => { if (e.textContent !== text) e.textContent = text; }; // the same text again is news to a screen reader

// keep leaves a row alone whose content is what it was: focus and selection stay. What changes all the time is touched up in
// place. A row that is made anew, or goes, hands its focus on.
function keep(parent, rows) {
  const wanted = new Set(rows.map(([key]) => key)), old = new Map();
  let orphan;
  for (const row of [...parent.children]) {
    if (wanted.has(row.dataset.key)) { old.set(row.dataset.key, row); continue; }
    if (row.contains(document.activeElement)) orphan = row.nextElementSibling || row.previousElementSibling;
    if (orphan === row) orphan = row.nextElementSibling || parent;
    row.remove();
  }
  let at = parent.firstChild;
  for (const [key, sign, make, touch] of rows) {
    let row = old.get(key);
    if (!row || row.dataset.sign !== sign) {
      const focused = row?.contains(document.activeElement) && document.activeElement.dataset.action;
      const fresh = make();
      fresh.dataset.key = key;
      fresh.dataset.sign = sign;
      if (row) { if (at === row) at = fresh; row.replaceWith(fresh); } else fresh.classList.add("fresh");
      row = fresh;
      if (focused) (row.querySelector(`[data-action="${CSS.escape(focused)}"]`) || row.querySelector("button"))?.focus();
    }
    touch?.(row);
    if (row !== at) parent.insertBefore(row, at); else at = at.nextSibling;
  }
  if (orphan) (orphan.isConnected && orphan.querySelector("button") || parent.closest("[tabindex]"))?.focus();
}

const td = (name, ...children) => el("td", { "data-name": name }, ...children);

function callRow(call) {
  const open = state.open.has(call.id);
  const cell = td("Recordings", ...call.recordings.map(r => tag(`${r.name}: ${stateOf(r)}`, stateOf(r))));
  if (call.recordings.length === 0) cell.append(el("span", { class: "soft" }, "not recorded"));
  return el("tr", {},
    td("From", short(call.from)), td("To", short(call.to)), td("State", tag(call.state)),
    el("td", { class: "number lasts", "data-name": "Lasts" }), cell, el("td", { class: "number packets", "data-name": "In / copied" }),
    td("", el("button", {
      type: "button", "data-action": "open " + call.id, "aria-expanded": String(open), "aria-label": `Details of the call from ${call.from} to ${call.to}`,
      onclick: () => { open ? state.open.delete(call.id) : state.open.add(call.id); still(); },
    }, open ? "Less" : "More")));
}

// touchUp shows a call's numbers of now; copies of several recordings one beside the other.
function touchUp(row, call) {
  const copied = call.recordings.filter(r => r.state !== "ended").map(r => number(sum(r.streams, "packets_copied")));
  if (call.state !== "ended") put(row.querySelector(".lasts"), lasting(call.since, state.now.time));
  put(row.querySelector(".packets"), `${number(sum(call.streams, "packets"))} / ${copied.join(" · ") || "–"}`);
}

const copies = r => r.streams.map(s => `${s.party} ${s.codec}: ${number(s.packets_copied)} of ${number(s.packets_in)}${s.paused ? ", paused" : ""}${s.masked ? ", masked" : ""}` +
  (s.srs_lost > 0 ? `, the server misses ${number(s.srs_lost)}` : "")).join("; ");

function recordingLine(r) {
  const line = el("div", { class: "recording" }, tag(`${r.name}: ${stateOf(r)}`, stateOf(r)),
    el("p", {}, [r.srs ? `at ${r.srs}` : "", whyOf(r)].filter(Boolean).join(" · "), r.streams.length > 0 ? " · " : "", el("span", { class: "copies" })));
  if (r.state === "ended" || !may("control")) return line;
  const button = (verb, text, how) => el("button", { type: "button", "data-action": how + " " + r.id, "aria-label": `${text} the recording ${r.name}`, onclick: e => act(e.target, r, verb) }, text);
  line.append(r.state === "paused" ? button("resume", "Resume", "pause") : button("pause", "Pause", "pause"), button("stop", "Stop", "stop"));
  return line;
}

function detailRow(call) {
  const legs = call.legs.map(l => `${l.side}: ${l.peer}`).join(" · ");
  return el("tr", { class: "detail" }, el("td", { colspan: "7" },
    el("p", { class: "soft" }, `Call-ID ${call.sip_call_id} · route ${call.route} · ${legs}`),
    ...call.recordings.map(recordingLine),
    el("button", { type: "button", "data-action": "ladder " + call.id, onclick: () => ladder(call) }, "Messages")));
}

const touchDetail = (row, call) => row.querySelectorAll(".copies").forEach((e, i) => put(e, copies(call.recordings[i])));

const signOf = call => JSON.stringify([call.state, call.recordings.map(r => [r.id, r.name, r.state, r.result, r.srs, whyOf(r)])]);

const saying = {
  last: s => `has failed, is asked after the others until ${clock(s.until)}`, skipped: s => `wants no sessions until ${clock(s.until)}`,
  down: () => "does not answer probes", drained: () => "gets no new sessions",
};

function showNumbers(now) {
  const lost = now.recordings.ended || 0, waiting = now.recordings.waiting || 0, fit = now.srs.filter(s => s.state === "fit" && s.failures === 0);
  const live = sum(Object.values(now.recordings).map(n => ({ n })), "n") - lost;
  const tiles = [["Calls", now.calls], ["Recordings", live], ["of them paused", now.recordings.paused || 0], ["of them waiting", waiting, waiting && "bad"],
    ["Ended before their call", lost, lost && "bad"], ["Recording servers well", `${fit.length} of ${now.srs.length}`, fit.length < now.srs.length && "busy"]];
  keep($("numbers"), tiles.map(([name, value, tone]) => [name, `${value} ${tone}`, () => el("div", {}, el("dt", {}, name), el("dd", { class: tone || "" }, typeof value === "number" ? number(value) : value))]));

  const unfit = [...new Set(now.srs.map(s => s.recorder))].filter(name => !fit.some(s => s.recorder === name));
  const notes = unfit.map(name => [name, name, () => el("li", {}, `The recorder ${name}: no server is fit, or the last sessions failed.`)]);
  const note = (n, which, one, many) => n && state.recording !== which && notes.push([which, String(n === 1), () => el("li", {}, el("span"), " ",
    el("button", { type: "button", "data-action": which, onclick: () => { $("with").value = which; ask(); $("with").focus(); } }, n === 1 ? "Show the call" : "Show the calls")),
  row => put(row.firstChild, n === 1 ? one : `${number(n)} ${many}`)]);
  note(waiting, "waiting", "One recording waits for a server.", "recordings wait for a server.");
  note(lost, "ended", "One recording has ended before its call.", "recordings have ended before their calls.");
  keep($("attention"), notes);
  document.title = unfit.length ? "recorder unfit – sidetrack" : "sidetrack";
}

function show() {
  const now = state.now;
  if (!now) return;
  put($("health"), now.not_ready ? `no new calls: ${now.not_ready}` : `ready · ${now.version}`);
  $("health").className = now.not_ready ? "bad" : "good";
  put($("you"), `${state.you.name} (${state.you.role})`);
  showNumbers(now);

  const rows = [];
  for (const call of now.items) {
    rows.push([call.id, signOf(call) + state.open.has(call.id), () => callRow(call), row => touchUp(row, call)]);
    if (state.open.has(call.id)) rows.push(["+" + call.id, signOf(call) + state.you.role, () => detailRow(call), row => touchDetail(row, call)]);
  }
  keep($("rows"), rows);
  $("none").hidden = now.items.length > 0;
  put($("none"), state.search || state.recording ? "No such calls." : "No calls.");
  $("held").hidden = !state.ids;
  const from = state.page * pageSize;
  put($("place"), now.matching ? `${from + 1}–${from + now.items.length} of ${now.matching}` : "");
  $("newer").setAttribute("aria-disabled", String(state.page === 0));
  $("older").setAttribute("aria-disabled", String(from + now.items.length >= now.matching));

  keep($("srs"), now.srs.map(s => [`${s.recorder}/${s.index}`, JSON.stringify(s), () => el("tr", {},
    td("Recorder", s.recorder), td("Server", s.srs), td("State", tag(s.state), " ", el("span", { class: "soft" }, saying[s.state]?.(s) || "")),
    el("td", { class: "number", "data-name": "Sessions" }, number(s.sessions)), el("td", { class: "number", "data-name": "Failures" }, number(s.failures)))]));
}

function say(problem) {
  put($("error"), problem || "");
  $("error").hidden = !problem;
}

// sure asks before what cannot be taken back.
function sure(r) {
  $("sure-what").textContent = `${r.name}, ${r.call.from} → ${r.call.to}: what is said from then on is not recorded, and the recording cannot be resumed.`;
  $("sure").returnValue = "";
  $("sure").showModal();
  $("sure-keep").focus();
  return new Promise(done => $("sure").addEventListener("close", () => done($("sure").returnValue === "stop"), { once: true }));
}

async function act(button, r, verb) {
  if (button.getAttribute("aria-disabled") === "true" || verb === "stop" && !await sure(r)) return;
  button.setAttribute("aria-disabled", "true"); // disabled, it would lose the focus
  try {
    await api(`recordings/${encodeURIComponent(r.id)}/${verb}`, { method: "POST" });
    say("");
    $("said").textContent = `${r.name}: ${{ pause: "paused", resume: "resumed", stop: "stopped" }[verb]}`;
  } catch (e) {
    say(`${r.name}, ${verb}: ${e.message}`);
  }
  button.removeAttribute("aria-disabled");
  await refresh();
}

// still has the list hold still while somebody wants it so, or looks at a call: its row does not run away from the pointer.
function still() {
  const hold = state.hold || state.open.size > 0;
  state.ids = !hold ? null : state.ids || state.now.items.map(c => c.id);
  state.asked++; // what is under way was asked for another list
  show();
  if (!hold) refresh();
}

// ask begins with other calls than those shown.
function ask(page = 0) {
  Object.assign(state, { page, search: $("word").value, recording: $("with").value, ids: null });
  state.open.clear();
  refresh(true);
}

async function refresh(news = false) {
  const asked = ++state.asked, q = new URLSearchParams({ page: state.page, limit: pageSize, search: state.search, recording: state.recording });
  if (state.ids?.length) q.set("ids", state.ids.join());
  if (!state.journal) q.set("lately", pageSize);
  try {
    const { you, now } = await api("overview?" + q);
    if (asked !== state.asked) return;
    const last = Math.max(0, Math.ceil(now.matching / pageSize) - 1);
    if (!state.ids && state.page > last) return ask(last);
    if (state.ids) now.items = state.ids.map(id => now.items.find(c => c.id === id) || over(state.now.items.find(c => c.id === id))).filter(Boolean);
    Object.assign(state, { you, now });
    if (state.hold && !state.ids) state.ids = now.items.map(c => c.id);
    show();
    if (news) $("said").textContent = now.items.length ? `Calls ${$("place").textContent}` : $("none").textContent;
    if (state.since) { state.since = null; say(""); }
    document.body.classList.remove("stale");
  } catch (e) {
    if (asked !== state.asked) return;
    state.since ||= new Date();
    say(`The proxy has not answered since ${clock(state.since)}; what is shown is old: ${e.message}`);
    document.body.classList.add("stale");
  }
}

// over is a call of the list that has ended meanwhile.
const over = call => call && { ...call, state: "ended", recordings: call.recordings.map(r => r.state === "ended" ? r : { ...r, state: "ended", result: "" }) };

// The day's bad results: by the journal, or, where none is kept, by what the proxy remembers.
async function troubles() {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  const bad = { since: midnight.toISOString(), result: "missed,failed,partial" };
  let latest = [], reasons = [], note = "";
  try {
    [{ items: reasons }, { items: latest }] = await Promise.all([api("journal/reasons?" + new URLSearchParams(bad)), api("journal?" + new URLSearchParams({ ...bad, order: "newest", limit: pageSize }))]);
    if (reasons.length > 0) note = `${number(sum(reasons, "count"))} recordings.`;
  } catch (e) {
    if (e.status === 404) {
      if (state.journal) { state.journal = false; await refresh(); }
      latest = (state.now?.lately || []).filter(r => new Date(r.started) >= midnight);
      note = `${latest.length ? "This is" : "None,"} what the proxy remembers since it was started: no journal is kept (journal.file).`;
    } else note = `The journal does not answer: ${e.message}`;
  }
  put($("fine"), note || "None.");
  $("why").hidden = reasons.length === 0;
  keep($("reasons"), reasons.map(r => [JSON.stringify([r.recorder, r.result, r.reason]), `${r.count} ${r.last}`, () => el("tr", {},
    el("td", { class: "number", "data-name": "Recordings" }, number(r.count)), td("Recorder", r.recorder), td("Result", tag(r.result)), td("Why", r.reason), td("From – to", r.count > 1 ? `${clock(r.first)} – ${clock(r.last)}` : clock(r.first)))]));
  $("latest").hidden = latest.length === 0;
  keep($("trouble"), latest.map(r => [r.id, r.result + r.reason, () => el("tr", {},
    td("At", clock(r.started)), td("From", short(r.call.from)), td("To", short(r.call.to)), td("Recorder", r.recorder), td("Result", tag(r.result)), td("Why", r.reason || ""))]));
}

const turn = by => { if (by > 0 ? $("older").getAttribute("aria-disabled") !== "true" : state.page > 0) ask(Math.max(0, state.page + by)); };

$("newer").addEventListener("click", () => turn(-1));
$("older").addEventListener("click", () => turn(1));
$("hold").addEventListener("click", () => { state.hold = !state.hold; $("hold").setAttribute("aria-pressed", String(state.hold)); if (state.now) still(); });
$("close").addEventListener("click", () => $("ladder").close());
$("ladder").addEventListener("close", () => { if (document.activeElement === document.body) document.querySelector(`[data-action="ladder ${CSS.escape(state.laddered)}"]`)?.focus(); });
$("search").addEventListener("submit", e => e.preventDefault());
$("word").addEventListener("input", () => ask());
$("with").addEventListener("change", () => ask());

// Only a page that somebody sees asks; each answer is awaited before the next question.
async function run() {
  for (let slow = 0;; await new Promise(done => setTimeout(done, every))) {
    if (document.visibilityState !== "visible") continue;
    await refresh();
    const lost = state.now?.recordings.ended || 0;
    if (slow-- > 0 && lost === state.lost) continue;
    [slow, state.lost] = [rounds, lost];
    await troubles();
  }
}
run();
