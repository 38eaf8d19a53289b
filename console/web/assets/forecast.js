// What a campaign will probably bring, while it is being written: asked of the
// console's forecast, which replays logged requests through the engine.
import { api, count, el, money, page, shopPath, show, w } from "./core.js";
import { curve, ready } from "./charts.js";

const compact = (v) => new Intl.NumberFormat(page.lang, { notation: "compact", maximumFractionDigits: 1 }).format(v);
const whole = (v) => count(Math.round(Number(v)));
const sum = (v) => money(v, Number(v) >= 100 ? 0 : 2);
const rows = { reach: whole, impressions: whole, clicks: whole, orders: (v) => count(Number(v)), cost: sum, cost_per_order: sum };
const has = (v) => v && typeof v === "object" && v.mid !== null && v.mid !== undefined;
const range = (v, f) => (v.low !== undefined && v.low !== null ? w("forecast.range", { low: f(v.low), high: v.high === null || v.high === undefined ? w("forecast.open") : f(v.high) }) : "");

let here = true; // until a console without forecasts says so
let turn = 0;

// forecast asks for a campaign and shows the answer in node. Whatever is asked
// later wins, so that answers may overtake each other.
export async function forecast(node, campaign, id) {
  const mine = ++turn;
  if (!here) return;
  if (!campaign) { show(node); return; }
  node.setAttribute("aria-busy", "true");
  if (!node.childElementCount) show(node, el("h3", {}, w("plan.forecast")), el("p", { class: "help waiting" }, w("forecast.asking")));
  let answer, problem;
  try {
    answer = await api("POST", `${shopPath}/forecast`, { campaign, ...(id && { campaign_id: Number(id) }), days: 30 });
    if (answer.curve?.length > 1) await ready();
  } catch (err) {
    problem = err;
  }
  if (mine !== turn) return;
  node.removeAttribute("aria-busy");
  if (problem) {
    if (problem.status === 404 || problem.status === 405) { here = false; show(node); return; } // this console has none
    const why = problem.fields?.length ? problem.fields.map((f) => el("li", {}, f.message)) : null;
    show(node, el("h3", {}, w("plan.forecast")), el("div", { class: "box" }, problem.status === 422 ? w("forecast.first") : problem.message, why && el("ul", {}, why.slice(0, 4)),
      problem.status !== 422 && el("button", { type: "button", class: "small", onclick: () => forecast(node, campaign, id) }, w("again"))));
    return;
  }
  draw(node, answer);
}

function draw(node, f) {
  const place = el("div", {});
  show(node, el("h3", {}, w("forecast.days", { n: f.days ?? 30 })), f.words?.[page.lang] && el("p", { class: "words" }, f.words[page.lang]),
    el("dl", { class: "sums small" }, Object.entries(rows).filter(([k]) => has(f[k])).map(([k, form]) =>
      el("div", { class: k === "cost_per_order" ? "first" : undefined }, el("dt", {}, w(`forecast.${k}`)), el("dd", {}, form(f[k].mid), el("small", {}, range(f[k], form)))))),
    f.limits?.length ? el("p", { class: "help" }, w("forecast.limits", { what: f.limits.map((l) => w(`limit.${l}`).replace("limit.", "")).join(", ") })) : null,
    el("p", { class: "help" }, w(f.basis === "figures" ? "forecast.figures" : "forecast.replay")), place);
  const points = (f.curve || []).filter((p) => Number.isFinite(Number(p.budget)));
  if (points.length < 2) return;
  const xs = points.map((p) => Number(p.budget)), ys = points.map((p) => Number(p.orders));
  // What one order more costs, from the budget before on.
  const further = (i) => { const more = ys[i] - (ys[i - 1] || 0); return more > 0.05 ? money((xs[i] - (xs[i - 1] || 0)) / more) : "–"; };
  place.before(el("h3", {}, w("forecast.curve")));
  curve(place, w("forecast.curve"), xs, ys, [compact, compact], [
    { name: w("forecast.budget"), cell: (i) => money(xs[i]) }, { name: w("orders"), cell: (i) => count(Math.round(ys[i] * 10) / 10) },
    { name: w("cpo"), cell: (i) => (points[i].cost_per_order ? money(points[i].cost_per_order) : "–") }, { name: w("forecast.further"), cell: further },
  ], xs.find((x) => x === Number(f.budget)));
}
