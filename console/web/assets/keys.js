import { $, api, canWrite, dialog, el, empty, fill, once, pill, say, shopPath, table, w, when } from "./core.js";

async function revoke(k) {
  if (!confirm(w("keys.sure", { name: k.name || k.id }))) return;
  try { await api("DELETE", `${shopPath}/keys/${k.id}`); say(w("keys.revoked")); } catch (err) { say(err.message); }
  list();
}

const list = () => fill($("list"), async () => {
  const { items } = await api("GET", `${shopPath}/keys`);
  if (!items.length) return empty(w("keys.none"), w("keys.none.text"));
  const columns = [
    { name: w("f.name"), cell: (k) => [k.name || k.id, el("span", { class: "sub" }, el("code", {}, k.id))] },
    { name: w("keys.scope"), cell: (k) => k.scopes.join(", ") }, { name: w("keys.made"), cell: (k) => when(k.created) },
    { name: w("f.state"), cell: (k) => (k.revoked ? pill(w("keys.off")) : pill(w("keys.on"), "good")) },
  ];
  if (canWrite) columns.push({ name: "", cell: (k) => !k.revoked && el("button", { type: "button", class: "small", "aria-label": `${w("keys.revoke")}: ${k.name || k.id}`, onclick: () => revoke(k) }, w("keys.revoke")) });
  return table(w("title.keys"), columns, items);
});

if (canWrite) $("new").onclick = () => {
  const key = once();
  dialog($("make"), async () => {
    const scope = document.querySelector("[name=scope]:checked").value;
    const k = await api("POST", `${shopPath}/keys`, { name: $("f-name").value, scopes: [scope] }, key);
    $("secret-text").textContent = k.key;
    setTimeout(() => { dialog($("secret"), async () => { $("secret-text").textContent = ""; }); });
    list();
  });
};
await list();
document.body.dataset.ready = "yes";
