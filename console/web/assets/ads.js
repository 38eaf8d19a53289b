import { $, all, api, count, el, empty, fill, money, page, pill, shopPath, today, w } from "./core.js";

function preview(c, product) {
  const image = c.image_url || product?.image_url;
  const media = c.video ? el("p", { class: "pad" }, w("media.video"), " ", `${c.video.w}×${c.video.h}, ${Math.round(c.video.duration_ms / 1000)} s`) : image ? el("img", { src: image, alt: "", loading: "lazy", referrerpolicy: "no-referrer" }) : null;
  return el("div", { class: "preview" }, media, el("div", { class: "pad" }, el("b", {}, c.title || product?.title || w("ad.from-product")),
    el("span", { class: "sub" }, c.body || (product && money(product.price)) || ""), el("span", { class: "cta" }, c.cta || w("ad.cta.default"))));
}

await fill($("list"), async () => {
  const [campaigns, products, parts] = await Promise.all([
    all(`${shopPath}/campaigns`), api("GET", `${shopPath}/products?limit=12&available=true`).then((p) => p.items).catch(() => []),
    api("GET", `${shopPath}/report/breakdown?by=creative&from=${today(-29)}`).catch(() => ({ rows: [] })),
  ]);
  const did = new Map(parts.rows.map((r) => [r.key, r]));
  const ads = campaigns.filter((c) => c.status !== "archived").flatMap((c) => c.creatives.map((a) => [c, a]));
  if (!ads.length) return empty(w("ads.none"), w("ads.none.text"));
  return el("div", { class: "tiles" }, ads.map(([c, a], i) => {
    const r = did.get(String(a.id));
    const rate = r?.impressions ? `${count(r.impressions)} ${w("impressions").toLowerCase()}, ${count(r.clicks)} ${w("clicks").toLowerCase()}, ${count(r.orders)} ${w("orders").toLowerCase()}` : w("ads.unseen");
    return el("article", { class: "tile", "aria-label": w("ad.n", { n: a.id }) }, preview(a, products.length ? products[i % products.length] : null),
      el("p", {}, pill(w(`media.${a.media}`)), " ", a.sizes?.length ? a.sizes.map((s) => `${s.w}×${s.h}`).join(", ") : a.media === "banner" ? w("ads.sizes") : ""),
      el("p", { class: "help" }, rate), el("a", { href: `/console/shops/${page.shop}/campaigns/${c.id}` }, c.name));
  }));
});
document.body.dataset.ready = "yes";
