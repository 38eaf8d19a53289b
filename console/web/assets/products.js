import { $, api, busy, canWrite, count, dialog, el, empty, fill, match, money, page, pill, say, shopPath, show, table, w, when } from "./core.js";

function report(f) {
  const r = f.report;
  const bad = r.rejected > 0;
  return [
    el("p", { class: `box ${bad ? "warn" : "good"}` }, w("products.report", { accepted: r.accepted, rejected: r.rejected, repeated: r.repeated })),
    r.problems?.length ? el("details", { open: true }, el("summary", {}, w("products.problems", { n: r.problems.length })), table(w("products.problems", { n: r.problems.length }), [
      { name: w("line"), cell: (p) => count(p.line) }, { name: w("column"), cell: (p) => p.column || "–" },
      { name: w("product"), cell: (p) => p.product || "–" }, { name: w("reason"), cell: (p) => p.reason },
    ], r.problems)) : null,
  ];
}

const feed = () => fill($("feed"), async () => {
  let f;
  try { f = await api("GET", `${shopPath}/feed`); } catch (err) {
    if (err.status === 404) return empty(w("products.none"), w("products.none.text"));
    throw err;
  }
  const old = Date.now() - f.updated > 48 * 3600 * 1000;
  return [
    el("p", {}, pill(old ? w("products.old") : w("products.fresh"), old ? "warn" : "good"), " ", w("products.state", { n: f.products, at: when(f.updated) })),
    ...report(f),
  ];
});

// source is where the feed is fetched from, if it is.
const source = () => fill($("source"), async () => {
  let s = null;
  try { s = await api("GET", `${shopPath}/feed/source`); } catch (err) { if (err.status !== 404) throw err; }
  const edit = (text) => canWrite && el("button", { type: "button", class: "small", onclick: () => editSource(s) }, text);
  if (!s?.url) return el("p", { class: "help" }, w("source.none"), " ", edit(w("source.set")));
  return [
    el("p", {}, s.problem ? pill(w("source.failed"), "bad") : s.checked ? pill(w("source.good"), "good") : pill(w("source.first")), " ", w("source.every", { n: s.every_minutes }), " ", el("span", { class: "url" }, s.url)),
    s.problem && el("p", { class: "box bad" }, s.problem),
    el("p", { class: "help" }, s.checked ? w("source.checked", { at: when(s.checked) }) : w("source.never"), " ", w("source.due", { at: when(s.due) })),
    canWrite && el("div", { class: "actions" }, edit(w("edit")), el("button", { type: "button", class: "small", onclick: (e) => busy(e.currentTarget, async () => {
      try { await api("DELETE", `${shopPath}/feed/source`, undefined, match(s)); say(w("source.dropped")); } catch (err) { say(err.message); }
      source();
    }) }, w("source.drop"))),
  ];
});

function editSource(s) {
  $("s-url").value = s?.url || "";
  $("s-every").value = s?.every_minutes || 60;
  dialog($("source-dialog"), async () => {
    await api("PUT", `${shopPath}/feed/source`, { url: $("s-url").value.trim(), every_minutes: Number($("s-every").value), ...(s?.format && { format: s.format }) }, s?.url ? match(s) : { "If-None-Match": "*" });
    say(w("source.saved"));
    source();
  }, source);
}

// send uploads a file with its progress, which fetch does not tell.
function send(file, dry) {
  return new Promise((good, bad) => {
    const x = new XMLHttpRequest();
    x.open("PUT", `${shopPath}/feed${dry ? "?dry_run=true" : ""}`);
    x.setRequestHeader("X-CSRF-Token", page.csrf);
    x.setRequestHeader("Accept-Language", page.lang);
    x.setRequestHeader("Content-Type", "application/octet-stream");
    const p = $("progress");
    p.hidden = false;
    p.removeAttribute("value");
    x.upload.onprogress = (e) => { if (e.lengthComputable && e.loaded < e.total) p.value = (e.loaded / e.total) * 100; else p.removeAttribute("value"); };
    x.onloadend = () => {
      p.hidden = true;
      let doc = null;
      try { doc = JSON.parse(x.responseText); } catch { /* below */ }
      if (x.status === 200) good(doc);
      else bad(Object.assign(new Error(doc?.detail || w("error.offline")), { fields: doc?.errors || [] }));
    };
    x.send(file);
  });
}

async function upload(dry, button) {
  const file = $("file").files[0];
  if (!file) { show($("report"), el("p", { class: "box bad", role: "alert" }, w("products.choose"))); return; }
  button.disabled = true;
  try {
    const f = await send(file, dry);
    show($("report"), el("h3", {}, w(dry ? "products.tried" : "products.done")), ...report(f));
    if (!dry) { say(w("products.done")); feed(); list(); }
  } catch (err) {
    show($("report"), el("div", { class: "box bad", role: "alert" }, err.message, err.fields.length ? el("ul", {}, err.fields.slice(0, 20).map((x) => el("li", {}, `${x.location}: ${x.message}`))) : null));
  } finally {
    button.disabled = false;
  }
}

let cursor = "";
const list = (more = "") => {
  const q = new URLSearchParams({ limit: "25", ...($("q").value && { q: $("q").value }), ...($("stock").value && { available: $("stock").value }), ...(more && { cursor: more }) });
  return fill($("list"), async () => {
    const { items, next } = await api("GET", `${shopPath}/products?${q}`);
    cursor = next || "";
    if (!items.length) return empty(w("products.nothing"), w("products.nothing.text"));
    return [
      table(w("products.all"), [
        { name: w("product"), cell: (p) => el("span", { class: "with-thumb" }, el("img", { class: "thumb", src: p.image_url, alt: "", loading: "lazy", referrerpolicy: "no-referrer" }), el("span", {}, p.title, el("span", { class: "sub" }, p.id))) },
        { name: w("category"), cell: (p) => p.category || "–" }, { name: w("price"), num: true, cell: (p) => money(p.price) },
        { name: w("products.stock"), cell: (p) => (p.available ? pill(w("products.in"), "good") : pill(w("products.out"))) },
      ], items),
      cursor && el("div", { class: "actions" }, el("button", { type: "button", onclick: () => list(cursor) }, w("next"))),
    ];
  });
};
$("find").onsubmit = (e) => { e.preventDefault(); list(); };
if (canWrite) {
  $("upload").onsubmit = (e) => { e.preventDefault(); upload(false, e.submitter || $("try")); };
  $("try").onclick = () => upload(true, $("try"));
}
await Promise.all([feed(), source(), list()]);
document.body.dataset.ready = "yes";
