import { $, all, api, canWrite, dialog, el, empty, fill, match, money, once, page, pill, say, shopPath, table, w, when } from "./core.js";

const kinds = ["budget_reached", "no_bids", "feed_stale", "cost_per_order"];
const tone = { sent: "good", waiting: "warn", failed: "bad" };

async function act(work, text) {
  try { await work(); say(text); } catch (err) { say(err.message); }
  list();
}

const list = () => fill($("list"), async () => {
  const items = await all(`${shopPath}/webhooks`);
  if (!items.length) return empty(w("alerts.none"), w("alerts.none.text"));
  const columns = [
    { name: w("alerts.address"), cell: (h) => h.url },
    { name: w("alerts.kinds"), cell: (h) => h.kinds.map((k) => el("div", {}, k === "cost_per_order" ? w("alert.cost_per_order.above", { n: money(h.cost_per_order) }) : w(`alert.${k}`))) },
    { name: w("alerts.last"), cell: (h) => (h.last ? [pill(w(`delivery.${h.last.status}`), tone[h.last.status]), el("span", { class: "sub" }, `${w(`alert.${h.last.kind}`)}, ${when(h.last.at)}`), h.last.note && el("span", { class: "sub" }, h.last.note)] : w("alerts.never")) },
  ];
  const button = (text, h, onclick) => el("button", { type: "button", class: "small", "aria-label": `${text}: ${h.url}`, onclick }, text);
  if (canWrite) columns.push({ name: "", cell: (h) => [
    button(w("alerts.test"), h, () => act(() => api("POST", `${shopPath}/webhooks/${h.id}/test`, {}), w("alerts.tested"))), " ",
    button(w("edit"), h, () => edit(h)), " ",
    button(w("alerts.drop"), h, () => { if (confirm(w("alerts.sure", { url: h.url }))) act(() => api("DELETE", `${shopPath}/webhooks/${h.id}`, undefined, match(h)), w("alerts.dropped")); }),
  ] });
  return table(w("title.alerts"), columns, items);
});

// edit asks for a webhook, a new one or one that is there.
function edit(h) {
  const key = once();
  $("f-url").value = h?.url || "";
  $("f-cpo").value = h && Number(h.cost_per_order) ? String(h.cost_per_order).replace(".", page.lang === "pl" ? "," : ".") : "";
  $("kinds").querySelectorAll("input").forEach((i) => { i.checked = h ? h.kinds.includes(i.value) : i.value !== "cost_per_order"; });
  $("make-title").textContent = w(h ? "alerts.edit" : "alerts.new");
  $("make").querySelector("button.main").textContent = w(h ? "save" : "create");
  dialog($("make"), async () => {
    const chosen = [...$("kinds").querySelectorAll("input:checked")].map((i) => i.value);
    const doc = { url: $("f-url").value.trim(), kinds: chosen, cost_per_order: $("f-cpo").value.trim().replace(/\s/g, "").replace(",", ".") || "0" };
    if (h) {
      await api("PATCH", `${shopPath}/webhooks/${h.id}`, doc, match(h));
      say(w("alerts.saved"));
    } else {
      const made = await api("POST", `${shopPath}/webhooks`, doc, key);
      $("secret-text").textContent = made.secret;
      setTimeout(() => dialog($("secret"), async () => { $("secret-text").textContent = ""; }));
    }
    list();
  }, list);
}

if (canWrite) {
  $("kinds").append(...kinds.map((k) => el("label", {}, el("input", { type: "checkbox", value: k }), w(`alert.${k}`))));
  $("new").onclick = () => edit(null);
}
await list();
document.body.dataset.ready = "yes";
