import { $, api, busy, canWrite, checker, debounce, el, mended, money, mistakes, page, say, shopPath, show, state, w, when } from "./core.js";
import { forecast } from "./forecast.js";
import { frame, look, sizes } from "./adview.js";

const form = $("form");
const asked = new URLSearchParams(location.search);
const id = page.campaign;
let doc = null; // the campaign as it was read
let ads = [];

// The starters are whole expressions, to begin with and to change.
const starters = ["visited within 30d and not purchased within 14d", "abandoned within 7d", "viewed within 14d and not purchased within 14d", 'looking_for "…"', 'domain in ("…")'];
const check = checker($("targeting"), $("targeting-says"), "/api/v1/targeting/check", { shop: Number(page.shop) });
for (const s of starters) {
  $("starters").append(el("button", { type: "button", onclick: () => { $("targeting").value = s; changed(); check(); $("targeting").focus(); } }, s));
}

// wall turns a time of the shop's zone, as an input has it, into ms, and back.
function offset(ms) {
  const p = Object.fromEntries(new Intl.DateTimeFormat("en-US", { timeZone: page.zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }).formatToParts(ms).map((x) => [x.type, x.value]));
  return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute) - Math.floor(ms / 60000) * 60000;
}
function toMS(text) {
  if (!text) return 0;
  const naive = Date.parse(`${text}:00Z`);
  return naive - offset(naive - offset(naive));
}
const toWall = (ms) => (ms ? new Date(ms + offset(ms)).toISOString().slice(0, 16) : "");

function addBoost(b = { when: "", bps: 15000 }) {
  const n = $("boosts").querySelectorAll(".boost").length + 1;
  const row = el("div", { class: "boost" },
    el("div", {}, el("label", { for: `when-${n}` }, w("editor.when")), el("input", { id: `when-${n}`, value: b.when, class: "when", spellcheck: "false" })),
    el("div", {}, el("label", { for: `times-${n}` }, w("editor.times")), el("input", { id: `times-${n}`, value: `${b.bps / 100}`, class: "times", inputmode: "decimal" })),
    canWrite && el("button", { type: "button", "aria-label": w("editor.drop-boost"), onclick: () => { row.remove(); changed(); } }, "×"));
  $("boosts").append(row);
}

function addAd(a = { media: "banner" }) {
  const n = ads.length + 1;
  const field = (name, label) => {
    const input = el("input", { id: `${name}-${n}`, value: a[name] || "", maxlength: "200", "data-at": `body.creatives[${n - 1}].${name}` });
    input.addEventListener("input", () => draw());
    return [input, el("div", {}, el("label", { for: input.id }, label), input)];
  };
  const media = el("select", { id: `media-${n}` }, ["banner", "native", "video"].map((m) => el("option", { value: m, selected: m === a.media }, w(`media.${m}`))));
  const [title, titleBox] = field("title", w("ad.title"));
  const [text, textBox] = field("body", w("ad.body"));
  const [cta, ctaBox] = field("cta", w("ad.cta"));
  const [image, imageBox] = field("image_url", w("ad.image"));
  const preview = el("div", { class: "preview-box" });
  const size = el("select", { id: `size-${n}`, class: "short" }, (a.sizes?.length ? a.sizes.map((z) => [z.w, z.h]) : sizes).map(([x, y]) => el("option", { value: `${x}x${y}` }, `${x} × ${y}`)));
  const card = el("div", { class: "ad-form" },
    el("div", { class: "two" }, el("div", {}, el("label", { for: media.id }, w("ad.media")), media), titleBox, textBox, ctaBox, imageBox),
    el("div", { class: "inline" }, el("label", { for: size.id }, w("ad.preview-size")), size), preview,
    canWrite && el("div", { class: "actions" }, el("button", { type: "button", class: "small", onclick: () => { card.remove(); ads = ads.filter((x) => x.card !== card); changed(); } }, w("ad.drop"))));
  const draw = debounce(400, () => {
    const banner = media.value === "banner";
    size.parentElement.hidden = !banner;
    const words = { title: title.value, body: text.value, cta: cta.value, image_url: image.value };
    if (!banner) { show(preview, look({ ...a, media: media.value, ...words })); return; }
    show(preview, frame({ ...words, template: a.template || "", asset: a.asset || "" }, size.value, 0, "eager"));
  });
  size.addEventListener("input", (e) => { e.stopPropagation(); draw(); });
  media.addEventListener("input", draw);
  setTimeout(draw);
  ads.push({ card, read: () => clean({ ...a, media: media.value, title: title.value, body: text.value, cta: cta.value, image_url: image.value }) });
  $("ads").append(card);
}
const clean = (o) => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== ""));

// The goal is one of these, or a fixed price.
const goals = { target_cpo: "money", max_cpc: "money", target_roas_bps: "times" };
function goalOf() {
  const kind = $("goal").value;
  return goals[kind] ? { kind, amount: Number(decimal($("goal-amount"))) } : null;
}
function showGoal() {
  const kind = $("goal").value;
  $("goal-box").hidden = !goals[kind];
  $("goal-amount").dataset.at = `body.goal.${kind}`;
  $("goal-unit").textContent = goals[kind] === "times" ? "×" : page.currency;
  $("goal-label").textContent = w(`goal.${kind || "none"}`);
  $("goal-help").textContent = w(`goal.${kind || "none"}.help`);
}
$("goal").addEventListener("change", showGoal);
function showBilling() {
  const kind = $("billing").value;
  $("cpc-box").hidden = kind !== "cpc";
  $("billing-help").textContent = w(`billing.${kind}.help`);
}
$("billing").addEventListener("change", showBilling);

// decimal lets people write a comma.
const decimal = (i) => i.value.trim().replace(/\s/g, "").replace(",", ".") || "0";
const whole = (i) => { const n = Number(i.value.trim() || 0); return Number.isInteger(n) ? n : i.value; };

function readGoal() {
  const g = goalOf(), kept = doc?.goal?.share_bps || 0;
  return { target_cpo: "0", max_cpc: "0", target_roas_bps: 0, share_bps: kept, ...(g && { [g.kind]: g.kind === "target_roas_bps" ? Math.round(g.amount * 10000) : decimal($("goal-amount")) }) };
}

function read() {
  const boosts = [...document.querySelectorAll(".boost")].map((b) => ({ when: b.querySelector(".when").value, bps: Math.round(Number(b.querySelector(".times").value.replace(",", ".")) * 100) }));
  return {
    name: $("name").value, kind: form.elements.kind.value, targeting: $("targeting").value,
    bid: { cpm: decimal($("cpm")), max_cpm: decimal($("max")), boosts },
    goal: readGoal(), pacing: $("pacing").value,
    billing: $("billing").value, cpc: $("billing").value === "cpc" ? decimal($("cpc")) : "0",
    budget: { day: decimal($("day")), week: decimal($("week")), total: decimal($("total")) },
    frequency: { impressions: whole($("cap")), hours: whole($("hours")) },
    ...($("holdout") && { holdout_bps: Math.round(Number(decimal($("holdout"))) * 100) }),
    start: toMS($("start").value), end: toMS($("end").value),
    creatives: ads.map((a) => a.read()),
  };
}

// plan says what the figures mean, and what a forecast gives where the
// console has one.
const plan = debounce(500, async () => {
  const c = read();
  const cpm = Number(c.bid.cpm), most = Number(c.bid.max_cpm), day = Number(c.budget.day), goal = goalOf();
  const lines = [];
  const price = cpm || most;
  if (c.billing === "cpc" && Number(c.cpc) > 0) lines.push(w("plan.cpc", { amount: money(Number(c.cpc)) }));
  if (goal && goal.amount > 0) lines.push(w(`plan.${goal.kind}`, { amount: goal.kind === "target_roas_bps" ? goal.amount.toLocaleString(page.lang) : money(goal.amount) }));
  if (price > 0 && day > 0) {
    lines.push(w("plan.day", { day: money(day), shows: Math.floor((day / price) * 1000).toLocaleString(page.lang), cpm: money(price) }));
    lines.push(w("plan.month", { month: money(day * 30) }));
  } else if (price > 0) lines.push(w("plan.open"));
  else lines.push(w(goal ? "plan.goal-max" : "plan.nothing"));
  if (day > 0) lines.push(w(`plan.pacing.${c.pacing}`));
  if (!day && !Number(c.budget.total) && !Number(c.budget.week)) lines.push(w("plan.no-budget"));
  if (c.frequency.impressions > 0) lines.push(w("plan.cap", { n: c.frequency.impressions, h: c.frequency.hours }));
  if (c.holdout_bps > 0) lines.push(w("plan.holdout", { n: (c.holdout_bps / 100).toLocaleString(page.lang) }));
  for (const b of c.bid.boosts) if (b.when && b.bps > 0 && b.bps !== 10000) lines.push(w(b.bps < 10000 ? "plan.lower" : "plan.higher", { when: b.when, n: Math.abs(b.bps / 100 - 100).toLocaleString(page.lang) }));
  show($("plan"), lines.map((l) => el("p", {}, l)));
  const right = price > 0 && (await check());
  forecast($("forecast"), right ? { ...c, name: c.name || "–" } : null, doc?.id);
});

let dirty = false; // leaving the page is asked about
function changed() {
  dirty = canWrite;
  $("dirty").textContent = w("editor.unsaved");
  plan();
}

function fillIn(c) {
  $("name").value = c.name;
  $("heading").textContent = c.name;
  form.elements.kind.value = c.kind;
  $("targeting").value = c.targeting;
  const amount = (v) => (Number(v) ? String(v).replace(".", page.lang === "pl" ? "," : ".") : "");
  $("cpm").value = amount(c.bid.cpm);
  $("max").value = amount(c.bid.max_cpm);
  for (const k of ["day", "week", "total"]) $(k).value = amount(c.budget[k]);
  const goal = Object.keys(goals).find((k) => Number(c.goal?.[k])) || "";
  $("goal").value = goal;
  $("goal-amount").value = goal ? amount(goal === "target_roas_bps" ? c.goal[goal] / 10000 : c.goal[goal]) : "";
  showGoal();
  $("billing").value = c.billing || "cpm";
  $("cpc").value = amount(c.cpc);
  showBilling();
  $("pacing").value = c.pacing || "asap";
  $("cap").value = c.frequency.impressions;
  $("hours").value = c.frequency.hours;
  if ($("holdout")) $("holdout").value = c.holdout_bps ? c.holdout_bps / 100 : "";
  $("start").value = toWall(c.start);
  $("end").value = toWall(c.end);
  $("boosts").replaceChildren();
  (c.bid.boosts || []).forEach(addBoost);
  $("ads").replaceChildren();
  ads = [];
  c.creatives.forEach((a) => addAd(a));
}

function running(c) {
  const b = $("start-it");
  if (b) b.textContent = w(c?.status === "active" ? "editor.save-pause" : "editor.start-it");
  if (!b || !c) return;
  $("copy").hidden = false;
  $("copy").href = `/console/shops/${page.shop}/campaigns/new?copy=${c.id}`;
  $("shelve").hidden = false;
  $("shelve").textContent = w(c.status === "archived" ? "editor.restore" : "editor.archive");
}

async function showState() {
  if (!doc) return;
  const states = await api("GET", `${shopPath}/campaign-states`).catch(() => ({ items: [] }));
  const st = states.items.find((x) => x.campaign === doc.id) || { state: doc.status === "active" ? "running" : doc.status };
  show($("state"), state(st));
}

// places tells fields where in the document they will be: lists get shorter.
function places() {
  document.querySelectorAll(".boost").forEach((b, i) => {
    b.querySelector(".when").dataset.at = `body.bid.boosts[${i}].when`;
    b.querySelector(".times").dataset.at = `body.bid.boosts[${i}].bps`;
  });
  ads.forEach((a, i) => a.card.querySelectorAll("[data-at]").forEach((n) => { n.dataset.at = n.dataset.at.replace(/\[\d+\]/, `[${i}]`); }));
}

async function save(status, button) {
  await busy(button, async () => {
    const c = read();
    places();
    if (status) c.status = status;
    try {
      const made = !doc;
      doc = made ? await api("POST", `${shopPath}/campaigns`, c, { "Idempotency-Key": onceKey })
        : await api("PATCH", `${shopPath}/campaigns/${doc.id}`, c, { "If-Match": `"${doc.version}"` });
      dirty = false;
      mistakes(form, null, $("trouble"));
      $("dirty").textContent = w("editor.saved", { at: when(doc.updated) });
      if (made) history.replaceState(null, "", `/console/shops/${page.shop}/campaigns/${doc.id}`);
      fillIn(doc);
      running(doc);
      say(w(status === "active" ? "campaigns.started" : "editor.saved.say", { name: doc.name }));
      showState();
    } catch (err) {
      onceKey = `${Date.now()}-${Math.random()}`; // what is corrected is another request
      if (err.status === 412) err.message = w("editor.conflict");
      mistakes(form, err, $("trouble"));
    }
  });
}
// shelve puts a campaign as it is stored into the archive, or takes it out.
async function shelve(button) {
  const status = doc.status === "archived" ? "paused" : "archived";
  await busy(button, async () => {
    try {
      doc = await api("PATCH", `${shopPath}/campaigns/${doc.id}`, { status }, { "If-Match": `"${doc.version}"` });
      running(doc);
      say(w(status === "archived" ? "editor.archived" : "editor.restored", { name: doc.name }));
      showState();
    } catch (err) {
      if (err.status === 412) err.message = w("editor.conflict");
      mistakes(form, err, $("trouble"));
    }
  });
}
let onceKey = `${Date.now()}-${Math.random()}`;

form.addEventListener("input", (e) => {
  if (e.target.getAttribute("aria-invalid") && e.target.id !== "targeting") mended(form, e.target, $("trouble"));
  else if (e.target.id === "targeting") mended(form, e.target, $("trouble"));
  changed();
});
addEventListener("beforeunload", (e) => { if (dirty) e.preventDefault(); });
form.onsubmit = (e) => { e.preventDefault(); save("", $("save")); };
if (canWrite) {
  $("shelve").onclick = () => shelve($("shelve"));
  $("start-it").onclick = () => save(doc?.status === "active" ? "paused" : "active", $("start-it"));
} else form.querySelectorAll("input, textarea, select, #add-boost, #add-ad, #starters button").forEach((n) => { n.disabled = true; });
$("add-boost").onclick = () => { addBoost(); changed(); };
$("add-ad").onclick = () => { addAd(); changed(); };

// The words of the language, once they are asked for.
$("words").addEventListener("toggle", async () => {
  if ($("word-list").childElementCount) return;
  const { items } = await api("GET", "/api/v1/targeting/predicates");
  const rows = items.map((p) => {
    const row = el("tr", {}, el("th", { scope: "row" }, el("code", {}, p.example)), el("td", {}, p.explain));
    row.dataset.text = `${p.name} ${p.example} ${p.explain}`.toLowerCase();
    return row;
  });
  show($("word-list"), el("table", {}, el("caption", { class: "hidden" }, w("editor.words")), el("tbody", {}, rows)));
  $("word-search").oninput = () => rows.forEach((r) => { r.hidden = !r.dataset.text.includes($("word-search").value.toLowerCase()); });
});

if (id) {
  try {
    doc = await api("GET", `${shopPath}/campaigns/${id}`);
    fillIn(doc);
    running(doc);
    showState();
    if (asked.has("targeting")) $("targeting").focus();
  } catch (err) {
    mistakes(form, err, $("trouble"));
  }
} else if (Number(asked.get("copy"))) {
  try { // of another campaign of the shop: all but what makes it itself
    const c = await api("GET", `${shopPath}/campaigns/${Number(asked.get("copy"))}`);
    fillIn({ ...c, name: w("editor.copy.name", { name: c.name }), creatives: c.creatives.map(({ id: _, ...a }) => a) });
    changed();
  } catch (err) {
    addAd();
    mistakes(form, err, $("trouble"));
  }
} else addAd();
showGoal();
showBilling();
check();
plan();
document.body.dataset.ready = "yes";
