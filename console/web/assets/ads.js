import { $, all, api, canWrite, count, el, empty, fill, money, page, percent, pill, shopPath, show, today, w } from "./core.js";
import { frame, look, sizes } from "./adview.js";

let campaigns = [], products = [], did = new Map();
const now = { campaign: "", media: "", size: "300x250" };

function figures(r) {
  if (!r?.impressions) return el("p", { class: "help" }, w("ads.unseen"));
  return el("dl", { class: "mini" }, [[w("impressions"), count(r.impressions)], [w("ads.rate"), percent(r.clicks / r.impressions)], [w("orders"), count(r.orders)], [w("cpo"), r.cost_per_order ? money(r.cost_per_order) : "–"]]
    .map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, v))));
}

function tile([c, a], i) {
  const banner = a.media === "banner";
  const own = a.sizes?.length ? a.sizes.map((s) => [s.w, s.h]) : sizes;
  const size = own.some(([x, y]) => `${x}x${y}` === now.size) ? now.size : own[0].join("x");
  const view = banner ? frame({ title: a.title, body: a.body, cta: a.cta, image_url: a.image_url, template: a.template, asset: a.asset }, size, (i * 3) % 40) : look(a, products.length ? products[i % products.length] : null);
  return el("article", { class: "tile", "aria-label": `${w("ad.n", { n: a.id })}, ${w(`media.${a.media}`)}: ${a.title || c.name}` }, view,
    el("p", {}, pill(w(`media.${a.media}`)), " ", banner ? size.replace("x", " × ") : "", c.status !== "active" && [" ", pill(w(`state.${c.status}`))]),
    figures(did.get(String(a.id))), el("a", { href: `/console/shops/${page.shop}/campaigns/${c.id}` }, c.name));
}

function draw() {
  const ads = campaigns.flatMap((c) => c.creatives.map((a) => [c, a])).filter(([c, a]) => (!now.campaign || String(c.id) === now.campaign) && (!now.media || a.media === now.media));
  const wide = Number(now.size.split("x")[0]) > 400;
  show($("list"), ads.length ? el("div", { class: wide ? "tiles wide" : "tiles gallery" }, ads.map(tile)) : empty(w("ads.none-such"), w("ads.none-such.text")));
}

await fill($("list"), async () => {
  let parts;
  [campaigns, products, parts] = await Promise.all([
    all(`${shopPath}/campaigns`).then((l) => l.filter((c) => c.status !== "archived")), api("GET", `${shopPath}/products?limit=12&available=true`).then((p) => p.items).catch(() => []),
    api("GET", `${shopPath}/report/breakdown?by=creative&from=${today(-29)}`).catch(() => ({ rows: [] })),
  ]);
  did = new Map(parts.rows.map((r) => [r.key, r]));
  if (!campaigns.some((c) => c.creatives.length)) return empty(w("ads.none"), w("ads.none.text"), canWrite && el("a", { class: "button", href: `/console/shops/${page.shop}/campaigns` }, w("nav.campaigns")));
  $("filters").hidden = false;
  $("campaign").append(...campaigns.filter((c) => c.creatives.length).map((c) => el("option", { value: String(c.id) }, c.name)));
  $("size").append(...sizes.map(([x, y]) => el("option", { value: `${x}x${y}` }, `${x} × ${y}`)));
  for (const id of ["campaign", "media", "size"]) $(id).onchange = () => { now[id] = $(id).value; draw(); };
  setTimeout(draw);
  return [];
});
document.body.dataset.ready = "yes";
