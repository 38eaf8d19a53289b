import { $, api, el, failed, loading, page, pill, shopPath, show, table, today, w } from "./core.js";

const samples = {
  banner: () => ({ id: "why-1", at: 1, imp: [{ id: "1", banner: { w: 300, h: 250 }, bidfloor: 0.01, secure: 1 }], cur: [page.currency, "USD", "EUR"], site: { domain: $("domain").value, page: `https://${$("domain").value}/` }, device: device(), user: {}, test: 1 }),
  video: () => ({ id: "why-1", at: 1, imp: [{ id: "1", video: { mimes: ["video/mp4"], w: 640, h: 360, minduration: 5, maxduration: 30, protocols: [2, 3, 5, 6, 7, 8], linearity: 1 }, bidfloor: 0.01, secure: 1 }], cur: [page.currency, "USD", "EUR"], site: { domain: $("domain").value, page: `https://${$("domain").value}/` }, device: device(), user: {}, test: 1 }),
};
const device = () => ({ ua: navigator.userAgent, ip: "192.0.2.1", devicetype: 2, geo: { country: "POL" }, ...($("person").value && { ifa: $("person").value }) });
const write = () => { if (samples[$("sample").value]) $("request").value = JSON.stringify(samples[$("sample").value](), null, 2); };
for (const id of ["sample", "domain", "person"]) $(id).addEventListener("input", write);
$("request").addEventListener("input", () => { $("sample").value = "own"; });
write();

const tone = { wins: "good", outranked: "warn", blocked: "warn", fails: "bad" };
function against(c) {
  if (!c.failing?.length) return w("why.nothing");
  return el("ul", {}, byRule(c.failing).map(miss));
}

// byRule puts what one rule says several times together.
function byRule(misses) {
  const rules = new Map();
  for (const m of misses) rules.set(m.rule, [...(rules.get(m.rule) || []), m.detail].filter(Boolean));
  return [...rules];
}

// reason is a rule in words; what has none shows its name.
const reason = (rule) => w(`reason.${rule}`).replace(/^reason\./, "");
// The details are said in the page's language; predicates are the campaign's.
const miss = ([rule, details]) => el("li", {}, el("b", {}, reason(rule)), details.map((d) => el("span", { class: "sub" }, rule === "targeting" ? el("code", {}, d) : d)));

function impression(imp) {
  const list = imp.campaigns || [];
  return el("section", { class: "card" }, el("h2", {}, `${w("why.imp")} ${imp.imp}${imp.media ? `, ${w(`media.${imp.media}`)}` : ""}`),
    el("p", { class: "help" }, w("why.looked", { looked: imp.looked, matched: imp.matched })),
    imp.reasons?.length ? el("div", { class: "box bad" }, w("why.all"), el("ul", {}, byRule(imp.reasons).map(miss))) : null,
    list.length ? table(w("why.imp"), [
      { name: w("campaign"), cell: (c) => [el("a", { href: `/console/shops/${c.shop}/campaigns/${c.id}` }, c.name), c.id === imp.nearest && el("span", { class: "sub" }, w("why.nearest"))] },
      { name: w("why.outcome"), cell: (c) => pill(w(`outcome.${c.outcome}`), tone[c.outcome]) },
      { name: w("why.price"), num: true, cell: (c) => [c.price, el("span", { class: "sub" }, `${w("why.floor")} ${c.floor}`)] },
      { name: w("why.against"), cell: against },
    ], list) : el("p", {}, w("why.no-campaigns")));
}

$("ask").onsubmit = async (e) => {
  e.preventDefault();
  const out = $("answer");
  let request;
  try { request = JSON.parse($("request").value); } catch (err) { failed(out, new Error(`${w("why.not-json")} ${err.message}`)); return; }
  loading(out);
  try {
    const a = await api("POST", `/api/v1/explain?exchange=${encodeURIComponent($("exchange").value)}&shop=${page.shop}`, request);
    const bid = a.bids?.length;
    show(out, el("p", { class: `box ${bid ? "good" : "warn"}`, role: "status" }, bid ? w("why.bid") : w("why.none", { reason: a.no_bid ? reason(a.no_bid) : "–" })), (a.imps || []).map(impression),
      el("details", {}, el("summary", {}, w("why.raw")), el("pre", { tabindex: "0" }, JSON.stringify(a, null, 2))));
  } catch (err) {
    failed(out, err, () => $("ask").requestSubmit());
  }
};
// The exchanges are those on which the shop has bid; the busiest is proposed.
try {
  const { rows } = await api("GET", `${shopPath}/report/breakdown?by=exchange&from=${today(-29)}`);
  const names = rows.filter((r) => r.key).sort((a, b) => b.bids - a.bids).map((r) => r.key);
  $("exchanges").append(...names.map((n) => el("option", { value: n })));
  if (names.length) $("exchange").value = names[0];
} catch { /* without results one writes it */ }
document.body.dataset.ready = "yes";
