/* Grosz pixel. Use: <script async src="…/pixel.js?shop=@SHOP@"></script>, then
   window.grosz = window.grosz || []; grosz.push({type: "product_view", product: "123"}).
   Nothing is stored or sent before consent, where the page asks for it: by
   window.grosz_consent ("denied", "pending" or "granted"), grosz.consent(…) or
   the IAB's __tcfapi. */
(function () {
  "use strict";
  if (window.grosz && window.grosz.loaded) { return; }
  var base = "@BASE@", shop = "@SHOP@", key = "grosz." + shop + ".", DAY = 864e5, MOST = 500;
  var said = window.grosz_consent, tcf = null, queue = [], listeners = [], last = null;
  var click = "", timer = 0, retry = 1000, greeting = false, greeted = false, waiting = 0;

  function read(name) {
    try { var v = JSON.parse(localStorage.getItem(key + name)); return v && Date.now() < v.until ? v.value : ""; } catch (e) { return ""; }
  }
  function write(name, value, days) {
    try { localStorage.setItem(key + name, JSON.stringify({ value: value, until: Date.now() + days * DAY })); } catch (e) {}
  }
  function forget() {
    try { ["click", "vid", "met"].forEach(function (n) { localStorage.removeItem(key + n); }); } catch (e) {}
    document.cookie = "grosz_vid=;path=/;max-age=0";
  }
  function random() {
    var b = crypto.getRandomValues(new Uint8Array(16));
    return Array.prototype.map.call(b, function (x) { return ("0" + x.toString(16)).slice(-2); }).join("");
  }

  /* Consent: 1 yes, 0 not yet, -1 no. What is stricter counts. */
  function allowed() {
    if (said === "denied") { return -1; }
    if (said === "pending") { return 0; }
    if (typeof window.__tcfapi === "function") { return tcf ? tcf.yes : 0; }
    return navigator.globalPrivacyControl && said !== "granted" ? -1 : 1;
  }
  function changed() {
    var yes = allowed();
    if (yes < 0) { queue = []; last = null; forget(); } else if (yes > 0) { soon(0); }
  }
  function watchTCF() {
    if (typeof window.__tcfapi !== "function") {
      if (waiting++ < 20) { setTimeout(watchTCF, 250); } /* it may be loaded after us */
      return;
    }
    try {
      window.__tcfapi("addEventListener", 2, function (data, ok) {
        if (!ok || !data || data.eventStatus === "cmpuishown" && data.gdprApplies !== false) { return; }
        var p = data.purpose && data.purpose.consents || {};
        /* 1 storage, 3 and 4 profiles for ads and ads by them */
        tcf = { text: data.tcString || "", gdpr: data.gdprApplies, yes: data.gdprApplies === false || p[1] && p[3] && p[4] ? 1 : -1 };
        changed();
      });
    } catch (e) {}
  }

  /* The browser's first-party id: of this shop alone. */
  function visitor() {
    var m = /(?:^|; )grosz_vid=([0-9a-f]{32})/.exec(document.cookie), id = m ? m[1] : read("vid") || random();
    document.cookie = "grosz_vid=" + id + ";path=/;max-age=" + 180 * 86400 + ";samesite=lax" + (location.protocol === "https:" ? ";secure" : "");
    write("vid", id, 180);
    return id;
  }

  /* Once a day: our cookie, where the browser keeps one, and the exchanges'. */
  function greet() {
    greeting = true;
    function done() { greeting = false; greeted = true; soon(0); }
    fetch(base + "/pixel/hello?shop=" + shop, { method: "POST", credentials: "include" })
      .then(function (r) { return r.status === 200 ? r.json() : { syncs: [] }; })
      .then(function (a) {
        write("met", 1, 1);
        var q = tcf ? "?gdpr=" + (tcf.gdpr === false ? 0 : 1) + "&gdpr_consent=" + encodeURIComponent(tcf.text) : "";
        a.syncs.slice(0, 8).forEach(function (u) { new Image().src = u + q; });
      }).then(done, done);
  }

  function soon(ms) { if (!timer) { timer = setTimeout(flush, ms); } }
  function flush() {
    timer = 0;
    if (allowed() <= 0 || !queue.length) { return; }
    if (click) { write("click", click, 30); click = ""; }
    if (!greeted && !read("met")) { if (!greeting) { greet(); } return; }
    send(queue.splice(0, 100));
    if (queue.length) { soon(50); }
  }
  function send(events) {
    events.forEach(function (e) { var c = read("click"); if (c && !e.click_id) { e.click_id = c; } });
    var u = base + "/pixel/events?shop=" + shop + "&vid=" + visitor() + (listeners.length ? "&profile=1" : "");
    var body = JSON.stringify({ events: events.filter(function (e) { return e.type; }) });
    fetch(u, { method: "POST", credentials: "include", keepalive: body.length < 6e4, body: body })
      .then(function (r) {
        if (r.status === 429 || r.status >= 500) { throw r; }
        retry = 1000;
        if (r.status === 204) { said = "denied"; changed(); return null; } /* opted out */
        if (r.ok) { api.sent += events.length; }
        return r.json();
      })
      .then(function (a) { if (a && a.profile) { last = a.profile; listeners.forEach(tell); } })
      .catch(function () {
        queue = events.concat(queue).slice(0, MOST);
        retry = Math.min(retry * 2, 60000);
        soon(retry);
      });
  }
  function tell(f) { try { f(last); } catch (e) { setTimeout(function () { throw e; }, 0); } }

  function push(e) {
    if (Array.isArray(e)) { return api[e[0]] && api[e[0]].apply(api, e.slice(1)); }
    if (allowed() < 0 || queue.length >= MOST) { return 0; }
    e.id = e.id || random();
    e.time = e.time || Date.now();
    e.url = e.url || location.href.slice(0, 2000);
    queue.push(e);
    soon(50);
    return queue.length;
  }

  /* Pages that change without being loaded are visits, too. */
  var page = "";
  function landed() {
    var here = location.pathname + location.search;
    if (here === page) { return; }
    page = here;
    var m = /[?&]gzclid=([\w-]+)/.exec(location.search);
    if (m) { click = m[1]; }
    push({ type: "visit" });
  }
  ["pushState", "replaceState"].forEach(function (name) {
    var was = history[name];
    history[name] = function () { var r = was.apply(this, arguments); setTimeout(landed, 0); return r; };
  });
  addEventListener("popstate", function () { setTimeout(landed, 0); });

  var before = window.grosz || [], api = {
    loaded: true, sent: 0, push: push,
    /* identify the visitor by the shop's own id; sig is of the shop's server */
    identify: function (id, sig) { return push({ type: "identify", user: { id: String(id), sig: String(sig) } }); },
    consent: function (state) { said = state; changed(); },
    /* f is told the visitor's segments and products, now and after every change */
    onProfile: function (f) {
      listeners.push(f);
      if (last) { tell(f); return; }
      if (allowed() >= 0) { queue.push({}); soon(50); }
    },
    visitor: function () { return allowed() > 0 ? visitor() : ""; }
  };
  window.grosz = api;
  watchTCF();
  landed();
  for (var i = 0; i < before.length; i++) { push(before[i]); }
  addEventListener("pagehide", function () { for (var n = 0; queue.length && allowed() > 0 && (greeted || read("met")) && n < 5; n++) { send(queue.splice(0, 100)); } });
})();
