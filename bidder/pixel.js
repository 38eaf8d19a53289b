/* Grosz pixel. Use: <script async src="…/pixel.js?shop=@SHOP@"></script>, then
   window.grosz = window.grosz || []; grosz.push({type: "product_view", product: "123"}).
   Nothing is sent before consent where grosz_consent is set to "denied". */
(function () {
  "use strict";
  var base = "@BASE@", shop = "@SHOP@", store = "grosz." + shop + ".click", DAY = 864e5;
  function get() {
    try {
      var c = JSON.parse(localStorage.getItem(store));
      return c && Date.now() - c.at < 30 * DAY ? c.id : "";
    } catch (e) { return ""; }
  }
  var m = /[?&]gzclid=([\w-]+)/.exec(location.search);
  if (m) { try { localStorage.setItem(store, JSON.stringify({ id: m[1], at: Date.now() })); } catch (e) {} }
  var click = m ? m[1] : get(), queue = [], timer = 0, sent = 0;
  function uuid() {
    var b = crypto.getRandomValues(new Uint8Array(16));
    return Array.prototype.map.call(b, function (x) { return ("0" + x.toString(16)).slice(-2); }).join("");
  }
  function allowed() { return window.grosz_consent !== "denied"; }
  function flush() {
    timer = 0;
    if (!queue.length || !allowed()) { return; }
    var batch = queue.splice(0, 100);
    if (queue.length) { timer = setTimeout(flush, 50); }
    var body = JSON.stringify({ events: batch });
    fetch(base + "/pixel/events?shop=" + shop, { method: "POST", credentials: "include", keepalive: true, body: body })
      .then(function (r) { if (r.status >= 500) { throw r; } if (r.ok) { sent += batch.length; api.sent = sent; } })
      .catch(function () { if (queue.length < 500) { queue = batch.concat(queue); timer = timer || setTimeout(flush, 5000); } });
  }
  function push(e) {
    if (!allowed() || queue.length >= 500) { return 0; }
    e.id = e.id || uuid();
    e.time = e.time || Date.now();
    e.url = e.url || location.href.slice(0, 2000);
    if (click && !e.click_id) { e.click_id = click; }
    queue.push(e);
    timer = timer || setTimeout(flush, 50);
    return queue.length;
  }
  var before = window.grosz || [], api = { push: push, sent: 0 };
  window.grosz = api;
  push({ type: "visit" });
  for (var i = 0; i < before.length; i++) { push(before[i]); }
  addEventListener("pagehide", function () { for (var n = 0; queue.length && n < 5; n++) { flush(); } });
})();
