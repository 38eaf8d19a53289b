import { $, api, el, empty, fill, page, percent, shopPath, table, w, when } from "./core.js";

// flat lists a document's leaves: "budget.day" → "50".
function flat(v, at = "", out = {}) {
  if (v && typeof v === "object") for (const [k, x] of Object.entries(v)) flat(x, at ? `${at}.${k}` : k, out);
  else if (v !== undefined && !["version", "updated", "created"].includes(at)) out[at] = String(v);
  return out;
}

// value shows basis points as percent and moments as times.
function value(key, v) {
  if (/(^|[._])bps$/.test(key)) return percent(Number(v) / 10000);
  return /^(start|end|revoked)$/.test(key) && Number(v) ? when(Number(v)) : v;
}

function difference(c) {
  const a = flat(c.before), b = flat(c.after);
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((k) => a[k] !== b[k]);
  if (!keys.length) return "–";
  const line = (k) => el("div", {}, `${k}: `, c.before && a[k] !== undefined && el("del", {}, value(k, a[k])), c.before && a[k] !== undefined && b[k] !== undefined && " → ", b[k] !== undefined && el("ins", {}, value(k, b[k])));
  if (keys.length <= 4) return keys.map(line);
  return el("details", {}, el("summary", {}, w("changes.fields", { n: keys.length })), keys.map(line));
}

// subject names what was changed, with the way to it where it has a page.
const pages = { campaign: (id) => `campaigns/${id}`, segment: () => "segments", feed: () => "products", "feed-source": () => "products", list: () => "segments", webhook: () => "alerts", key: () => "keys" };
function subject(c) {
  const [kind, ...rest] = c.subject.split("/");
  const name = w(`subject.${kind}`);
  if (name === `subject.${kind}`) return el("code", {}, c.subject);
  const id = ["feed", "feed-source", "shop"].includes(kind) ? "" : ` ${rest.join("/")}`;
  return pages[kind] && c.action !== "delete" ? el("a", { href: `/console/shops/${page.shop}/${pages[kind](rest[0])}` }, name + id) : name + id;
}

const list = (cursor = "") => fill($("list"), async () => {
  const { items, next } = await api("GET", `${shopPath}/changes?limit=50${cursor && `&cursor=${cursor}`}`);
  if (!items.length) return empty(w("changes.none"), w("changes.none.text"));
  return [
    table(w("title.changes"), [
      { name: w("changes.when"), cell: (c) => when(c.at) }, { name: w("changes.who"), cell: (c) => [c.actor, c.remote && el("span", { class: "sub" }, c.remote)] },
      { name: w("changes.what"), cell: (c) => [w(`action.${c.action}`), ": ", subject(c), (c.after?.name || c.before?.name) && el("span", { class: "sub" }, c.after?.name || c.before?.name)] }, { name: w("changes.how"), cell: difference },
    ], items),
    next && el("div", { class: "actions" }, el("button", { type: "button", onclick: () => list(next) }, w("changes.older"))),
  ];
});
await list();
document.body.dataset.ready = "yes";
