// What a campaign will probably bring, while it is being written: asked of the
// console's forecast, which replays logged requests through the engine.
import { $, api, count, el, mistakes, money, page, shopPath, show, w } from "./core.js";
import { curve, ready } from "./charts.js";

const compact = (v) => new Intl.NumberFormat(page.lang, { notation: "compact", maximumFractionDigits: 1 }).format(v);
const whole = (v) => count(Math.round(Number(v)));
const sum = (v) => money(v, Number(v) >= 100 ? 0 : 2);
const rows = { reach: whole, impressions: whole, clicks: whole, orders: (v) => count(Number(v)), revenue: sum, cost: sum, cost_per_order: sum };
const has = (v) => v && typeof v === "object" && v.mid !== null && v.mid !== undefined;
const range = (v, f) => (v.low !== undefined && v.low !== null ? w("forecast.range", { low: f(v.low), high: v.high === null || v.high === undefined ? w("forecast.open") : f(v.high) }) : "");

let here = true; // until a console without forecasts says so
let turn = 0;
let own = null; // what the shop says of itself, where there is no traffic of its visitors

// ask asks, and again after a moment while the bidder makes another forecast.
async function ask(question, late) {
  for (let left = 5; ; left--) {
    try {
      return await api("POST", `${shopPath}/forecast`, question);
    } catch (err) {
      if (err.status !== 429 || !left || late()) throw err;
    }
    await new Promise((again) => setTimeout(again, 1000));
  }
}

// figures is where a shop without our pixel says what it knows of itself. It is
// made once, so that what was typed stays, and is no part of the campaign.
let said;
function figures(again) {
  const field = (id, at, name) => el("div", {}, el("label", { for: id }, w(name)), el("input", { id, "data-at": `body.figures.${at}`, inputmode: "decimal" }));
  said ??= el("fieldset", { id: "figures", oninput: (e) => e.stopPropagation() }, el("legend", { class: "hidden" }, w("forecast.pixel")), el("p", { class: "help" }, w("forecast.figures.ask")),
    field("fig-visits", "visits", "forecast.visits"), field("fig-rate", "conversion_rate", "forecast.rate"), field("fig-basket", "basket", "forecast.basket"), el("div", { class: "actions" }));
  const number = (id) => $(id).value.trim().replace(/\s/g, "").replace(",", ".");
  const estimate = () => {
    own = { visits: Number(number("fig-visits")) || 0, conversion_rate: (Number(number("fig-rate")) || 0) / 100, ...(number("fig-basket") && { basket: number("fig-basket") }) };
    again();
  };
  said.onkeydown = (e) => { if (e.key === "Enter" && e.target.tagName === "INPUT") { e.preventDefault(); estimate(); } };
  show(said.lastElementChild, own && el("button", { type: "button", class: "small", onclick: () => { own = null; again(); } }, w("forecast.measured")),
    el("button", { type: "button", class: "small", id: "fig-do", onclick: estimate }, w("forecast.estimate")));
  return said;
}

// forecast asks for a campaign and shows the answer in node. Whatever is asked
// later wins, so that answers may overtake each other.
export async function forecast(node, campaign, id) {
  const mine = ++turn;
  if (!here) return;
  if (!campaign) { // what is still asked for is not wanted any more
    node.removeAttribute("aria-busy");
    show(node);
    return;
  }
  node.setAttribute("aria-busy", "true");
  if (!node.childElementCount) show(node, el("h3", {}, w("plan.forecast")), el("p", { class: "help waiting" }, w("forecast.asking")));
  let answer, problem;
  try {
    answer = await ask({ campaign, ...(id && { campaign_id: Number(id) }), days: 30, ...(own && { figures: own }) }, () => mine !== turn);
    if (answer.curve?.length > 1) await ready();
  } catch (err) {
    problem = err;
  }
  if (mine !== turn) return;
  node.removeAttribute("aria-busy");
  const again = () => forecast(node, campaign, id);
  const asked = problem?.fields?.filter((f) => f.location.startsWith("body.figures"));
  if (asked?.length) {
    show(node, el("h3", {}, w("plan.forecast")), own ? null : el("p", { class: "help" }, w("forecast.pixel")), figures(again));
    mistakes(said, own && problem);
    return;
  }
  if (said) mistakes(said, null);
  if (problem) {
    if (problem.status === 404 || problem.status === 405) { here = false; show(node); return; } // this console has none
    const why = problem.fields?.length ? problem.fields.map((f) => el("li", {}, f.message)) : null;
    show(node, el("h3", {}, w("plan.forecast")), el("div", { class: "box" }, problem.status === 422 ? w("forecast.first") : problem.message, why && el("ul", {}, why.slice(0, 4)),
      problem.status !== 422 && el("button", { type: "button", class: "small", onclick: again }, w("again"))),
      own && figures(again));
    return;
  }
  draw(node, answer, again);
}

// unsure is how few bids of the sample leave room for the shop's own figures.
const unsure = 100;

function draw(node, f, again) {
  const place = el("div", {});
  const rough = f.basis === "figures", open = !f.bids || node.querySelector("details.own")?.open;
  const more = rough ? figures(again) : f.bids < unsure && el("details", { class: "own", open }, el("summary", {}, w("forecast.pixel")), figures(again));
  show(node, el("h3", {}, w("forecast.days", { n: f.days ?? 30 })), f.words?.[page.lang] && el("p", { class: "words" }, f.words[page.lang]),
    el("dl", { class: "sums small" }, Object.entries(rows).filter(([k]) => has(f[k])).map(([k, form]) =>
      el("div", { class: k === "cost_per_order" ? "first" : undefined }, el("dt", {}, w(`forecast.${k}`)), el("dd", {}, form(f[k].mid), el("small", {}, range(f[k], form)))))),
    f.limits?.length ? el("p", { class: "help" }, w("forecast.limits", { what: f.limits.map((l) => w(`limit.${l}`).replace("limit.", "")).join(", ") })) : null,
    el("p", { class: "help" }, w(rough ? "forecast.figures" : "forecast.replay")), place, more);
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
