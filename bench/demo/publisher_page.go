package demo

// publisherText is the publisher's page. Its script asks for the ads, tells
// the exchange when one is put on the page, and fills the developer's panel.
// Ads stand in sandboxed frames: what they hold cannot read the page.
const publisherText = `
{{define "slot"}}<div class="slot" data-slot="{{.Tag}}" style="width:{{.W}}px;height:{{.H}}px"><span>Miejsce na reklamę {{.W}}×{{.H}}</span></div>{{end}}

{{define "publisher"}}<!doctype html><html lang="pl"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{{.Name}}</title><link rel="icon" href="data:,"><style>
*{box-sizing:border-box}body{margin:0;background:#fff;color:#1c1f24;font:17px/1.65 Georgia,"Times New Roman",serif;padding-bottom:64px}
a{color:inherit}.bar{border-top:4px solid #8d1b1b;border-bottom:1px solid #ddd;padding:14px 24px}.bar div{max-width:1180px;margin:0 auto;display:flex;align-items:baseline;gap:22px;flex-wrap:wrap}
.bar b{font-size:31px;letter-spacing:-.02em}.bar span{font:14px system-ui,sans-serif;color:#666}.bar nav{margin-left:auto;font:600 14px system-ui,sans-serif;display:flex;gap:16px}
.top{display:flex;justify-content:center;padding:18px;background:#f4f4f2}.phone{display:none}
main{max-width:1180px;margin:0 auto;padding:26px 24px;display:grid;grid-template-columns:minmax(0,1fr) 300px;gap:48px}
h1{font-size:40px;line-height:1.15;margin:0 0 10px}.lead{font-size:20px;color:#444}.by{font:14px system-ui,sans-serif;color:#777;border-bottom:1px solid #eee;padding-bottom:14px}
.text .slot{float:right;margin:6px 0 14px 24px}aside{position:relative}aside .slot{position:sticky;top:20px}
.slot{position:relative;background:#efefec;overflow:hidden}.slot>span{position:absolute;inset:0;display:flex;align-items:center;justify-content:center;font:12px system-ui,sans-serif;color:#999}
.slot iframe{position:relative;border:0;display:block}.other{position:absolute;inset:0;background:linear-gradient(135deg,#dfe6ea,#f3f0e8);display:flex;flex-direction:column;align-items:center;justify-content:center;text-align:center;font:14px/1.4 system-ui,sans-serif;color:#556;padding:10px}
.ask{position:fixed;inset:0;background:rgba(20,22,26,.55);display:flex;align-items:flex-end;justify-content:center;padding:24px;z-index:20}
.ask form{background:#fff;max-width:680px;border-radius:14px;padding:24px 28px;font:16px/1.5 system-ui,sans-serif;box-shadow:0 20px 60px rgba(0,0,0,.3)}.ask h2{margin:0 0 8px;font-size:20px}
button{font:600 15px system-ui,sans-serif;border:0;border-radius:8px;padding:11px 20px;cursor:pointer;background:#e7e7e4;color:#222}button.yes{background:#8d1b1b;color:#fff}.ask p.go{display:flex;gap:12px;margin:18px 0 0}
#dev{position:fixed;left:0;right:0;bottom:0;background:#14181f;color:#d7dde6;font:13px/1.5 ui-monospace,Menlo,Consolas,monospace;max-height:60vh;overflow:auto;z-index:10}
#dev summary{padding:12px 20px;cursor:pointer;background:#0c0f14;position:sticky;top:0}#dev table{border-collapse:collapse;margin:8px 20px 16px}#dev td,#dev th{padding:4px 14px 4px 0;text-align:left;vertical-align:top;white-space:nowrap}#dev th{color:#8fa1b8;font-weight:400}
#dev .win{color:#7fe0a2}#dev .bid{color:#ffd479;font-weight:700}#dev p{margin:8px 20px;font-family:system-ui,sans-serif}#dev pre{margin:0;white-space:pre-wrap;max-width:1000px}#dev a{color:#8cc4ff}#dev button{padding:2px 10px;font-size:12px}
@media(max-width:1020px){main{grid-template-columns:1fr}.top .slot[data-slot=top],aside{display:none}.phone{display:block}.text .slot{float:none;margin:14px auto}}
</style></head><body>
<div class="bar"><div><b>{{.Name}}</b><span>niezależnie od 1924</span><nav><a href="/kurier/">Miasto</a><a href="/kurier/">Kultura</a><a href="/kurier/">Sport</a></nav></div></div>
<div class="top">{{template "slot" slot . "top"}}<div class="phone">{{template "slot" slot . "phone"}}</div></div>
<main><article><h1>Rynek odzyskał lipy. Pierwszą kawę w ich cieniu wypito o szóstej rano</h1>
<p class="lead">Po czterech latach remontu wróciły drzewa, ławki i spór o to, komu należy się miejsce przy fontannie.</p><p class="by">Anna Wrzos · 6 minut czytania</p>
<div class="text"><p>O świcie, zanim przyjechały dostawy, na rynku było słychać tylko wodę i szczotki. Ekipa zamiatała ostatni piach spomiędzy kostek, a pani Teresa z kiosku sprawdzała, czy nowa markiza zwija się bez zgrzytu. Zwijała się.</p>
{{template "slot" slot . "text"}}
<p>Remont miał trwać dwa lata. Trwał cztery, bo pod płytą znaleziono fundamenty dawnej wagi miejskiej, a pod nimi studnię. Archeolodzy zostali na zimę, wykonawca na drugą, mieszkańcy zaś nauczyli się chodzić naokoło. Dziś przez szklaną taflę widać trzy metry w dół i jedną monetę, o której nikt nie wie, czy jest z piętnastego wieku, czy z wczoraj.</p>
<p>Najwięcej emocji budzą drzewa. Dwadzieścia cztery lipy przyjechały nocą, każda z bryłą ziemi wielkości samochodu. Miejski ogrodnik obiecuje, że przyjmą się wszystkie, i prosi, by nie opierać o nie rowerów. O ósmej stały przy nich trzy.</p>
<p>Przy fontannie usiedli ci, którzy siadali tam zawsze: szachiści, dwie panie z rannej zmiany i gołębie. Nowe są ławki, zwrócone do siebie parami. „Żeby było z kim się pokłócić”, tłumaczy projektantka. Po południu ma zagrać orkiestra tramwajarzy.</p>
<p>Kawiarnie otworzyły ogródki godzinę wcześniej, niż zapowiadały. Pierwszą kawę podano o szóstej, a pierwszy mandat za parkowanie wypisano kwadrans później.</p></div></article>
<aside>{{template "slot" slot . "side"}}</aside></main>
{{if not .Asked}}<div class="ask"><form method="post" action="/kurier/consent"><h2>Szanujemy Twoją prywatność</h2>
<p>Za Twoją zgodą my i nasi partnerzy, wśród nich Grosz, zapamiętamy tę przeglądarkę, aby pokazywać reklamy dobrane do tego, co oglądasz w sklepach, i mierzyć ich skuteczność. Bez zgody zobaczysz reklamy dobrane tylko do strony.</p>
<p class="go"><button class="yes" name="answer" value="yes">Zgadzam się</button><button name="answer" value="no">Nie zgadzam się</button></p></form></div>{{end}}
<details id="dev"><summary>For developers: what the auctions did with this page view</summary>
<p>The page asked the exchange <b>sim-first</b> for an ad per slot; the exchange asked Grosz and drew rivals. {{if .Agreed}}This browser is <b>{{.Browser}}</b> to the exchange; with your consent that id was matched with the bidder's own.{{else}}Without consent no id of this browser is passed on: bids are for the page alone.{{end}} Prices are CPM: for a thousand impressions.
Shops: {{range .Shops}}<a href="/{{.Slug}}/">{{.Name}}</a> {{end}}· change your mind: <button form="again">ask me again</button></p>
<table><thead><tr><th>slot</th><th>bid</th><th>paid</th><th>floor</th><th>rivals</th><th>outcome</th><th>advertiser</th><th>campaign</th><th>crid</th><th>ms</th><th></th></tr></thead><tbody></tbody></table><pre></pre></details>
<form id="again" method="post" action="/kurier/consent"><input type="hidden" name="answer" value="again"></form>
<script>(function(){"use strict";
var rows=document.querySelector("#dev tbody"),shown=document.querySelector("#dev pre");
function cell(tr,text,cls){var td=document.createElement("td");td.textContent=text==null?"":text;if(cls)td.className=cls;tr.appendChild(td);return td}
function note(s,seen){var tr=document.createElement("tr");tr.dataset.slot=s.slot;tr.dataset.domain=s.domain||"";tr.dataset.bid=s.bid||"";
cell(tr,s.slot+" "+s.size);cell(tr,s.bid?s.bid+" "+s.currency:"–","bid");cell(tr,s.paid?s.paid+" "+s.currency:"–");cell(tr,s.floor);cell(tr,s.rivals.join(", ")||"none");
cell(tr,(s.won?"won: ":"")+s.why+(s.no_bid?" ("+s.no_bid+")":"")+(s.broken?" BROKEN "+s.broken.join("; "):""),s.won?"win":"");cell(tr,s.domain);cell(tr,s.campaign);cell(tr,s.crid);cell(tr,s.took_ms.toFixed(1));
var b=document.createElement("button");b.type="button";b.textContent="request";b.onclick=function(){shown.textContent=JSON.stringify(s.request,null,1)};cell(tr,"").appendChild(b);rows.appendChild(tr)}
function post(u){return fetch(u,{method:"POST"}).then(function(r){if(!r.ok)return r.text().then(function(t){throw new Error(t)});return r})}
function other(el){var d=document.createElement("div");d.className="other";d.textContent="Reklama innej firmy";el.appendChild(d)}
function fill(el){if(!el.offsetWidth)return Promise.resolve();
return post("/kurier/ad?slot="+el.dataset.slot).then(function(r){return r.json()}).then(function(a){note(a.sale);
if(!a.html){other(el);return}
return post("/kurier/shown?id="+encodeURIComponent(a.sale.id)).then(function(){var f=document.createElement("iframe");f.width=el.clientWidth;f.height=el.clientHeight;f.scrolling="no";f.title="Reklama";
f.sandbox="allow-scripts allow-forms allow-popups allow-popups-to-escape-sandbox";f.srcdoc=a.html;var ready=new Promise(function(ok){f.onload=ok;setTimeout(ok,4000)});el.appendChild(f);return ready})}).catch(function(e){shown.textContent+=el.dataset.slot+": "+e.message+"\n";other(el)})}
function load(){Promise.all([].map.call(document.querySelectorAll(".slot"),fill)).then(function(){document.body.dataset.done="1"})}
var sync={{.Sync}};if(!sync){load();return}
var once=false,go=function(){if(!once){once=true;load()}},i=new Image();i.onload=i.onerror=go;i.src=sync;setTimeout(go,1500)})()</script>
</body></html>{{end}}`
