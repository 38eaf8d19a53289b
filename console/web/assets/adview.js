// How an ad looks: a banner in a frame, as the bidders render it; a native ad
// and a film as near as it can be told, for their pages and players draw them.
import { el, money, page, w } from "./core.js";

export const sizes = [[300, 250], [336, 280], [300, 600], [160, 600], [728, 90], [970, 250], [320, 100], [320, 50]];

// frame is a banner of the given texts in "300x250". It is a picture to look
// at: nothing in it can be pressed or reached.
export function frame(ad, size, skip = 0, loading = "lazy") {
  const [x, y] = size.split("x").map(Number);
  const q = new URLSearchParams(Object.entries({ w: x, h: y, skip, ...ad }).filter(([, v]) => v !== "" && v !== undefined));
  const view = el("iframe", { src: `/console/shops/${page.shop}/ad?${q}`, loading, sandbox: "", title: w("ad.preview") });
  Object.assign(view, { width: x, height: y });
  return el("div", { class: "ad-frame", inert: true }, view);
}

function film(v) {
  if (!/^(https:|http:\/\/(127\.0\.0\.1|localhost)[:/])/.test(v.url || "")) return el("p", { class: "pad" }, w("media.video"), ` ${v.w}×${v.h}, ${Math.round(v.duration_ms / 1000)} s`);
  return el("video", { src: v.url, controls: true, preload: "none", muted: true, "aria-label": `${w("media.video")}, ${Math.round(v.duration_ms / 1000)} s` });
}

// look draws a native ad or a film with the ad's own texts, or a product's.
export function look(ad, product) {
  const image = product?.image_url || ad.image_url;
  const media = ad.video ? film(ad.video) : image?.startsWith("http") ? el("img", { src: image, alt: "", loading: "lazy", referrerpolicy: "no-referrer" }) : null;
  return el("div", { class: "preview" }, media, el("div", { class: "pad" }, el("b", {}, (ad.media === "native" && product?.title) || ad.title || w("ad.from-product")),
    product && ad.media === "native" && el("span", { class: "sub" }, money(product.price)), el("span", { class: "sub" }, ad.body || ""), el("span", { class: "cta" }, ad.cta || w("ad.cta.default"))));
}
