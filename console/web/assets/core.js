// What the pages share: the API, texts, amounts, times, and the states of a
// place on the page (loading, empty, failed).
const body = document.body.dataset;
export const page = body;
export const shopPath = `/api/v1/shops/${body.shop}`;
export const canWrite = body.write === "yes";
const lang = body.lang;
const words = await (await fetch(`/console/assets/${body.stamp}/words/${lang}.json`)).json();

// w is a text; {name} in it is filled in. {name|one|other} is a number with its
// noun, {name||one|other} the noun alone; where a language has more forms of a
// noun than two they stand in the order one, few, many.
const forms = lang === "pl" ? ["one", "few", "many"] : ["one", "other"];
const kind = new Intl.PluralRules(lang);
export function w(key, fill = {}) {
  return (words[key] ?? key).replace(/\{(\w+)(\|\|?)?([^{}]*)\}/g, (all, name, bar, nouns) => {
    const v = fill[name];
    if (v === undefined || v === null) return all;
    const shown = typeof v === "number" ? count(v) : v;
    if (!bar) return shown;
    const list = nouns.split("|");
    const noun = list[forms.indexOf(kind.select(Number(v)))] ?? list[list.length - 1];
    return bar === "||" ? noun : `${shown} ${noun}`;
  });
}

export class Problem extends Error {
  constructor(status, doc) {
    super(doc?.detail || doc?.title || `${status}`);
    this.status = status;
    this.fields = doc?.errors || [];
  }
}

// Reports are heavy: a page asks for two at a time, the rest wait their turn.
let asking = 0;
const waiting = [];
const heavy = /\/(report|statement|lift|campaign-states)\b/;
export async function api(method, path, ...more) {
  if (method !== "GET" || !heavy.test(path)) return ask(method, path, ...more);
  if (asking >= 2) await new Promise((turn) => waiting.push(turn)); else asking++;
  try {
    return await ask(method, path, ...more);
  } finally {
    const next = waiting.shift();
    if (next) next(); else asking--;
  }
}

// ask asks the console's public API as the signed-in person.
async function ask(method, path, send, headers = {}) {
  const h = { "X-CSRF-Token": body.csrf, Accept: "application/json", "Accept-Language": lang, ...headers };
  if (send !== undefined && !h["Content-Type"]) {
    h["Content-Type"] = "application/json";
    send = JSON.stringify(send);
  }
  let res;
  try {
    res = await fetch(path, { method, headers: h, body: send, credentials: "same-origin" });
  } catch {
    throw new Problem(0, { detail: w("error.offline") });
  }
  if (res.status === 401) {
    location.assign("/console/sign-in");
    throw new Problem(401, { detail: w("error.session") });
  }
  const text = await res.text();
  let doc = null;
  try { doc = text ? JSON.parse(text) : null; } catch { /* not JSON: shown by its status */ }
  if (!res.ok) throw new Problem(res.status, doc);
  if (doc && typeof doc === "object") Object.defineProperty(doc, "etag", { value: res.headers.get("ETag") });
  return doc;
}

// match makes a change of what was read conditional: it happens only if nobody
// else made one meanwhile.
export const match = (read) => ({ "If-Match": `"${read.version}"` });

// all reads every page of a list, up to a bound.
export async function all(path, most = 1000) {
  const items = [];
  let next = "";
  do {
    const part = await api("GET", `${path}${path.includes("?") ? "&" : "?"}limit=200${next && `&cursor=${encodeURIComponent(next)}`}`);
    items.push(...part.items);
    next = part.next || "";
  } while (next && items.length < most);
  return items;
}

// el makes an element: attributes, on… handlers, children. Text is text, never
// markup.
export function el(tag, attrs = {}, ...children) {
  const n = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs)) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith("on")) n.addEventListener(k.slice(2), v);
    else if (k === "class") n.className = v;
    else if (k === "width") n.style.width = v;
    else if (k in n && typeof v !== "string") n[k] = v;
    else n.setAttribute(k, v);
  }
  n.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return n;
}

// On a narrow screen the menu is wider than the page: where one is, is shown.
document.querySelector(".menu [aria-current]")?.parentElement.scrollIntoView({ inline: "center", block: "nearest" });

export const $ = (id) => document.getElementById(id);
export const show = (node, ...children) => node.replaceChildren(...children.flat().filter(Boolean));
export const loading = (node, text = w("loading")) => show(node, el("p", { class: "loading" }, text));
export const empty = (title, text, ...actions) => el("div", { class: "empty" }, el("b", {}, title), el("p", {}, text), ...actions);

// failed says what went wrong and offers to try again.
export function failed(node, err, again) {
  show(node, el("div", { class: "box bad", role: "alert" }, err.message, " ",
    again && el("button", { type: "button", class: "small", onclick: again }, w("again"))));
}

// fill shows a place's states: loading, then what load gives, or the failure.
export async function fill(node, load) {
  loading(node);
  node.setAttribute("aria-busy", "true");
  try {
    show(node, await load());
  } catch (err) {
    failed(node, err, () => fill(node, load));
  } finally {
    node.removeAttribute("aria-busy");
  }
}

export function say(text) {
  const p = el("p", {}, text);
  $("says").append(p);
  setTimeout(() => p.remove(), 6000);
}

const number = new Intl.NumberFormat(lang);
export const count = (n) => number.format(n);
export function money(v, digits = 2) {
  if (v === null || v === undefined || v === "") return "–";
  const n = Number(v);
  if (!body.currency) return number.format(n);
  const small = n !== 0 && Math.abs(n) < 1 ? 4 : digits;
  return new Intl.NumberFormat(lang, { style: "currency", currency: body.currency, minimumFractionDigits: Math.min(2, small, digits), maximumFractionDigits: small }).format(n).replace("-", "−");
}
export const percent = (v) => new Intl.NumberFormat(lang, { style: "percent", maximumFractionDigits: v < 0.1 ? 2 : 0 }).format(v);
const zone = body.zone || undefined;
const day = new Intl.DateTimeFormat(lang, { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
const clock = new Intl.DateTimeFormat(lang, { timeZone: zone, hour: "2-digit", minute: "2-digit" });
const both = new Intl.DateTimeFormat(lang, { timeZone: zone, dateStyle: "medium", timeStyle: "short" });
export const when = (ms) => both.format(ms);
// since is the time of today, else the day as well.
export const since = (ms) => (day.format(ms) === day.format(Date.now()) ? clock.format(ms) : both.format(ms));
// today in the shop's time zone, YYYY-MM-DD, moved by days.
export function today(move = 0) {
  const p = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(Date.now());
  const d = new Date(`${p}T00:00:00Z`);
  d.setUTCDate(d.getUTCDate() + move);
  return d.toISOString().slice(0, 10);
}

// table makes a table whose cells know their column, for narrow screens.
// columns: {name, num, cell(row)}; the first column is the row's head.
export function table(caption, columns, rows, mark = () => "") {
  const head = el("tr", {}, columns.map((c) => el("th", { scope: "col", class: c.num && "num" }, c.name || el("span", { class: "hidden" }, w("actions")))));
  const lines = rows.map((r) => el("tr", { class: mark(r) || undefined }, columns.map((c, i) => {
    const cell = [].concat(c.cell(r) ?? "–");
    if (i === 0) return el("th", { scope: "row" }, cell);
    return el("td", { class: c.num && "num", "data-label": c.name || undefined }, el("span", {}, cell));
  })));
  return el("div", { class: "scroll" }, el("table", { class: "stack" }, el("caption", { class: "hidden" }, caption), el("thead", {}, head), el("tbody", {}, lines)));
}

export function meter(part, whole, label) {
  const share = whole > 0 ? Math.min(1, part / whole) : 0;
  return el("div", { class: "meter", role: "img", "aria-label": `${label}: ${percent(share)}` }, el("i", { width: `${share * 100}%` }));
}

export function pill(text, tone = "") { return el("span", { class: `pill ${tone}` }, text); }

const tones = { running: "good", no_bids: "bad", no_wins: "warn", limited_by_day_budget: "warn", limited_by_week_budget: "warn", limited_by_total_budget: "warn" };
// state tells a campaign's state and since when.
export function state(st) {
  const at = st.since && !["running", "paused"].includes(st.state) ? ` ${w("since", { at: since(st.since) })}` : "";
  return pill(w(`state.${st.state}`) + at, tones[st.state]);
}

// mistakes shows a problem's fields beside the inputs that data-at names, the
// rest in a list, and moves to the first.
export function mistakes(form, err, box) {
  form.querySelectorAll(".wrong").forEach((n) => n.remove());
  form.querySelectorAll("[aria-invalid]").forEach((n) => n.removeAttribute("aria-invalid"));
  box?.replaceChildren();
  if (!err) return;
  const rest = [];
  let first = null;
  for (const f of err.fields) {
    const input = form.querySelector(`[data-at="${CSS.escape(f.location)}"]`) || [...form.querySelectorAll("[data-at]")].find((n) => f.location.startsWith(n.dataset.at + "[") || f.location.startsWith(n.dataset.at + "."));
    const spoken = f.code === "other" ? "en" : undefined; // what has no phrase stays in English
    if (!input) { rest.push(el("span", { lang: spoken }, `${f.location.replace(/^body\.?/, "")}: ${f.message}`)); continue; }
    const note = el("p", { class: "wrong", lang: spoken, id: `wrong-${input.id || input.dataset.at}` }, f.message);
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(input.tagName)) {
      input.setAttribute("aria-invalid", "true");
      if (!input.nextElementSibling?.matches(".checked.no")) (input.closest(".amount") || input).after(note); // else it is told there already
      first ||= input;
    } else input.prepend(note);
  }
  const text = err.fields.length ? w("error.fields") : err.message;
  const list = el("div", { class: "box bad", role: "alert" }, text, rest.length ? el("ul", {}, rest.map((r) => el("li", {}, r))) : null);
  if (box) box.replaceChildren(list); else form.prepend(list), list.classList.add("wrong");
  (first || list).scrollIntoView({ block: "center" });
  first?.focus();
}

// mended takes a mistake away from a field that somebody is changing, and what
// was said of all once none is left.
export function mended(form, input, box) {
  input.removeAttribute("aria-invalid");
  (input.closest(".amount") || input).parentElement.querySelectorAll(":scope > .wrong").forEach((n) => n.remove());
  if (!form.querySelector("[aria-invalid], .wrong")) box?.replaceChildren();
}

// dialog opens a dialog and calls send when it is confirmed; it stays open,
// with the mistakes shown, when that fails. stale is called when somebody else
// changed meanwhile what is being changed: what is there now is read again.
export function dialog(node, send, stale) {
  const form = node.querySelector("form");
  mistakes(form, null);
  form.oninput = (e) => { if (e.target.getAttribute("aria-invalid")) mended(form, e.target); };
  form.onsubmit = async (e) => {
    e.preventDefault();
    const button = form.querySelector("button.main");
    button.disabled = true;
    try {
      await send();
      node.close();
    } catch (err) {
      if (err.status === 412) { err.message = w("conflict"); stale?.(); }
      mistakes(form, err);
    } finally {
      button.disabled = false;
    }
  };
  node.querySelectorAll("[data-close]").forEach((b) => { b.onclick = () => node.close(); });
  node.showModal();
}

// busy keeps a button from being pressed twice.
export async function busy(button, work) {
  button.disabled = true;
  try { await work(); } finally { button.disabled = false; }
}

export function debounce(ms, f) {
  let timer;
  return (...a) => { clearTimeout(timer); timer = setTimeout(() => f(...a), ms); };
}

// once is a key for a request that must not happen twice.
export const once = () => ({ "Idempotency-Key": crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}` });

// checker tells, while somebody types, whether an expression is right.
export function checker(input, out, path, extra = {}) {
  let turn = 0;
  const check = async () => {
    const mine = ++turn;
    const text = input.value.trim();
    if (!text) { out.className = "checked"; out.textContent = w("check.everyone"); return true; }
    let a;
    try { a = await api("POST", path, { expression: text, ...extra }); } catch (err) { a = { ok: false, error: { message: err.message } }; }
    if (mine !== turn) return a.ok;
    out.className = `checked ${a.ok ? "ok" : "no"}`;
    input.parentElement?.querySelectorAll(":scope > .wrong").forEach((n) => n.remove()); // it is told here
    if (a.ok) out.textContent = w("check.ok");
    else show(out, document.createTextNode(`${w("check.no")} `), a.error.token ? el("mark", {}, a.error.token) : null, ` ${a.error.message}`, a.error.hint ? ` – ${a.error.hint}` : "");
    a.ok ? input.removeAttribute("aria-invalid") : input.setAttribute("aria-invalid", "true");
    return a.ok;
  };
  input.addEventListener("input", debounce(300, check));
  return check;
}
