package demo

// pageText holds the templates of the shops' pages. They work without
// scripts; the only script is the bidder's pixel and what it is told.
const pageText = `
{{define "head"}}<!doctype html><html lang="pl"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{{.Title}} · {{.Name}}</title><link rel="icon" href="/img/{{.Slug}}/logo.svg"><style>
:root{--h:{{.Hue}};--ink:hsl(var(--h) 25% 16%);--main:hsl(var(--h) 55% 38%);--soft:hsl(var(--h) 40% 96%)}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:#fff}
a{color:inherit;text-decoration:none}header{display:flex;flex-wrap:wrap;gap:12px 24px;align-items:center;padding:14px max(20px,calc((100vw - 1160px)/2));border-bottom:1px solid #eee}
.mark{display:flex;gap:10px;align-items:center;font:600 20px Georgia,serif}.mark img{width:36px;border-radius:9px}
nav{display:flex;gap:18px;flex:1;font-size:15px;flex-wrap:wrap}nav a:hover,nav .on{color:var(--main)}
input{font:inherit;padding:7px 12px;border:1px solid #ddd;border-radius:20px}
main{max-width:1200px;margin:0 auto;padding:24px 20px 60px}h1{font:600 30px/1.2 Georgia,serif;margin:8px 0 22px}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:20px}
.card{border-radius:14px;overflow:hidden;background:var(--soft);transition:transform .15s}.card:hover{transform:translateY(-3px)}
.card img{display:block;width:100%;aspect-ratio:1}.card div{padding:12px 14px 16px}.card b{display:block;margin-top:4px}small{color:#777}
button,.btn{font:600 16px system-ui,sans-serif;border:0;border-radius:24px;padding:12px 26px;background:var(--main);color:#fff;cursor:pointer;display:inline-block}
button.link{background:none;color:#888;padding:4px;font-weight:400;font-size:14px}
.one{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:40px;align-items:center}.one img{width:100%;border-radius:18px}
.sum{font-size:26px;font-weight:600;margin:12px 0 20px}.row{display:flex;gap:16px;align-items:center;border-bottom:1px solid #eee;padding:10px 0}.row img{width:72px;border-radius:10px}.row span{flex:1}.pay{display:flex;flex-direction:column;gap:16px;max-width:420px}.pay label{display:block;color:#666;font-size:15px}.pay input:not([type=radio]){display:block;width:100%;margin-top:4px;border-radius:10px}.one.top{align-items:start}
</style></head><body><header><a class="mark" href="/{{.Slug}}/"><img src="/img/{{.Slug}}/logo.svg" alt="">{{.Name}}</a>
<nav>{{$on := .Line}}{{range .Lines}}{{with slug .}}<a {{if eq .Slug $on}}class="on" {{end}}href="/{{$.Slug}}/c/{{.Slug}}">{{.Name}}</a>{{end}}{{end}}</nav>
<form action="/{{.Slug}}/search"><input name="q" placeholder="Szukaj" aria-label="Szukaj" value="{{.Query}}"></form><a href="/{{.Slug}}/cart">Koszyk ({{len .Cart}})</a></header><main><h1>{{.Title}}</h1>{{end}}

{{define "foot"}}</main>
<script>window.grosz=window.grosz||[];{{range .Events}}grosz.push({{.}});{{end}}</script>
<script async src="{{.Bidder}}/pixel.js?shop={{.ID}}"></script></body></html>{{end}}

{{define "list"}}{{template "head" .}}<div class="grid">{{range .Items}}<a class="card" href="/{{$.Slug}}/p/{{.ID}}"><img loading="lazy" src="/img/{{$.Slug}}/{{.ID}}.svg" alt=""><div><small>{{.Brand}}</small><br>{{.Title}}<b>{{price .Price}}</b>{{if .Lowest30}}<small>Najniższa z 30 dni: <s>{{price .Lowest30}}</s></small>{{end}}</div></a>{{else}}<p>Nic tu nie ma.</p>{{end}}</div>
{{if .Next}}<p><a class="btn" href="?page={{.Next}}{{if .Query}}&amp;q={{.Query}}{{end}}">Dalej</a></p>{{end}}{{template "foot" .}}{{end}}

{{define "product"}}{{template "head" .}}{{with .One}}<div class="one"><img src="/img/{{$.Slug}}/{{.ID}}.svg" alt="{{.Title}}"><div><small>{{.Category}} · {{.Brand}} · {{.ID}}</small><p class="sum">{{price .Price}}</p>{{if .Lowest30}}<p><small>Najniższa cena z 30 dni przed obniżką: <s>{{price .Lowest30}}</s></small></p>{{end}}
{{if .Available}}<form method="post" action="/{{$.Slug}}/cart"><button name="add" value="{{.ID}}">Do koszyka</button></form>{{else}}<p>Chwilowo niedostępne</p>{{end}}</div></div>{{end}}{{template "foot" .}}{{end}}

{{define "cart"}}{{template "head" .}}{{range .Items}}<div class="row"><img src="/img/{{$.Slug}}/{{.ID}}.svg" alt=""><span>{{.Title}}</span><b>{{price .Price}}</b><form method="post" action="/{{$.Slug}}/cart"><button class="link" name="remove" value="{{.ID}}">usuń</button></form></div>{{else}}<p>Koszyk jest pusty.</p>{{end}}
{{if .Items}}<p class="sum">Razem {{price .Total}}</p><p><a class="btn" href="/{{.Slug}}/checkout">Do kasy</a></p>{{end}}{{template "foot" .}}{{end}}

{{define "checkout"}}{{template "head" .}}<div class="one top"><form class="pay" method="post" action="/{{.Slug}}/buy"><label>Imię i nazwisko<input name="name" autocomplete="off" value="Jan Próbny"></label><label>Adres<input name="address" autocomplete="off" value="ul. Lipowa 7, 00-001 Warszawa"></label>
<label><input type="radio" checked> Kurier, jutro, 0 zł</label><label><input type="radio" checked> Płatność przy odbiorze</label><button>Zamawiam i płacę</button></form>
<div>{{range .Items}}<div class="row"><img src="/img/{{$.Slug}}/{{.ID}}.svg" alt=""><span>{{.Title}}</span><b>{{price .Price}}</b></div>{{end}}<p class="sum">Razem {{price .Total}}</p></div></div>{{template "foot" .}}{{end}}

{{define "thanks"}}{{template "head" .}}<p>Zamówienie <b class="order">{{.OrderID}}</b> na {{price .Total}} przyjęte. To sklep pokazowy: nic nie zostanie wysłane ani opłacone.</p><p><a class="btn" href="/{{.Slug}}/">Wróć do sklepu</a></p>{{template "foot" .}}{{end}}

{{define "index"}}<!doctype html><html lang="pl"><meta charset="utf-8"><title>Grosz: demo shops</title><style>body{font:17px/1.6 system-ui,sans-serif;max-width:720px;margin:60px auto;padding:0 20px}a{display:flex;gap:16px;align-items:center;margin:18px 0;color:inherit;text-decoration:none}img{width:64px;border-radius:14px}</style><h1>Demo shops</h1>{{range .}}<a href="/{{.Slug}}/"><img src="/img/{{.Slug}}/logo.svg" alt=""><span><b>{{.Name}}</b><br>{{.Tagline}} · {{len .Products}} products</span></a>{{end}}
<h2>And where their ads are seen</h2><a href="/kurier/"><span><b>Kurier Miejski</b><br>A newspaper page with ad slots: visit a shop, fill a cart, then look here</span></a></html>{{end}}
`
