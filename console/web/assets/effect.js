// What a change did, and what the ads did: cost per order before and after a
// change of a campaign, and the orders that would not have come without it.
import { $, all, api, count, el, failed, fill, money, page, percent, shopPath, show, w, when } from "./core.js";

const text = (v) => (v === null || v === undefined ? "" : typeof v === "object" ? JSON.stringify(v) : String(v));
const told = ["status", "targeting", "bid", "goal", "budget", "pacing", "frequency", "creatives"];

// capped is the part that a change bids less for, where it is of one value.
const rule = /(domain|bundle|device|exchange|media|country) in \("([^"]+)"\)|(hour) = (\d+)|(segment) "([^"]+)"/;
function capped(c) {
  const boosts = new Set((c.before?.bid?.boosts || []).map(text));
  const added = (c.after?.bid?.boosts || []).find((b) => b.bps < 10000 && !boosts.has(text(b)));
  const was = text(c.before?.targeting), not = was ? `(${was}) and not ` : "not ", is = text(c.after?.targeting);
  const where = added ? added.when : is !== was && is.startsWith(not) ? is.slice(not.length) : "";
  const m = where && where.match(rule);
  return m && m[0] === where ? { by: m[1]?.replace("bundle", "domain") || m[3] || m[5], key: m[2] || m[4]?.padStart(2, "0") || m[6] } : null;
}

function title(c) {
  const part = capped(c);
  const what = part ? w("compare.capped", { part: part.key }) : told.filter((k) => text(c.before?.[k]) !== text(c.after?.[k])).map((k) => w(`change.${k}`)).join(", ") || w("action.update");
  return `${when(c.at)}: ${what}`;
}

// compare shows the campaign's changes to choose from, the newest chosen.
export async function compare(node, campaign) {
  if (!campaign) { node.hidden = true; return; }
  let changes;
  try {
    const { items } = await api("GET", `${shopPath}/changes?limit=50&subject=campaign/${campaign}`);
    changes = items.filter((c) => c.action === "update" && Date.now() - c.at < 90 * 86400000 && told.some((k) => text(c.before?.[k]) !== text(c.after?.[k])));
  } catch (err) {
    node.hidden = false;
    failed($("compare-sides"), err, () => compare(node, campaign));
    return;
  }
  node.hidden = !changes.length;
  if (!changes.length) return;
  $("compare-at").replaceChildren(...changes.map((c, i) => el("option", { value: String(i) }, title(c))));
  const draw = () => sides(changes[Number($("compare-at").value)], campaign);
  $("compare-at").onchange = draw;
  await draw();
}

// found is the part as reports ask for it: a rule names a segment, they have its
// number. Null for one that is no more.
async function found(part) {
  if (part.by !== "segment") return part;
  const s = (await all(`${shopPath}/segments`)).find((x) => x.name.toLowerCase() === part.key.toLowerCase());
  return s ? { by: "segment", key: String(s.id) } : null;
}

const sides = (c, campaign) => fill($("compare-sides"), async () => {
  const part = capped(c);
  const ask = (more) => api("GET", `${shopPath}/report/before-after?${new URLSearchParams({ at: c.at, campaign, ...more })}`);
  const [whole, one] = await Promise.all([ask({}), part && found(part).then((p) => p && ask(p))]);
  return [versus(w("compare.whole"), whole), one && versus(w("compare.part", { part: part.key }), one),
    el("div", { class: "actions" }, el("button", { type: "button", class: "small", id: "compare-again", onclick: () => sides(c, campaign) }, w("compare.again")))];
});

function versus(name, v) {
  const side = (key, s) => el("div", {}, el("h3", {}, w(key)), el("div", { class: "big" }, s.cost_per_order ? money(s.cost_per_order) : "–"),
    el("div", { class: "sub" }, s.cost_per_order ? w("compare.interval", { low: money(s.cost_per_order_low), high: money(s.cost_per_order_high) }) : w("no-orders")),
    el("div", { class: "sub", "data-spend": s.spend }, w("compare.sums", { spend: money(s.spend), orders: s.orders, n: s.wins })));
  const tone = { lower: "good", higher: "bad", unclear: "" }[v.verdict];
  return el("section", { class: "gap" }, el("h3", {}, name), el("div", { class: "versus" }, side("compare.before", v.before), side("compare.after", v.after)),
    el("p", { class: `verdict box ${tone}` }, w(`verdict.${v.verdict}`)));
}

// lift tells what the ads brought that would not have come anyway; a console or
// a campaign without a holdout shows nothing.
export async function lift(node, campaign) {
  node.hidden = true;
  if (!campaign) return;
  let l;
  try {
    l = await api("GET", `${shopPath}/campaigns/${campaign}/lift`);
  } catch (err) {
    if (err.status === 404 || err.status === 405) return;
    node.hidden = false;
    failed($("lift-says"), err, () => lift(node, campaign));
    return;
  }
  if (!l || !(Number(l.share) > 0) || !l.exposed || !l.holdout) return;
  node.hidden = false;
  const share = Number(l.share) > 1 ? Number(l.share) / 10000 : Number(l.share);
  const rate = (g) => (Number(g.users) ? percent(Number(g.orders) / Number(g.users)) : "–");
  const group = (key, g) => el("div", {}, el("h3", {}, w(key)), el("div", { class: "big" }, rate(g)), el("div", { class: "sub" }, w("lift.group", { users: Number(g.users), orders: Number(g.orders) })));
  const range = (v, f) => (v && v.mid !== undefined && v.mid !== null ? `${f(v.mid)} (${f(v.low)} – ${f(v.high)})` : "–");
  const whole = (v) => count(Math.round(Number(v)));
  show($("lift-says"), l.words?.[page.lang] && el("p", { class: "words" }, l.words[page.lang]),
    l.sample_ratio && l.sample_ratio.ok === false && el("p", { class: "box bad" }, w("lift.ratio")),
    el("div", { class: "versus" }, group("lift.exposed", l.exposed), group("lift.holdout", l.holdout)),
    el("p", { class: "verdict" }, w("lift.orders", { n: range(l.lift_orders, whole) })), l.lift_revenue && el("p", { class: "help" }, w("lift.revenue", { n: range(l.lift_revenue, money) })),
    Number(l.needed_users) > 0 && el("p", { class: "help" }, w("lift.needed", { n: whole(l.needed_users) })), el("p", { class: "help" }, w("lift.help", { share: percent(share) })));
}
