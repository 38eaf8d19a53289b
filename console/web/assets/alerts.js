import { $, all, api, canWrite, dialog, el, empty, fill, money, once, pill, say, shopPath, table, w, when } from "./core.js";

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
  if (canWrite) columns.push({ name: "", cell: (h) => [
    el("button", { type: "button", class: "small", "aria-label": `${w("alerts.test")}: ${h.url}`, onclick: () => act(() => api("POST", `${shopPath}/webhooks/${h.id}/test`, {}), w("alerts.tested")) }, w("alerts.test")), " ",
    el("button", { type: "button", class: "small", "aria-label": `${w("alerts.drop")}: ${h.url}`, onclick: () => act(() => api("DELETE", `${shopPath}/webhooks/${h.id}`), w("alerts.dropped")) }, w("alerts.drop")),
  ] });
  return table(w("title.alerts"), columns, items);
});

if (canWrite) {
  $("kinds").append(...kinds.map((k) => el("label", {}, el("input", { type: "checkbox", value: k, checked: k !== "cost_per_order" }), w(`alert.${k}`))));
  $("new").onclick = () => {
    const key = once();
    dialog($("make"), async () => {
      const chosen = [...$("kinds").querySelectorAll("input:checked")].map((i) => i.value);
      const h = await api("POST", `${shopPath}/webhooks`, { url: $("f-url").value, kinds: chosen, ...($("f-cpo").value && { cost_per_order: $("f-cpo").value.replace(",", ".") }) }, key);
      $("secret-text").textContent = h.secret;
      setTimeout(() => dialog($("secret"), async () => { $("secret-text").textContent = ""; }));
      list();
    });
  };
}
await list();
document.body.dataset.ready = "yes";
