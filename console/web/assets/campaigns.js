import { $, all, api, busy, canWrite, count, el, empty, fill, meter, money, page, say, shopPath, state, table, today, w } from "./core.js";

const base = `/console/shops/${page.shop}/campaigns`;

async function turn(c, status, button) {
  await busy(button, async () => {
    try {
      await api("PATCH", `${shopPath}/campaigns/${c.id}`, { status }, { "If-Match": `"${c.version}"` });
      say(w(status === "active" ? "campaigns.started" : "campaigns.stopped", { name: c.name }));
    } catch (err) {
      say(`${err.message} ${err.fields.map((f) => f.message).join("; ")}`);
    }
  });
  list();
}

function spent(c, st) {
  if (!st || st.spent_day === undefined) return "–";
  const out = [money(st.spent_day)];
  if (Number(c.budget.day)) out.push(el("span", { class: "sub" }, w("of", { n: money(c.budget.day) })), meter(Number(st.spent_day), Number(c.budget.day), w("campaigns.budget")));
  return out;
}

function cost(r) {
  if (!r || !Number(r.orders)) return el("span", {}, "–", el("span", { class: "sub" }, w("no-orders")));
  return [money(r.cost_per_order), el("span", { class: "sub" }, `${money(r.cost_per_order_low)} – ${money(r.cost_per_order_high)}`)];
}

// standing is a campaign's state; where it gets nothing, with the way to why.
const standing = (st) => [state(st), ["no_bids", "no_wins"].includes(st.state) && el("a", { class: "sub", href: `/console/shops/${page.shop}/why` }, w("nav.why"))];

const list = () => fill($("list"), async () => {
  const [found, states, results] = await Promise.all([
    all(`${shopPath}/campaigns`),
    api("GET", `${shopPath}/campaign-states`),
    api("GET", `${shopPath}/report/breakdown?by=campaign&from=${today(-29)}`).catch(() => null),
  ]);
  if (!found.length) return empty(w("campaigns.none"), w("campaigns.none.text"), canWrite && el("a", { class: "button main", href: `${base}/new` }, w("campaigns.new")));
  const st = new Map(states.items.map((x) => [x.campaign, x]));
  const did = new Map((results?.rows || []).map((x) => [x.key, x]));
  found.sort((a, b) => (a.status === "archived") - (b.status === "archived") || (a.status !== "active") - (b.status !== "active"));
  const columns = [
    { name: w("f.name"), cell: (c) => [el("a", { href: `${base}/${c.id}` }, c.name), el("span", { class: "sub" }, w(`kind.${c.kind}`))] },
    { name: w("f.state"), cell: (c) => standing(st.get(c.id) || { state: c.status === "active" ? "running" : c.status }) },
    { name: w("campaigns.today"), num: true, cell: (c) => spent(c, st.get(String(c.id)) || st.get(c.id)) },
    { name: w("orders30"), num: true, cell: (c) => count(did.get(String(c.id))?.orders || 0) },
    { name: w("cpo30"), num: true, cell: (c) => cost(did.get(String(c.id))) },
  ];
  if (canWrite) {
    columns.push({ name: "", cell: (c) => (c.status === "archived" ? "" : el("button", {
      type: "button", class: "small", "aria-label": `${w(c.status === "active" ? "pause" : "start")}: ${c.name}`,
      onclick: (e) => turn(c, c.status === "active" ? "paused" : "active", e.currentTarget),
    }, w(c.status === "active" ? "pause" : "start"))) });
  }
  return [
    !states.reports && el("p", { class: "box warn" }, w("campaigns.no-reports")),
    table(w("title.campaigns"), columns, found),
  ];
});
await list();
document.body.dataset.ready = "yes";
