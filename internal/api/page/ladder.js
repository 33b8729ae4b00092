// The messages of a call: a column for each party, a row for each message, which opens by click or key.
"use strict";

function sequence(l) {
  const us = "sidetrack", parties = [...new Set(["caller", us, "callee", ...l.messages.map(m => m.party)])];
  const begin = new Date(l.messages[0].time), body = el("tbody", { role: "rowgroup" });
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
    }, el("span", { class: "ends" }, `${from} → ${to} `), x < y ? `${m.summary} →` : `← ${m.summary}`);
    const empty = n => Array.from({ length: n }, () => el("td"));
    body.append(el("tr", {}, el("td", { class: "number", "data-name": "Second" }, at), ...empty(left),
      el("td", { colspan: String(right - left + 1), class: `${x < y ? "to" : "fro"} span${right - left + 1}` }, button), ...empty(parties.length - 1 - right)), whole);
  });
  const heads = ["Second", ...parties].map((p, i) => el("th", { scope: "col", class: i ? "party" : "number" }, p));
  return el("table", { class: "sequence", role: "table" }, el("caption", { class: "quiet" }, "The SIP messages of the call in order of time"),
    el("thead", { role: "rowgroup" }, el("tr", {}, ...heads)), body);
}

async function ladder(call) {
  const asked = state.laddered = call.id;
  $("ladder-note").textContent = `${call.from} → ${call.to}`;
  $("ladder-body").textContent = "loading …";
  $("ladder").showModal();
  try {
    const l = await api(`calls/${encodeURIComponent(call.id)}/ladder`);
    if (asked !== state.laddered) return;
    if (l.left_out) $("ladder-note").textContent += ` · ${number(l.left_out)} messages left out`;
    if (l.messages.length) $("ladder-body").replaceChildren(sequence(l));
    else $("ladder-body").textContent = "No messages are kept of this call.";
  } catch (e) {
    $("ladder-body").textContent = e.status === 404 ? "No messages are kept of this call." : e.message;
  }
}
