// The page at /. Everything shown is text that is set as text: nothing of a call
// can become markup.
"use strict";

const every = 2000, pageSize = 50;
const state = { page: 0, search: "", open: new Set(), you: { role: "none" }, now: null };
const $ = id => document.getElementById(id);

function el(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (k === "class") e.className = v;
    else if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (v !== undefined && v !== false) e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.map(c => c instanceof Node ? c : document.createTextNode(c ?? "")));
  return e;
}

async function api(path, options = {}) {
  const r = await fetch("api/v1/" + path, { ...options, headers: { Accept: "application/json" } });
  const body = r.headers.get("Content-Type")?.includes("json") ? await r.json() : {};
  if (!r.ok) throw Object.assign(new Error(body.detail || r.statusText || "HTTP " + r.status), { status: r.status });
  return body;
}

const may = role => ["none", "read", "control", "admin"].indexOf(state.you.role) >= ["none", "read", "control", "admin"].indexOf(role);
const tones = {
  recording: "good", answered: "good", fit: "good", complete: "good",
  starting: "busy", paused: "busy", moving: "busy", ringing: "busy", inviting: "busy", early: "busy", last: "busy", skipped: "busy", drained: "busy", partial: "busy",
  down: "bad", failed: "bad", missed: "bad", refused: "bad",
};
const tag = (text, word) => el("span", { class: "tag " + (tones[word ?? text] || "soft") }, text);

function lasting(from, to) {
  const s = Math.max(0, Math.round((new Date(to) - new Date(from)) / 1000));
  const two = n => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}
const sum = (list, key) => list.reduce((n, x) => n + (x[key] || 0), 0);
const number = n => n.toLocaleString("en");

// keep leaves a row alone whose content is what it was: focus and selection stay. What changes all the time is touched up in place.
function keep(parent, rows) {
  const old = new Map([...parent.children].map(c => [c.dataset.key, c]));
  let at = parent.firstChild;
  for (const [key, sign, make, touch] of rows) {
    let row = old.get(key);
    old.delete(key);
    if (!row || row.dataset.sign !== sign) {
      const focused = row?.contains(document.activeElement) && document.activeElement.dataset.action;
      const fresh = make();
      fresh.dataset.key = key;
      fresh.dataset.sign = sign;
      if (row) { if (at === row) at = fresh; row.replaceWith(fresh); } else fresh.classList.add("fresh");
      row = fresh;
      if (focused) row.querySelector(`[data-action="${CSS.escape(focused)}"]`)?.focus();
    }
    touch?.(row);
    if (row !== at) parent.insertBefore(row, at); else at = at.nextSibling;
  }
  for (const row of old.values()) row.remove();
}

const td = (name, ...children) => el("td", { "data-name": name }, ...children);

function callRow(call) {
  const open = state.open.has(call.id);
  const cell = td("Recordings", ...call.recordings.map(r => tag(`${r.name}: ${r.state === "ended" ? r.result : r.state}`, r.state === "ended" ? r.result : r.state)));
  if (call.recordings.length === 0) cell.append(el("span", { class: "soft" }, "not recorded"));
  return el("tr", {},
    td("From", call.from), td("To", call.to), td("State", tag(call.state)),
    el("td", { class: "number lasts", "data-name": "Lasts" }), cell, el("td", { class: "number packets", "data-name": "In / copied" }),
    td("", el("button", {
      type: "button", "data-action": "open " + call.id, "aria-expanded": String(open), "aria-label": `Details of the call from ${call.from} to ${call.to}`,
      onclick: () => { open ? state.open.delete(call.id) : state.open.add(call.id); show(); },
    }, open ? "Less" : "More")));
}

// touchUp shows a call's numbers of now.
function touchUp(row, call) {
  const copied = sum(call.recordings.filter(r => r.state !== "ended").flatMap(r => r.streams), "packets_copied");
  const put = (name, text) => { const cell = row.querySelector(name); if (cell.textContent !== text) cell.textContent = text; };
  put(".lasts", lasting(call.since, state.now.time));
  put(".packets", `${number(sum(call.streams, "packets"))} / ${number(copied)}`);
}

function recordingLine(r) {
  const srs = r.srs ? `at ${r.srs}` : "";
  const streams = r.streams.map(s => `${s.party} ${s.codec}: ${number(s.packets_copied)} of ${number(s.packets_in)}${s.paused ? ", paused" : ""}${s.masked ? ", masked" : ""}`).join("; ");
  const line = el("div", { class: "recording" },
    tag(`${r.name}: ${r.state === "ended" ? r.result : r.state}`, r.state === "ended" ? r.result : r.state),
    el("p", {}, [srs, streams, r.reason].filter(Boolean).join(" · ")));
  if (r.state === "ended" || !may("control")) return line;
  const button = (verb, text) => el("button", { type: "button", "data-action": verb + " " + r.id, "aria-label": `${text} the recording ${r.name}`, onclick: e => act(e.target, r.id, verb) }, text);
  line.append(r.state === "paused" ? button("resume", "Resume") : button("pause", "Pause"), button("stop", "Stop"));
  return line;
}

function detailRow(call) {
  const legs = call.legs.map(l => `${l.side}: ${l.peer}`).join(" · ");
  return el("tr", { class: "detail" }, el("td", { colspan: "7" },
    el("p", { class: "soft" }, `Call-ID ${call.sip_call_id} · route ${call.route} · ${legs}`),
    ...call.recordings.map(recordingLine),
    el("button", { type: "button", "data-action": "ladder " + call.id, onclick: () => ladder(call) }, "Messages")));
}

function show() {
  const now = state.now;
  if (!now) return;
  $("health").textContent = now.not_ready ? `no new calls: ${now.not_ready}` : `ready · ${now.version}`;
  $("health").className = now.not_ready ? "bad" : "good";
  $("you").textContent = `${state.you.name} (${state.you.role})`;
  const live = Object.entries(now.recordings);
  const up = now.srs.filter(s => s.state === "fit").length;
  const tiles = [["Calls", now.calls], ["Recordings", sum(live.map(([, n]) => ({ n })), "n")], ["of them paused", now.recordings.paused || 0],
    ["of them moving", now.recordings.moving || 0], ["Recording servers fit", `${up} of ${now.srs.length}`]];
  keep($("numbers"), tiles.map(([name, value]) => [name, String(value), () => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))]));

  const rows = [];
  for (const call of now.items) {
    rows.push([call.id, JSON.stringify([call.state, state.open.has(call.id), call.recordings.map(r => [r.name, r.state, r.result])]), () => callRow(call), row => touchUp(row, call)]);
    if (state.open.has(call.id)) rows.push(["+" + call.id, JSON.stringify([call.recordings, call.legs, state.you.role]), () => detailRow(call)]);
  }
  keep($("rows"), rows);
  $("none").hidden = now.items.length > 0;
  const from = state.page * pageSize;
  $("place").textContent = now.matching ? `${from + 1}–${from + now.items.length} of ${now.matching}` : "";
  $("newer").disabled = state.page === 0;
  $("older").disabled = from + now.items.length >= now.matching;

  keep($("srs"), now.srs.map(s => [`${s.recorder}/${s.index}`, JSON.stringify(s), () => el("tr", {},
    td("Recorder", s.recorder), td("Server", s.srs), td("State", tag(s.state)),
    el("td", { class: "number", "data-name": "Sessions" }, number(s.sessions)), el("td", { class: "number", "data-name": "Failures" }, number(s.failures)))]));
}

function say(problem) {
  $("error").textContent = problem || "";
  $("error").hidden = !problem;
}

async function act(button, id, verb) {
  button.disabled = true;
  try {
    await api(`recordings/${encodeURIComponent(id)}/${verb}`, { method: "POST" });
    say("");
  } catch (e) {
    say(`${verb}: ${e.message}`);
  }
  button.disabled = false;
  await refresh();
}

async function refresh() {
  try {
    const q = new URLSearchParams({ page: state.page, limit: pageSize, search: state.search });
    const { you, now } = await api("overview?" + q);
    Object.assign(state, { you, now });
    if ($("error").dataset.from === "refresh") say("");
    show();
  } catch (e) {
    say(`The proxy does not answer: ${e.message}`);
    $("error").dataset.from = "refresh";
    return;
  }
  $("error").dataset.from = "";
}

// The day's bad results: by the journal, or, where none is kept, by what the proxy remembers.
async function troubles() {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  const bad = ["failed", "missed", "partial", "refused"];
  let list = [];
  try {
    const pages = await Promise.all(bad.map(result => api("journal?" + new URLSearchParams({ since: midnight.toISOString(), result, limit: 50 }))));
    list = pages.flatMap(p => p.items);
  } catch (e) {
    if (e.status !== 404) return;
    const page = await api("recordings?limit=1000").catch(() => ({ items: [] }));
    list = page.items.filter(r => bad.includes(r.result) && new Date(r.ended) >= midnight);
  }
  list.sort((a, b) => new Date(b.started) - new Date(a.started));
  keep($("trouble"), list.slice(0, 100).map(r => [r.id, r.result + r.reason, () => el("tr", {},
    td("At", new Date(r.started).toLocaleTimeString()), td("From", r.call.from), td("To", r.call.to), td("Recorder", r.recorder),
    td("Result", tag(r.result)), td("Why", r.reason || ""))]));
  $("fine").hidden = list.length > 0;
}

// sequence draws the messages of a call: a column for each party, a row for each message, which opens by click or key.
function sequence(l) {
  const us = "sidetrack", parties = [...new Set(["caller", us, "callee", ...l.messages.map(m => m.party)])];
  const begin = new Date(l.messages[0].time), body = el("tbody");
  l.messages.forEach((m, i) => {
    const [from, to] = m.direction === "sent" ? [us, m.party] : [m.party, us];
    const [x, y] = [parties.indexOf(from), parties.indexOf(to)];
    const left = Math.min(x, y), right = Math.max(x, y);
    const at = ((new Date(m.time) - begin) / 1000).toFixed(3);
    const whole = el("tr", { class: "detail", id: `message-${i}`, hidden: true }, el("td", { colspan: String(parties.length + 1) },
      el("p", { class: "soft" }, `${m.proto} ${m.from} → ${m.to} · Call-ID ${m.sip_call_id}`), el("pre", {}, m.message)));
    const button = el("button", {
      type: "button", class: "arrow", "aria-expanded": "false", "aria-controls": whole.id, "aria-label": `${from} to ${to}: ${m.summary}`,
      onclick: () => { whole.hidden = !whole.hidden; button.setAttribute("aria-expanded", String(!whole.hidden)); },
    }, x < y ? `${m.summary} →` : `← ${m.summary}`);
    const empty = n => Array.from({ length: n }, () => el("td"));
    body.append(el("tr", {}, el("td", { class: "number", "data-name": "Second" }, at), ...empty(left),
      el("td", { colspan: String(right - left + 1), class: `${x < y ? "to" : "fro"} span${right - left + 1}`, "data-name": `${from} to ${to}` }, button), ...empty(parties.length - 1 - right)), whole);
  });
  const heads = ["Second", ...parties].map((p, i) => el("th", { scope: "col", class: i ? "party" : "number" }, p));
  return el("table", { class: "sequence" }, el("caption", { class: "quiet" }, "The SIP messages of the call in order of time"), el("thead", {}, el("tr", {}, ...heads)), body);
}

async function ladder(call) {
  $("ladder-note").textContent = `${call.from} → ${call.to}`;
  $("ladder-body").textContent = "loading …";
  $("ladder").showModal();
  try {
    const l = await api(`calls/${encodeURIComponent(call.id)}/ladder`);
    if (l.left_out) $("ladder-note").textContent += ` · ${number(l.left_out)} messages left out`;
    $("ladder-body").replaceChildren(sequence(l));
  } catch (e) {
    $("ladder-body").textContent = e.status === 404 ? "No messages are kept of this call." : e.message;
  }
}

function turn(by) {
  state.page = Math.max(0, state.page + by);
  refresh();
}

$("newer").addEventListener("click", () => turn(-1));
$("older").addEventListener("click", () => turn(1));
$("close").addEventListener("click", () => $("ladder").close());
$("search").addEventListener("submit", e => e.preventDefault());
$("word").addEventListener("input", () => { state.search = $("word").value; state.page = 0; refresh(); });

// Only a page that somebody sees asks; each answer is awaited before the next question.
async function run() {
  let slow = 0;
  for (;;) {
    if (document.visibilityState === "visible") {
      await refresh();
      if (slow-- <= 0) { slow = 15; await troubles(); }
    }
    await new Promise(done => setTimeout(done, every));
  }
}
run();
