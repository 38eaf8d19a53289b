// Lists of sites and apps, which targeting names: on the page of segments.
import { $, api, canWrite, count, dialog, el, empty, fill, match, say, shopPath, table, w, when } from "./core.js";

const path = (name) => `${shopPath}/lists/${encodeURIComponent(name)}`;

export const lists = () => fill($("lists"), async () => {
  const { items } = await api("GET", `${shopPath}/lists`);
  if (!items.length) return empty(w("lists.none"), w("lists.none.text"));
  const columns = [
    { name: w("f.name"), cell: (l) => [l.name, el("span", { class: "sub" }, el("code", {}, `domain not in list ${JSON.stringify(l.name)}`))] },
    { name: w("lists.count"), num: true, cell: (l) => (l.sum ? el("a", { href: `${path(l.name)}/entries`, download: `${l.name}.txt`, "aria-label": `${w("lists.download")}: ${l.name}, ${count(l.entries)}` }, count(l.entries)) : count(l.entries)) }, { name: w("lists.updated"), cell: (l) => when(l.updated) },
  ];
  const button = (text, l, onclick) => el("button", { type: "button", class: "small", "aria-label": `${text}: ${l.name}`, onclick }, text);
  if (canWrite) columns.push({ name: "", cell: (l) => [button(w("lists.replace"), l, () => edit(l)), " ", button(w("segments.drop"), l, () => drop(l))] });
  return table(w("lists.title"), columns, items);
});

async function drop(l) {
  if (!confirm(w("lists.sure", { name: l.name }))) return;
  try { await api("DELETE", path(l.name), undefined, match(l)); say(w("lists.dropped", { name: l.name })); } catch (err) { say(err.message); }
  lists();
}

// edit asks for the entries of a list, a new one or one that is there, which is
// replaced whole.
function edit(l) {
  $("l-name").value = l?.name || "";
  $("l-name").readOnly = Boolean(l);
  $("l-entries").value = $("l-file").value = "";
  $("l-old").hidden = !l;
  $("list-title").textContent = l ? `${w("lists.replace")}: ${l.name}` : w("lists.new");
  dialog($("list-dialog"), async () => {
    const file = $("l-file").files[0];
    const text = file ? await file.text() : $("l-entries").value;
    const made = await api("PUT", path($("l-name").value.trim() || "-"), text, { "Content-Type": "text/plain", ...(l ? match(l) : { "If-None-Match": "*" }) });
    say(w(made.rejected ? "lists.saved.some" : "lists.saved", { name: made.name, n: made.entries, rejected: made.rejected || 0 }));
    lists();
  }, lists);
}

if (canWrite) $("new-list").onclick = () => edit(null);
