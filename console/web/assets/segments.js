import { lists } from "./lists.js";
import { $, all, api, canWrite, checker, count, dialog, el, empty, fill, match, once, percent, pill, say, shopPath, since, table, w } from "./core.js";

const check = checker($("f-rule") || document.createElement("textarea"), $("rule-says"), `${shopPath}/segments/check`);
let have = [];

function size(s) {
  if (!s.size) return el("span", {}, "–", el("span", { class: "sub" }, w("segments.unknown")));
  return [count(s.size.members), el("span", { class: "sub" }, s.size.ready ? w("segments.at", { at: since(s.size.at) }) : w("segments.counting"))];
}

const list = () => fill($("list"), async () => {
  have = await all(`${shopPath}/segments`);
  templates();
  if (!have.length) return empty(w("segments.none"), w("segments.none.text"));
  const columns = [
    { name: w("f.name"), cell: (s) => [s.name, s.description && el("span", { class: "sub" }, s.description)] },
    { name: w("segments.people"), num: true, cell: size },
    { name: w("segments.rule"), cell: (s) => (s.source === "import" ? pill(w("segments.import")) : el("code", {}, s.expression)) },
    { name: w("segments.value"), num: true, cell: (s) => percent((s.value_bps || 10000) / 10000) },
  ];
  if (canWrite) columns.push({ name: "", cell: (s) => [s.source === "rule" && el("button", { type: "button", class: "small", "aria-label": `${w("edit")}: ${s.name}`, onclick: () => edit(s) }, w("edit")), " ",
    el("button", { type: "button", class: "small", "aria-label": `${w("segments.drop")}: ${s.name}`, onclick: () => drop(s) }, w("segments.drop"))] });
  return table(w("title.segments"), columns, have);
});

async function templates() {
  if (!canWrite) return;
  const { items } = await api("GET", `${shopPath}/segment-templates`);
  const left = items.filter((t) => !have.some((s) => s.name === t.name));
  $("ready").hidden = !left.length;
  $("templates").replaceChildren(...left.map((t) => el("div", { class: "tile" }, el("b", {}, t.name), el("span", { class: "sub" }, t.description), el("code", {}, t.expression), el("div", { class: "actions" },
    el("button", { type: "button", class: "small", "aria-label": `${w("add")}: ${t.name}`, onclick: async (e) => {
      e.currentTarget.disabled = true;
      try { await api("POST", `${shopPath}/segments`, { template: t.template }, once()); say(w("segments.made", { name: t.name })); } catch (err) { say(err.message); }
      list();
    } }, w("add"))))));
}

async function drop(s) {
  if (!confirm(w("segments.sure", { name: s.name }))) return;
  try { await api("DELETE", `${shopPath}/segments/${s.id}`, undefined, match(s)); say(w("segments.dropped", { name: s.name })); } catch (err) { say(err.message); }
  list();
}

function edit(s) {
  $("f-name").value = s?.name || "";
  $("f-rule").value = s?.expression || "";
  $("f-value").value = (s?.value_bps || 10000) / 100;
  if (s) check(); else $("rule-says").replaceChildren();
  const key = once();
  dialog($("make"), async () => {
    const doc = { name: $("f-name").value, expression: $("f-rule").value, value_bps: Math.round(Number($("f-value").value) * 100) };
    if (s) await api("PATCH", `${shopPath}/segments/${s.id}`, doc, match(s));
    else await api("POST", `${shopPath}/segments`, { source: "rule", ...doc }, key);
    say(w("segments.made", { name: doc.name }));
    list();
  }, list);
}
if (canWrite) $("new").onclick = () => edit(null);
await Promise.all([list(), lists()]);
document.body.dataset.ready = "yes";
// Sizes are live: they are asked for again while the page is looked at.
setInterval(() => { if (document.visibilityState === "visible" && !document.querySelector("dialog[open]") && !$("list").contains(document.activeElement)) list(); }, 15000);
