package creatives

import "strconv"

// The style sheets of the banners: cssBase, then one for each template and
// family. They are written by hand to stay small; class names are single
// letters under .gz, so that markup put into a publisher's own page disturbs
// nothing there.
//
//	h header   l logo or name   k headline   g row of products   p product
//	i picture  e no picture     d words      t title   b price or button
//	r lowest price of 30 days   em discount   y carousel
//	c column   m brand          o body text  w why this ad   x pixel
const cssBase = `body{margin:0}.gz{position:relative;overflow:hidden;display:flex;flex-direction:column;background:#fff;border:1px solid #dce1e8;border-radius:6px;color:#18212f;font:400 12px/1.3 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;-webkit-font-smoothing:antialiased}` +
	`.gz,.gz *{box-sizing:border-box}.gz a{color:inherit;text-decoration:none;min-width:0}.gz span{display:block;min-width:0}` +
	`.gz .i{position:relative;flex:1 1 0;min-height:0;border-radius:6px;overflow:hidden;background:#f3f5f8}.gz .i img{position:absolute;left:0;top:0;width:100%;height:100%;object-fit:contain;mix-blend-mode:multiply;font-size:9px;color:#8a94a3}` +
	`.gz .e{display:flex;align-items:center;justify-content:center;color:var(--a);font-size:22px;font-weight:700;opacity:.75}` +
	`.gz .t{display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;overflow:hidden;overflow-wrap:anywhere;color:#475264}` +
	`.gz b{display:block;font-size:14px;font-weight:700;letter-spacing:-.02em;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}` +
	`.gz .b>span{padding:0 12px;border-radius:99px;background:var(--a);color:#fff;font-weight:600;text-align:center;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.gz a.b:hover>span,.gz a:hover .b>span{filter:brightness(1.12)}.gz .p:hover .t{color:var(--a)}` +
	`.gz .m{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.gz .l{font-size:15px;font-weight:700;letter-spacing:-.01em;color:var(--a);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.gz .l img{display:block;max-width:100%;height:22px;object-fit:contain;object-position:left}` +
	`.gz .w{position:absolute;top:0;right:0;z-index:2;padding:0 5px;border-bottom-left-radius:6px;background:rgba(255,255,255,.92);color:#6b7687;font-size:9px;line-height:14px}.gz .w i{display:inline-block;margin-left:3px;width:9px;height:9px;border:1px solid;border-radius:50%;font:700 7px/7px Arial,sans-serif;text-align:center;vertical-align:1px}` +
	`.gz em{position:absolute;left:5px;top:5px;padding:0 6px;border-radius:4px;background:#c81e1e;color:#fff;font:700 11px/18px system-ui,sans-serif}.gz .r{font-size:9px;line-height:1.25;color:#5f6b7b}.gz .r s{white-space:nowrap}` +
	`.gz .x{position:absolute;left:0;top:0;opacity:0;pointer-events:none}`

// styles are indexed by template (grid, single, logo) and family.
var styles = [3][6]string{
	{
		box:       `.gz{padding:9px}.gz .h{flex:none;padding-right:58px}.gz .g{flex:1;min-height:0;display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));gap:8px;margin:7px 0}.gz .p{display:flex;flex-direction:column;min-height:0}.gz .d{padding-top:5px;font-size:var(--s,11px)}.gz .t{min-height:2.6em}.gz b{margin-top:2px;font-size:13px}.gz a.b>span{line-height:30px}`,
		tower:     `.gz{padding:10px}.gz .h{flex:none;padding-top:8px}.gz .g{flex:1;min-height:0;display:flex;flex-direction:column;gap:10px;margin:8px 0}.gz .p{flex:1 1 0;min-height:0;display:flex;flex-direction:column}.gz .d{padding-top:5px;font-size:11px}.gz a.b>span{line-height:34px;padding:0 6px}`,
		half:      `.gz{padding:14px}.gz .h{flex:none}.gz .h .l{padding-right:56px;font-size:18px}.gz .l img{height:28px}.gz .k{margin-top:6px;font-size:17px;line-height:1.2;font-weight:600;max-height:2.4em;overflow:hidden}.gz .g{flex:1;min-height:0;display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));grid-auto-rows:minmax(0,1fr);gap:14px 12px;margin:12px 0}.gz .p{display:flex;flex-direction:column;min-height:0}.gz .d{padding-top:7px}.gz .t{min-height:2.6em}.gz b{margin-top:2px;font-size:16px}.gz a.b>span{line-height:42px;font-size:15px}`,
		leader:    `.gz{flex-direction:row;align-items:center;padding:8px 10px;gap:10px}.gz .h{flex:0 1 auto;max-width:118px}.gz .l{white-space:normal;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;line-height:1.2}.gz .g{flex:1;min-width:0;height:100%;display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));grid-template-rows:minmax(0,1fr);gap:10px}.gz .p{display:flex;align-items:center;min-height:0;gap:8px}.gz .i{flex:0 0 42%;max-width:74px;height:100%}.gz .d{flex:1;font-size:11px;line-height:1.25}.gz b{margin-top:2px;font-size:13px}.gz a.b{flex:none;max-width:120px}.gz a.b>span{line-height:32px}@media(max-width:420px){.gz .h{display:none}.gz .g{gap:8px}.gz .t{-webkit-line-clamp:3}.gz .i{flex-basis:32%}.gz b{font-size:12px}.gz a.b>span{padding:0 9px;font-size:11px}}`,
		strip:     `.gz{flex-direction:row;align-items:center;padding:4px 8px;gap:8px}.gz .h{flex:0 1 auto;max-width:78px}.gz .l{font-size:12px;white-space:normal;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;line-height:1.2}.gz .g{flex:1;min-width:0;height:100%;display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));grid-template-rows:minmax(0,1fr);gap:8px}.gz .p{display:flex;align-items:center;min-height:0;gap:7px}.gz .i{flex:0 0 40px;height:100%}.gz .e{font-size:16px}.gz .d{flex:1;font-size:11px;line-height:1.2}.gz .t{-webkit-line-clamp:1}.gz b{font-size:13px;line-height:1.25}.gz a.b{flex:none;padding-top:8px}.gz a.b>span{line-height:24px;padding:0 9px;font-size:11px}`,
		billboard: `.gz{flex-direction:row}.gz .h{flex:0 0 20%;min-width:150px;max-width:200px;padding:20px 18px 66px;background:var(--a);color:#fff}.gz .l{color:#fff;font-size:19px;line-height:1.25}.gz .l img{height:40px;padding:6px 8px;border-radius:6px;background:#fff}.gz .k{margin-top:10px;font-size:16px;line-height:1.25;max-height:5em;overflow:hidden}.gz .g{flex:1;min-width:0;display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));grid-template-rows:minmax(0,1fr);gap:14px;padding:16px 14px 12px}.gz .p{display:flex;flex-direction:column;min-height:0}.gz .d{padding-top:7px}.gz .t{min-height:2.6em}.gz b{margin-top:2px;font-size:16px}.gz a.b{position:absolute;left:18px;bottom:18px;width:calc(20% - 36px);min-width:114px;max-width:164px}.gz a.b>span{background:#fff;color:var(--a);line-height:36px;font-size:14px}`,
	},
	{
		box:       `.gz{padding:9px}.gz .h{flex:none;padding-right:58px}.gz .p{flex:1;min-height:0;display:flex;flex-direction:column;margin-top:7px}.gz .c{display:grid;grid-template-columns:minmax(0,1fr) auto;column-gap:10px;align-items:end;padding-top:7px}.gz .m{display:none}.gz .t{-webkit-line-clamp:1}.gz b{font-size:17px}.gz .b>span{line-height:32px;max-width:130px}@media(max-width:240px){.gz .c{grid-template-columns:minmax(0,1fr)}.gz .b>span{max-width:none;line-height:26px;margin-top:4px}}`,
		tower:     `.gz{padding:10px}.gz .h{flex:none;padding-top:8px}.gz .p{flex:1;min-height:0;display:flex;flex-direction:column;margin-top:8px}.gz .i{flex:3 1 0;max-height:340px}.gz .c{flex:1 0 auto;display:flex;flex-direction:column;padding-top:10px}.gz .b{margin-top:auto}.gz .m{font-size:10px;text-transform:uppercase;letter-spacing:.06em;color:#7b8696}.gz .t{-webkit-line-clamp:4;font-size:13px}.gz b{margin:6px 0 12px;font-size:18px}.gz .r{margin:-8px 0 8px}.gz .b>span{line-height:36px;padding:0 6px}`,
		half:      `.gz{padding:14px}.gz .h{flex:none}.gz .h .l{padding-right:56px;font-size:18px}.gz .l img{height:28px}.gz .k{margin-top:6px;font-size:17px;line-height:1.2;font-weight:600;max-height:2.4em;overflow:hidden}.gz .p{flex:1;min-height:0;display:flex;flex-direction:column;margin-top:12px}.gz .c{padding-top:12px}.gz .m{font-size:11px;text-transform:uppercase;letter-spacing:.06em;color:#7b8696}.gz .t{font-size:16px}.gz b{margin:4px 0 14px;font-size:24px}.gz .r{margin:-10px 0 12px;font-size:11px}.gz .b>span{line-height:44px;font-size:16px}`,
		leader:    `.gz{flex-direction:row;align-items:center;padding:8px 10px;gap:14px}.gz .h{flex:0 1 auto;max-width:130px}.gz .l{white-space:normal;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;line-height:1.2}.gz .p{flex:1;min-width:0;height:100%;display:flex;align-items:center;gap:12px}.gz .i{flex:0 0 96px;height:100%}.gz .c{flex:1;display:flex;align-items:center;gap:12px}.gz .m{display:none}.gz .d{flex:1;font-size:13px}.gz b{font-size:17px}.gz .b{flex:none;max-width:130px}.gz .b>span{line-height:34px}@media(max-width:420px){.gz .h{display:none}.gz .c{display:block;padding-top:9px}.gz .d{font-size:12px;line-height:1.2}.gz b{font-size:16px}.gz .b{max-width:none;padding-top:4px}.gz .b>span{display:inline-block;line-height:25px;max-width:100%}}`,
		strip:     `.gz{flex-direction:row;align-items:center;padding:4px 8px;gap:8px}.gz .h{flex:0 1 auto;max-width:78px}.gz .l{font-size:12px;white-space:normal;display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;line-height:1.2}.gz .p{flex:1;min-width:0;height:100%;display:flex;align-items:center;gap:8px}.gz .i{flex:0 0 46px;height:100%}.gz .e{font-size:16px}.gz .c{flex:1;display:flex;align-items:center;gap:8px}.gz .d{flex:1;font-size:11px;line-height:1.2}.gz .t{-webkit-line-clamp:1}.gz b{font-size:14px;line-height:1.25}.gz .b{flex:none;padding-top:8px}.gz .b>span{line-height:24px;padding:0 10px;font-size:11px;max-width:110px}@media(max-width:420px){.gz .h{display:none}}`,
		billboard: `.gz{flex-direction:row}.gz .h{flex:0 0 20%;min-width:150px;max-width:200px;padding:20px 18px;background:var(--a);color:#fff}.gz .l{color:#fff;font-size:19px}.gz .l img{height:40px;padding:6px 8px;border-radius:6px;background:#fff}.gz .k{margin-top:10px;font-size:16px;line-height:1.25;max-height:7.5em;overflow:hidden}.gz .p{flex:1;min-width:0;display:flex;gap:24px;padding:16px}.gz .c{flex:1;align-self:center}.gz .m{font-size:11px;text-transform:uppercase;letter-spacing:.06em;color:#7b8696}.gz .t{font-size:18px}.gz b{margin:6px 0 14px;font-size:26px}.gz .r{margin:-10px 0 12px;font-size:12px}.gz .b>span{display:inline-block;line-height:42px;padding:0 26px;font-size:16px;max-width:100%}`,
	},
	{
		box:       logoTall + `.gz .k{font-size:17px}.gz .b>span{line-height:34px}@media(max-width:240px),(max-height:220px){.gz .p{padding:12px}.gz .k{font-size:15px}.gz .o{display:none}}`,
		tower:     logoTall + `.gz .p{padding:24px 14px 16px}.gz .l{white-space:normal}.gz .k{font-size:17px;max-height:7.5em}.gz .o{-webkit-line-clamp:6}.gz .b>span{line-height:38px;padding:0 4px}`,
		half:      logoTall + `.gz .p{padding:36px 24px 24px}.gz .l{font-size:26px}.gz .l img{height:48px}.gz .k{font-size:22px}.gz .o{font-size:14px;-webkit-line-clamp:5}.gz .b>span{line-height:46px;font-size:16px}`,
		leader:    logoWide + `.gz .i{flex:0 0 28%;height:100%}.gz .b>span{line-height:34px}@media(max-width:420px){.gz .p{padding:8px 12px;gap:10px}.gz .l{font-size:15px}.gz .k{font-size:13px}}`,
		strip:     logoWide + `.gz .p{padding:4px 12px;gap:10px}.gz .i{flex:0 0 46px;height:100%}.gz .l{font-size:14px;line-height:1.2}.gz .l img{height:18px}.gz .k{margin-top:1px;font-size:11px;line-height:1.2;white-space:nowrap;text-overflow:ellipsis}.gz .b{padding-top:6px}.gz .b>span{line-height:26px;font-size:12px}`,
		billboard: logoWide + `.gz .p{padding:24px 36px;gap:32px}.gz .i{flex:0 0 36%;height:100%}.gz .l{font-size:28px}.gz .l img{height:48px}.gz .k{margin-top:8px;font-size:22px}.gz .o{margin-top:6px;font-size:14px}.gz .b>span{line-height:46px;padding:0 28px;font-size:16px}`,
	},
}

// The logo template stands on the accent; a headline of the shop, one button.
const (
	logoText = `.gz{background:linear-gradient(135deg,rgba(255,255,255,.16),rgba(0,0,0,.18)),var(--a);border:0;color:#fff}.gz .l{color:#fff;font-size:20px}.gz .l img{display:inline-block;width:auto;height:36px;padding:5px 8px;border-radius:6px;background:#fff}.gz .k{font-weight:600;line-height:1.25;max-height:3.75em;overflow:hidden;overflow-wrap:anywhere}.gz .o{display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;overflow:hidden;opacity:.9}.gz .b>span{background:#fff;color:var(--a)}.gz .i{background:rgba(255,255,255,.12)}.gz .i img{object-fit:cover;mix-blend-mode:normal}`
	logoTall = logoText + `.gz .p{flex:1;min-height:0;display:flex;flex-direction:column;padding:24px 18px 16px;text-align:center}.gz .i{flex:1 1 60%;margin-bottom:10px}.gz .c{flex:1 0 auto;display:flex;flex-direction:column;justify-content:center;max-height:100%;overflow:hidden}.gz .k{margin-top:8px}.gz .o{margin-top:6px}.gz .b{flex:none;margin-top:10px}`
	logoWide = logoText + `.gz .p{flex:1;min-height:0;display:flex;align-items:center;gap:18px;padding:8px 18px}.gz .c{flex:1;min-width:0}.gz .k{margin-top:2px;font-size:15px;max-height:2.5em}.gz .b{flex:none;max-width:40%}`
)

// cssCarousel stacks a carousel's products; turnStyles, by how many there are,
// show each for three seconds, twice, and then the first for good.
const cssCarousel = `.gz .y{margin-top:8px;flex:1;min-width:0;min-height:0;position:relative;display:flex}.gz .y .p{position:absolute;inset:0;margin-top:0;visibility:hidden;opacity:0}.gz .y .y0{visibility:visible;opacity:1}`

var turnStyles = func() (out [MaxTurns + 1]string) {
	for n := 2; n <= MaxTurns; n++ {
		seconds, share := strconv.Itoa(3*n), 100/n
		css := `@media(prefers-reduced-motion:no-preference){@keyframes gz{0%,` + strconv.Itoa(share-2) + `%{visibility:visible;opacity:1}` +
			strconv.Itoa(share) + `%,100%{visibility:hidden;opacity:0}}`
		for i := range n {
			css += `.gz .y .y` + strconv.Itoa(i) + `{animation:gz ` + seconds + `s ` + strconv.Itoa(3*i) + `s 2}`
		}
		out[n] = css + `}`
	}
	return out
}()

// viewScript calls data-v once, after half of the banner was on screen for one
// second without a break (the display rule of MRC's viewability guidelines).
// It is a constant: nothing of the data is ever written into a script.
const viewScript = `<script>(function(s){var r=s.previousElementSibling,u=r&&r.getAttribute("data-v"),t=0,o;` +
	`if(!u||!window.IntersectionObserver)return;` +
	`function f(){if(document.hidden){t=setTimeout(f,1000);return}o.disconnect();new Image().src=u}` +
	`o=new IntersectionObserver(function(e){e=e[e.length-1];clearTimeout(t);t=0;if(e.intersectionRatio>=.5)t=setTimeout(f,1000)},{threshold:[0,.5]});` +
	`o.observe(r)})(document.currentScript)</script>`
