import { $, api, el, empty, fill, money, page, shopPath, table, today, w, when } from "./core.js";

// months are the last two years', the newest first.
const first = today().slice(0, 7);
const months = [...Array(24).keys()].map((i) => {
  const d = new Date(`${first}-01T00:00:00Z`);
  d.setUTCMonth(d.getUTCMonth() - i);
  return d.toISOString().slice(0, 7);
});
const name = (m) => new Intl.DateTimeFormat(page.lang, { month: "long", year: "numeric", timeZone: "UTC" }).format(Date.parse(`${m}-01T00:00:00Z`));

const account = () => fill($("account"), async () => {
  const a = await api("GET", `${shopPath}/account`);
  const item = (key, value, note) => el("div", {}, el("dt", {}, w(key)), el("dd", {}, value, note && el("small", {}, note)));
  const fee = Number(a.fee_cpm) ? w("statement.fee-cpm", { n: money(a.fee_cpm) }) : w("statement.fee-share", { n: (a.fee_bps / 100).toLocaleString(page.lang) });
  return [
    !a.booked && el("p", { class: "box warn" }, w("statement.not-booked")),
    el("dl", { class: "sums" },
      item("statement.balance", a.booked ? money(a.balance) : "–", w(a.prepaid ? "statement.prepaid" : "statement.afterwards")),
      item("statement.deposited", money(a.deposited), Number(a.credit) ? w("statement.credit", { n: money(a.credit) }) : ""),
      item("statement.billed", a.booked ? money(a.billed) : "–", fee)),
  ];
});

const statement = () => fill($("statement"), async () => {
  const month = $("month").value;
  $("csv").href = `${shopPath}/statement?month=${month}&format=csv`;
  const { rows } = await api("GET", `${shopPath}/statement?month=${month}`);
  if (!rows.length) return empty(w("statement.none"), w("statement.none.text"));
  return rows.map((r) => {
    const line = (key, v, sign = "", strong = false) => ({ key, text: `${sign}${money(v)}`, strong });
    const lines = [line("statement.opening", r.opening_balance), line("statement.deposits", r.deposits, "+ "), line("statement.media", r.media_cost, "− "), line("statement.fee", r.fee, "− "), line("statement.closing", r.closing_balance, "", true)];
    return [
      table(name(month), [{ name: w("statement.item"), cell: (l) => (l.strong ? el("b", {}, w(l.key)) : w(l.key)) }, { name: r.currency, num: true, cell: (l) => (l.strong ? el("b", {}, l.text) : l.text) }], lines),
      el("p", { class: "help" }, w("statement.wins", { n: Number(r.wins), billed: money(r.billed) }), Number(r.clicks) ? ` ${w("statement.clicks", { n: Number(r.clicks), amount: money(r.click_cost) })}` : "", Number(r.house) ? ` ${w("statement.house", { n: Number(r.house_wins), amount: money(r.house) })}` : ""),
    ];
  }).flat();
});

const deposits = () => fill($("deposits"), async () => {
  const { items } = await api("GET", `${shopPath}/deposits?limit=100`);
  if (!items.length) return empty(w("statement.no-deposits"), w("statement.no-deposits.text"));
  return table(w("statement.deposits"), [{ name: w("changes.when"), cell: (d) => when(d.created) }, { name: w("statement.reference"), cell: (d) => d.reference || "–" }, { name: w("statement.amount"), num: true, cell: (d) => money(d.amount) }], items);
});

$("month").append(...months.map((m) => el("option", { value: m }, name(m))));
$("month").onchange = statement;
await Promise.all([account(), statement(), deposits()]);
document.body.dataset.ready = "yes";
