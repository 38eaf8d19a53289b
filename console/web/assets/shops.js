import { $, all, api, dialog, el, empty, fill, once, pill, table, w } from "./core.js";

const list = () => fill($("list"), async () => {
  const shops = await all("/api/v1/shops");
  if (!shops.length) return empty(w("shops.none"), w("shops.none.text"));
  return table(w("title.shops"), [
    { name: w("f.name"), cell: (s) => el("a", { href: `/console/shops/${s.id}/campaigns` }, s.name) },
    { name: w("f.domain"), cell: (s) => s.domain },
    { name: w("f.currency"), cell: (s) => s.currency },
    { name: w("f.state"), cell: (s) => (s.active ? pill(w("shops.on"), "good") : pill(w("shops.off"))) },
  ], shops);
});

$("new").onclick = () => {
  const key = once();
  dialog($("make"), async () => {
    const s = await api("POST", "/api/v1/shops", { name: $("f-name").value, domain: $("f-domain").value, url: $("f-url").value, currency: $("f-currency").value, time_zone: $("f-zone").value }, key);
    location.assign(`/console/shops/${s.id}/campaigns`);
  });
};
await list();
document.body.dataset.ready = "yes";
