import { $, all, api, canWrite, count, dialog, el, empty, fill, money, page, percent, say, shopPath, show, table, today, w } from "./core.js";
import { days } from "./charts.js";
import { compare, lift } from "./effect.js";

const dims = ["domain", "segment", "device", "hour", "exchange", "creative", "media", "size", "country", "campaign"];
const ask = new URLSearchParams(location.search);
const now = { from: ask.get("from") || today(-13), to: ask.get("to") || today(), campaign: ask.get("campaign") || "", by: dims.includes(ask.get("by")) ? ask.get("by") : "domain" };
const chosen = ask.has("from") || ask.has("to");
let campaigns = [];
$("from").value = now.from;
$("to").value = now.to;

const query = (more = {}) => new URLSearchParams(Object.entries({ ...now, ...more }).filter(([, v]) => v !== "")).toString();
const parts = (by) => api("GET", `${shopPath}/report/breakdown?${query({ by })}`);

const nothing = { spend: "0", revenue: "0", orders: 0, clicks: 0, impressions: 0, wins: 0, bids: 0 };

// spread lists every day of the span, those without anything too.
function spread(rows) {
  const found = new Map(rows.map((r) => [r.key, r]));
  const out = [];
  for (let t = Date.parse(now.from); t <= Date.parse(now.to); t += 86400000) {
    const key = new Date(t).toISOString().slice(0, 10);
    out.push(found.get(key) || { ...nothing, key });
  }
  return out;
}
const sum = (rows, k) => rows.reduce((n, r) => n + Number(r[k] || 0), 0);

// earlier is the span of the same length just before, to compare with.
async function earlier() {
  const days = Math.round((Date.parse(now.to) - Date.parse(now.from)) / 86400000) + 1;
  const move = (d) => new Date(Date.parse(d) - days * 86400000).toISOString().slice(0, 10);
  const { rows } = await api("GET", `${shopPath}/report/breakdown?${query({ by: "day", from: move(now.from), to: move(now.to) })}`);
  return rows;
}

function sums(rows, old) {
  const spend = sum(rows, "spend"), orders = sum(rows, "orders"), revenue = sum(rows, "revenue");
  const item = (name, value, note) => el("div", {}, el("dt", {}, name), el("dd", {}, value, note && el("small", {}, note)));
  return el("dl", { class: "sums" },
    item(w("spend"), money(spend), w("before", { n: money(sum(old, "spend")) })), item(w("orders"), count(orders), w("before", { n: count(sum(old, "orders")) })),
    item(w("cpo"), orders ? money(spend / orders) : "–", sum(old, "orders") ? w("before", { n: money(sum(old, "spend") / sum(old, "orders")) }) : orders ? w("cpo.note") : w("no-orders")),
    item(w("revenue"), money(revenue, revenue >= 10000 ? 0 : 2), spend ? w("roas", { x: (revenue / spend).toLocaleString(page.lang, { maximumFractionDigits: 1 }) }) : ""),
    item(w("clicks"), count(sum(rows, "clicks")), w("shown", { n: sum(rows, "impressions") })));
}

const compact = (v) => new Intl.NumberFormat(page.lang, { notation: "compact", maximumFractionDigits: 1 }).format(v);

// hours lists the hours of the one day, those without anything too.
async function hours() {
  const found = new Map((await parts("hour")).rows.map((r) => [Number(r.key), r]));
  return [...Array(24).keys()].map((h) => ({ ...nothing, ...found.get(h), key: `${now.from}T${String(h).padStart(2, "0")}` }));
}

// draw draws the days of the span, or the hours of a day, which have no plan.
function draw(rows) {
  const labels = rows.map((r) => r.key), byHour = labels[0].length > 10;
  const when = { name: w(byHour ? "by.hour" : "day"), cell: (i) => (byHour ? `${labels[i].slice(11)}:00` : labels[i]) };
  const chosen = campaigns.filter((c) => c.status === "active" && (!now.campaign || String(c.id) === now.campaign));
  const plan = chosen.reduce((n, c) => n + Number(c.budget.day || 0), 0);
  const short = (v) => (v === null ? "" : compact(v));
  const spend = rows.map((r) => Number(r.spend));
  const series = [{ label: w("spend"), values: spend.map((v) => v || null), color: "--main", bars: true, fill: true, width: 1, points: false, legend: "spent" }];
  if (plan && !byHour) series.push({ label: w("results.plan", { n: money(plan) }), values: rows.map(() => plan), color: "--plan", dash: [6, 5], points: false, legend: "plan" });
  days($("spend"), w("results.spend"), labels, series, short, [when, { name: w("spend"), cell: (i) => money(spend[i]) }, { name: w("revenue"), cell: (i) => money(rows[i].revenue) }]);
  const of = (k) => rows.map((r) => (r[k] === undefined || r[k] === null ? null : Number(r[k])));
  if (!sum(rows, "orders")) { show($("cpo"), empty(w("no-orders"), w("results.no-orders"))); return; }
  days($("cpo"), w("results.cpo"), labels, [
    { label: "low", values: of("cost_per_order_low"), low: true, points: false, width: 0 }, { label: w("interval"), values: of("cost_per_order_high"), high: true, points: false, width: 0, legend: "band" },
    { label: w("cpo"), values: of("cost_per_order"), color: "--main", points: true, legend: "cpo" },
  ], short, [when, { name: w("cpo"), cell: (i) => money(rows[i].cost_per_order) }, { name: w("interval"), cell: (i) => (rows[i].cost_per_order ? `${money(rows[i].cost_per_order_low)} – ${money(rows[i].cost_per_order_high)}` : "–") }, { name: w("orders"), cell: (i) => count(rows[i].orders) }]);
}

const overview = async () => {
  await fill($("sum"), async () => {
    const [found, old] = await Promise.all([parts("day"), earlier()]);
    const rows = spread(found.rows);
    const none = !sum(rows, "bids") && !sum(rows, "spend") && !sum(rows, "orders");
    document.querySelectorAll(".with-results").forEach((n) => { n.hidden = none; });
    if (none) return empty(w("results.none"), w("results.none.text"), el("a", { class: "button", href: `/console/shops/${page.shop}/why` }, w("nav.why")));
    if (!chosen && rows.slice(0, -1).every((r) => !r.bids && !r.orders)) { // a shop's first day is shown by its hours
      $("from").value = now.from = now.to;
      marked();
    }
    const fine = now.from === now.to ? await hours() : rows;
    setTimeout(() => draw(fine)); // once there is room for it
    return sums(rows, old);
  });
};

const funnel = () => fill($("funnel"), async () => {
  const f = await api("GET", `${shopPath}/report/funnel?${new URLSearchParams({ from: now.from, to: now.to, ...(now.campaign && { campaign: now.campaign }) })}`);
  const steps = ["visitors", "people_bid_on", "bids", "wins", "impressions", "clicks", "orders"];
  const most = Math.max(1, ...steps.map((s) => f[s]));
  return el("ol", { class: "funnel" }, steps.map((s, i) => {
    const before = i > 2 ? f[steps[i - 1]] : 0;
    // The bars are of the logarithm: from bids to orders is a factor of thousands.
    return el("li", {}, el("span", {}, w(`funnel.${s}`)), el("div", { class: "bar2", "aria-hidden": "true" }, el("i", { width: `${(Math.log1p(f[s]) / Math.log1p(most)) * 100}%` })),
      el("span", { class: "num" }, count(f[s]), before > 0 && el("small", {}, percent(f[s] / before))));
  }));
});

const map = () => fill($("map"), async () => {
  const rows = new Map((await parts("weekhour")).rows.map((r) => [r.key, r]));
  if (!rows.size) return empty(w("results.none"), w("results.none.text"));
  const most = Math.max(...[...rows.values()].map((r) => Number(r.spend)));
  const names = [...Array(7)].map((_, i) => new Intl.DateTimeFormat(page.lang, { weekday: "short", timeZone: "UTC" }).format(Date.UTC(2024, 0, 1 + i)));
  const hours = [...Array(24).keys()].map((h) => String(h).padStart(2, "0"));
  const cell = (d, h) => {
    const r = rows.get(`${d}-${h}`);
    const level = r && most ? Math.ceil((Number(r.spend) / most) * 4) : 0;
    const text = `${names[d - 1]} ${h}:00 – ${w("spend")} ${money(r?.spend || 0)}, ${w("orders")} ${count(r?.orders || 0)}`;
    return el("td", { class: level ? `h${level}` : undefined, title: text }, el("span", { class: "hidden" }, text), el("span", { "aria-hidden": "true", class: r?.orders > 99 && "many" }, r?.orders ? compact(r.orders) : ""));
  };
  return el("table", { class: "hours" }, el("caption", { class: "hidden" }, w("results.map")), el("thead", {}, el("tr", {}, el("td", {}), hours.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, names.map((n, d) => el("tr", {}, el("th", { scope: "row" }, n), hours.map((h) => cell(d + 1, h))))));
});

// weakest is the part that costs most for what it brings. It is sure when the
// lower end of its interval is above the average of all, or when it spent three
// orders' worth for none; else chance alone may have made it so.
function weakest(rows) {
  const known = rows.filter((r) => r.key && Number(r.spend) > 0);
  const spend = sum(rows, "spend"), orders = sum(rows, "orders");
  if (rows.length < 2) return {};
  const average = orders ? spend / orders : 0;
  const surely = average ? known.filter((r) => (r.orders ? Number(r.cost_per_order_low) > average : Number(r.spend) > 3 * average)) : [];
  if (surely.length) return { row: surely.sort((a, b) => Number(b.spend) - Number(a.spend))[0], sure: true };
  if (known.length < 2) return {};
  const floor = (r) => Number(r.cost_per_order_low ?? 0);
  return { row: known.sort((a, b) => floor(b) - floor(a))[0], sure: false };
}

// app tells a bundle or store id from a site's domain: com.example.news, 123456789.
const app = /^(\d+|(com|net|org|io|co|eu|de|pl|fr|it|es|uk|cz|nl|ru|jp|cn|kr|br|in|us|air|me|tv|app)\.[\w-]+(\.[\w-]+)+)$/;
const names = { domain: (k) => `${app.test(k) ? "bundle" : "domain"} in (${q(k)})`, device: (k) => `device in (${q(k)})`, hour: (k) => `hour = ${Number(k)}`, exchange: (k) => `exchange in (${q(k)})`, media: (k) => `media in (${q(k)})`, country: (k) => `country in (${q(k)})`, segment: (k, row) => `segment ${q(row.name)}` };
// known says whether a part can be named in a rule: a deleted segment cannot.
const known = (r) => r.key && names[now.by] && (now.by !== "segment" || r.name);
const titles = {
  campaign: (r) => r.name || campaigns.find((c) => String(c.id) === r.key)?.name, media: (r) => w(`media.${r.key}`), creative: (r) => w("ad.n", { n: r.key }), hour: (r) => `${r.key}:00`,
  segment: (r) => r.name || (r.key ? w("segment.gone", { n: r.key }) : w("segment.none")),
};
const title = (r) => (titles[now.by] && (r.key || now.by === "segment") ? titles[now.by](r) : r.key) || w("unknown");
const q = (s) => JSON.stringify(s);

const drill = () => fill($("parts"), async () => {
  $("csv").href = `${shopPath}/report/breakdown?${query({ format: "csv" })}`;
  document.querySelectorAll("#by button").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.by === now.by)));
  const { rows } = await parts(now.by);
  if (!rows.length) return empty(w("results.none"), w("results.none.text"));
  const { row: worst, sure } = weakest(rows);
  const columns = [
    { name: w(`by.${now.by}`), cell: (r) => [now.by === "campaign" ? el("a", { href: `?${query({ campaign: r.key, by: "domain" })}` }, title(r)) : title(r), r === worst && el("span", { class: "sub" }, w(sure ? "worst" : "weakest"))] },
    { name: w("spend"), num: true, cell: (r) => money(r.spend) }, { name: w("impressions"), num: true, cell: (r) => count(r.impressions) },
    { name: w("clicks"), num: true, cell: (r) => [count(r.clicks), r.impressions > 0 && el("span", { class: "sub" }, percent(r.clicks / r.impressions))] }, { name: w("orders"), num: true, cell: (r) => count(r.orders) },
    { name: w("revenue"), num: true, cell: (r) => [money(r.revenue, Number(r.revenue) >= 1000 ? 0 : 2), Number(r.spend) > 0 && Number(r.revenue) > 0 && el("span", { class: "sub" }, w("roas", { x: (Number(r.revenue) / Number(r.spend)).toLocaleString(page.lang, { maximumFractionDigits: 1 }) }))] },
    { name: w("cpo"), num: true, cell: (r) => (r.cost_per_order ? [money(r.cost_per_order), el("span", { class: "sub" }, `${money(r.cost_per_order_low)} – ${money(r.cost_per_order_high)}`)] : [`> ${money(r.cost_per_order_low ?? r.spend)}`, el("span", { class: "sub" }, w("no-orders"))]) },
  ];
  if (canWrite && names[now.by]) columns.push({ name: "", cell: (r) => known(r) && el("button", { type: "button", class: "small", "aria-label": `${w("cap")}: ${title(r)}`, onclick: () => cap(r) }, w("cap")) });
  const shown = worst ? [worst, ...rows.filter((r) => r !== worst)] : rows;
  return [
    worst && el("p", { class: `box ${sure ? "warn" : ""}` }, w(sure ? "results.worst" : "results.weakest", { part: title(worst), spend: money(worst.spend), orders: worst.orders })),
    now.by === "segment" && el("p", { class: "help" }, w("results.segments")),
    table(w("results.parts"), columns, shown.slice(0, 50), (r) => (r === worst ? (sure ? "worst" : "weakest") : "")),
    rows.length > 50 && el("p", { class: "help" }, w("results.more", { n: count(rows.length - 50) })),
  ];
});

// cap bids less for a part, or nothing: a boost below one, or a piece of the
// targeting.
function cap(row) {
  const rule = names[now.by](row.key, row);
  $("cap-text").textContent = w("cap.text", { part: title(row), spend: money(row.spend), orders: row.orders });
  show($("cap-campaign"), campaigns.filter((c) => c.status !== "archived").map((c) => el("option", { value: String(c.id), selected: String(c.id) === now.campaign }, c.name)));
  const change = () => {
    const c = campaigns.find((x) => String(x.id) === $("cap-campaign").value);
    const bps = Number($("cap-factor").value);
    if (!c) return null;
    if (bps === 0) return [c, { targeting: c.targeting ? `(${c.targeting}) and not ${rule}` : `not ${rule}` }];
    return [c, { bid: { boosts: [...(c.bid.boosts || []).filter((b) => b.when !== rule), { when: rule, bps }] } }];
  };
  const draw = () => {
    const [c, patch] = change() || [];
    show($("cap-diff"), !c ? "" : patch.targeting ? [el("del", {}, `− ${c.targeting || w("everyone")}\n`), el("ins", {}, `+ ${patch.targeting}`)] : el("ins", {}, `+ ${rule} × ${Number($("cap-factor").value) / 10000}`));
  };
  $("cap-campaign").onchange = draw;
  $("cap-factor").onchange = draw;
  draw();
  dialog($("cap-dialog"), async () => {
    const [c, patch] = change();
    const saved = await api("PATCH", `${shopPath}/campaigns/${c.id}`, patch, { "If-Match": `"${c.version}"` });
    campaigns = campaigns.map((x) => (x.id === saved.id ? saved : x));
    say(w("cap.done", { name: c.name }));
    if (now.campaign !== String(c.id)) {
      now.campaign = String(c.id);
      $("campaign").value = now.campaign;
      remember();
      everything();
    } else effects();
  });
}

for (const by of dims) $("by").append(el("button", { type: "button", "data-by": by, "aria-pressed": "false", onclick: () => { now.by = by; remember(); drill(); } }, w(`by.${by}`)));
// spans are the ones that people ask for most; the months are the shop's.
const month = (back) => {
  const d = new Date(`${today().slice(0, 7)}-01T00:00:00Z`);
  d.setUTCMonth(d.getUTCMonth() - back);
  return d.toISOString().slice(0, 10);
};
const dayBefore = (d) => new Date(Date.parse(d) - 86400000).toISOString().slice(0, 10);
const spans = { today: () => [today(), today()], yesterday: () => [today(-1), today(-1)], week: () => [today(-6), today()], days30: () => [today(-29), today()], month: () => [month(0), today()], last: () => [month(1), dayBefore(month(0))] };
const marked = () => document.querySelectorAll("#spans button").forEach((b) => { const [from, to] = spans[b.dataset.span](); b.setAttribute("aria-pressed", String(from === now.from && to === now.to)); });
for (const [name, span] of Object.entries(spans)) {
  $("spans").append(el("button", { type: "button", "data-span": name, "aria-pressed": "false", onclick: () => {
    [now.from, now.to] = span();
    $("from").value = now.from;
    $("to").value = now.to;
    remember();
    everything();
  } }, w(`span.${name}`)));
}
const remember = () => history.replaceState(null, "", `?${query()}`);
const effects = () => Promise.all([compare($("compare"), now.campaign), lift($("lift"), now.campaign)]);
const everything = () => (marked(), Promise.all([overview(), funnel(), map(), drill(), effects()]));
$("filters").onsubmit = (e) => {
  e.preventDefault();
  Object.assign(now, { from: $("from").value, to: $("to").value, campaign: $("campaign").value });
  remember();
  everything();
};
campaigns = await all(`${shopPath}/campaigns`).catch(() => []);
$("campaign").append(...campaigns.map((c) => el("option", { value: String(c.id), selected: String(c.id) === now.campaign }, c.name)));
await everything();
document.body.dataset.ready = "yes";
