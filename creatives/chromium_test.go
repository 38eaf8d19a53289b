package creatives

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	stdhtml "html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

var shots = flag.String("shots", "", "directory to write a screenshot of every banner to")

// browser returns the path of Chromium, or skips; under CI it must be there.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("Chromium is not installed: with CI=true the rendering tests must run")
	}
	t.Skip("Chromium is not installed: rendering in a browser was not tested (apt-get install chromium)")
	return ""
}

func chromium(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // 90 s were seen beside fifty busy processes
	defer cancel()
	args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir=" + t.TempDir()}, args...)
	cmd := exec.CommandContext(ctx, browser(t), args...)
	var diag strings.Builder
	cmd.Stderr = &diag
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	require.NoError(t, err, "%s", diag.String())
	return string(out)
}

// adServer serves banners, product pictures, and counts what the ads call.
type adServer struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string][]byte
	calls map[string]int
}

func newAdServer(t *testing.T) *adServer {
	s := &adServer{pages: map[string][]byte{}, calls: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *adServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls[r.URL.Path]++
	page := s.pages[r.URL.Path]
	s.mu.Unlock()
	switch {
	case page != nil:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	case strings.HasPrefix(r.URL.Path, "/img/"):
		w.Header().Set("Content-Type", "image/svg+xml")
		_, _ = io.WriteString(w, picture(r.URL.Path))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *adServer) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

// picture draws a piece of furniture on white, as product pictures are.
func picture(path string) string {
	shape := map[string]string{
		"sofa-1":   `<g fill="#8a94a6"><rect x="40" y="190" width="320" height="100" rx="22"/><rect x="70" y="120" width="260" height="90" rx="20" fill="#9aa5b8"/><rect x="24" y="160" width="52" height="130" rx="20"/><rect x="324" y="160" width="52" height="130" rx="20"/></g><g fill="#5b4632"><rect x="60" y="288" width="14" height="30"/><rect x="326" y="288" width="14" height="30"/></g>`,
		"fotel-2":  `<g fill="#d9a520"><rect x="120" y="60" width="160" height="190" rx="40"/><rect x="90" y="180" width="220" height="90" rx="30" fill="#c08f14"/></g><g fill="#5b4632"><rect x="120" y="268" width="14" height="60"/><rect x="266" y="268" width="14" height="60"/></g>`,
		"lampa-3":  `<path d="M120 330V110a90 90 0 0 1 180 0" fill="none" stroke="#222" stroke-width="9"/><path d="M250 110h100l-20-60h-60z" fill="#2b2f36"/><ellipse cx="120" cy="332" rx="60" ry="14" fill="#222"/><ellipse cx="300" cy="112" rx="46" ry="9" fill="#ffd97a"/>`,
		"stolik-4": `<ellipse cx="200" cy="190" rx="150" ry="44" fill="#b88a56"/><ellipse cx="200" cy="182" rx="150" ry="44" fill="#d2a66d"/><g fill="#8a6238"><path d="M110 215l-20 110h14l26-104zM290 215l20 110h-14l-26-104z"/></g>`,
		"regal-5":  `<g fill="none" stroke="#30353d" stroke-width="10"><rect x="110" y="40" width="180" height="320"/></g><g fill="#c79a63"><rect x="110" y="100" width="180" height="12"/><rect x="110" y="165" width="180" height="12"/><rect x="110" y="230" width="180" height="12"/><rect x="110" y="295" width="180" height="12"/></g>`,
		"dywan-6":  `<rect x="60" y="90" width="280" height="220" fill="#c9bda6"/><g stroke="#8d7f63" stroke-width="6" fill="none"><path d="M60 120l70 60-70 60M130 90l70 90-70 130M200 90l70 90-70 130M270 90l70 60-70 160"/></g>`,
		"logo":     ``,
	}
	var w, h int
	if n, _ := fmt.Sscanf(path, "/img/sale-%dx%d", &w, &h); n == 2 { // a finished picture, as shops upload them
		return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d"><rect width="100%%" height="100%%" fill="#123c69"/><circle cx="100%%" cy="0" r="40%%" fill="#edc7b7"/><text x="50%%" y="55%%" font-family="sans-serif" font-weight="700" font-size="%d" fill="#fff" text-anchor="middle">Jesienna wyprzedaż</text></svg>`, w, h, w, h, min(w/11, h/2))
	}
	for name, body := range shape {
		if strings.Contains(path, name) {
			return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400"><rect width="400" height="400" fill="#fff"/>` + body + `</svg>`
		}
	}
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400"><rect width="400" height="400" fill="#fff"/><circle cx="200" cy="200" r="120" fill="#7aa5d8"/></svg>`
}

// local points a banner's pictures and calls at the server.
func (s *adServer) local(b *Banner) *Banner {
	b.Links = &Links{Secure: false, AssetBase: s.URL,
		ImpURL: []byte(s.URL + "/imp?p=${AUCTION_PRICE}"), ClickURL: []byte(s.URL + "/click?t=1"), WhyURL: []byte(s.URL + "/why"), HideURL: []byte(s.URL + "/hide?t=1&in=ad")}
	for i := range b.Products {
		p := *b.Products[i].Product
		p.ImageURL = fmt.Sprintf("%s/img/%s.svg", s.URL, []string{"sofa-1", "fotel-2", "lampa-3", "stolik-4", "regal-5", "dywan-6"}[i%6])
		b.Products[i].Product = &p
	}
	return b
}

// variants are the banners that every size is rendered in.
func variants(w, h int) map[string]*Banner {
	long := testBanner(w, h, 6)
	for i := range long.Products {
		p := *long.Products[i].Product
		p.Title = strings.Repeat("Superdługienazwisko", 6)
		p.Brand = strings.Repeat("W", 60)
		p.Price = 99_999_999 * 1_000_000_000
		long.Products[i].Product = &p
	}
	long.Brand.Name, long.Copy = strings.Repeat("Przedsiębiorstwo", 8), Copy{Title: strings.Repeat("Niekończący", 20), Body: strings.Repeat("się tekst ", 40), CTA: strings.Repeat("Natychmiast", 5), Lang: "pl"}
	longSingle := *long
	longSingle.Template = TemplateSingle
	longLogo := *long
	longLogo.Template = TemplateLogo
	two := testBanner(w, h, 2)
	bare := testBanner(w, h, 3)
	bare.Copy = Copy{}
	for i := range bare.Products {
		p := *bare.Products[i].Product
		p.ImageURL = ""
		bare.Products[i].Product = &p
	}
	carousel := testBanner(w, h, 5)
	carousel.Template = TemplateCarousel
	reduced, one := testBanner(w, h, 6), testBanner(w, h, 1)
	for _, b := range []*Banner{reduced, one, carousel} {
		for i := range b.Products {
			p := *b.Products[i].Product
			p.Lowest30 = p.Price + p.Price/int64AsNano(3+i)
			b.Products[i].Product = &p
		}
	}
	finished := testBanner(w, h, 0)
	finished.Template, finished.Image = TemplateImage, fmt.Sprintf("/img/sale-%dx%d", w, h)
	return map[string]*Banner{"image": finished, "carousel": carousel, "reduced": reduced, "reducedsingle": one, "grid": testBanner(w, h, 6), "two": two, "single": testBanner(w, h, 1), "logo": testBanner(w, h, 0), "bare": bare,
		"long": long, "longsingle": &longSingle, "longlogo": &longLogo}
}

func int64AsNano(n int) money.Nano { return money.Nano(n) }

// probe measures each frame: whether anything sticks out, and whether a text
// that must be whole is not. Two slides of a carousel are there while one
// gives way to the next.
const probe = `<script>addEventListener("load",function(){setTimeout(function(){var out=[];
document.querySelectorAll("iframe").forEach(function(f){var d=f.contentDocument,r=d.querySelector(".gz"),w=+f.width,h=+f.height,bad=[];
if(d.documentElement.scrollWidth>w||d.documentElement.scrollHeight>h)bad.push("document "+d.documentElement.scrollWidth+"x"+d.documentElement.scrollHeight);
if(r.scrollWidth>r.clientWidth||r.scrollHeight>r.clientHeight)bad.push("root "+r.scrollWidth+"x"+r.scrollHeight);
r.querySelectorAll(".p,.b,.h,.b>span,b,.i").forEach(function(e){var q=e.getBoundingClientRect();
if(q.right>w+.5||q.bottom>h+.5||q.left<-.5||q.top<-.5)bad.push(e.className+"/"+e.tagName+" out "+[q.left,q.top,q.right,q.bottom].map(Math.round));
if((e.className==="i"||e.className==="i e")&&(q.width<20||q.height<20))bad.push("picture "+Math.round(q.width)+"x"+Math.round(q.height));});
var cells=[...r.querySelectorAll(".p,a.b")].filter(function(e){return getComputedStyle(e).visibility==="visible"});
var slides=cells.filter(function(e){return e.matches(".y>.p")});if(slides.length>2)bad.push(slides.length+" slides at once");
cells=cells.filter(function(e){return !e.matches(".y>.p")||e===slides[slides.length-1]}).map(function(e){return e.getBoundingClientRect()});
for(var i=0;i<cells.length;i++)for(var j=i+1;j<cells.length;j++){var a=cells[i],b=cells[j];
if(Math.min(a.right,b.right)-Math.max(a.left,b.left)>1&&Math.min(a.bottom,b.bottom)-Math.max(a.top,b.top)>1)bad.push("overlap "+i+" "+j);}
r.querySelectorAll(".d").forEach(function(e){var p=e.closest(".p"),q=e.getBoundingClientRect(),z=p.getBoundingClientRect();if(q.bottom>z.bottom+.5)bad.push("words cut by "+Math.round(q.bottom-z.bottom));});
var q=r.querySelector("button").getBoundingClientRect(),small=r.clientHeight<90;
if(q.left<0||q.top<0||q.right>w||q.bottom>h||q.width<(small?18:20)||q.height<(small?15:20))bad.push("hide "+[q.left,q.top,q.right,q.bottom].map(Math.round));
if(d.elementFromPoint((q.left+q.right)/2,(q.top+q.bottom)/2)!==r.querySelector("button"))bad.push("hide is covered");
r.querySelectorAll(".w,.l,.b>span,.t,b,em").forEach(function(e){var z=e.getBoundingClientRect(),y=e.closest(".y>.p");if(y&&getComputedStyle(y).visibility!=="visible")return;
if(Math.min(q.right,z.right-parseFloat(getComputedStyle(e).paddingRight))-Math.max(q.left,z.left)>1&&Math.min(q.bottom,z.bottom)-Math.max(q.top,z.top)>1&&z.width*z.height>0)bad.push("hide over "+e.className+"/"+e.tagName+" "+[z.left,z.top,z.right,z.bottom].map(Math.round))});
out.push({name:f.name,bad:bad});});
var p=document.createElement("pre");p.id="result";p.textContent=JSON.stringify(out);document.body.appendChild(p)},300)})</script>`

func TestBannersFitInChromium(t *testing.T) {
	browser(t)
	s := newAdServer(t)
	var page strings.Builder
	page.WriteString("<!doctype html><meta charset=utf-8><body>")
	sheets := map[string]*strings.Builder{}
	frames := 0
	for _, z := range sizes {
		if z.W < 50 {
			continue
		}
		for name, b := range variants(z.W, z.H) {
			doc := AppendBanner(nil, s.local(b))
			frame := fmt.Sprintf(`<iframe name="%s-%dx%d" width=%d height=%d frameborder=0 scrolling=no srcdoc="%s"></iframe>`,
				name, z.W, z.H, z.W, z.H, stdhtml.EscapeString(string(doc)))
			page.WriteString(frame)
			frames++
			if sheets[name] == nil {
				sheets[name] = &strings.Builder{}
			}
			sheets[name].WriteString(frame)
		}
	}
	page.WriteString(probe)
	s.pages["/all"] = []byte(page.String())
	dom := chromium(t, "--virtual-time-budget=8000", "--window-size=1200,900", "--dump-dom", s.URL+"/all")
	m := regexp.MustCompile(`<pre id="result">(.*?)</pre>`).FindStringSubmatch(dom)
	require.NotNil(t, m, "the page did not report")
	var got []struct {
		Name string   `json:"name"`
		Bad  []string `json:"bad"`
	}
	require.NoError(t, json.Unmarshal([]byte(stdhtml.UnescapeString(m[1])), &got))
	require.Len(t, got, frames)
	for _, g := range got {
		if len(g.Bad) > 0 {
			t.Errorf("%s: %s", g.Name, strings.Join(g.Bad, "; "))
		}
	}
	require.Positive(t, s.count("/imp"), "no impression pixel was fetched")
	for name, sheet := range sheets {
		if *shots != "" {
			s.shoot(t, name, sheet.String())
		}
	}
}

// shoot writes a sheet with every size of one variant, for people to look at.
func (s *adServer) shoot(t *testing.T, name, frames string) {
	s.mu.Lock()
	s.pages["/shot/"+name] = []byte(`<!doctype html><meta charset=utf-8><style>body{margin:10px;background:#e9ecf1;width:1360px}iframe{margin:5px;vertical-align:top}</style>` + frames)
	s.mu.Unlock()
	chromium(t, "--window-size=1400,2300", "--virtual-time-budget=3000",
		"--screenshot="+filepath.Join(*shots, name+".png"), s.URL+"/shot/"+name)
}

// TestViewabilityBeaconFires lets a real browser show a banner and waits for
// the impression and, a second later, the viewability call.
func TestViewabilityBeaconFires(t *testing.T) {
	browser(t)
	s := newAdServer(t)
	seen, hidden := s.local(testBanner(300, 250, 3)), s.local(testBanner(300, 250, 3))
	seen.Links.ViewURL = []byte(s.URL + "/viewed?a=1&b='\"")
	hidden.Links.ViewURL = []byte(s.URL + "/never")
	s.pages["/page"] = fmt.Appendf(nil, `<!doctype html><body><iframe width=300 height=250 srcdoc="%s"></iframe><div style="height:9000px"></div><iframe width=300 height=250 srcdoc="%s"></iframe>`,
		stdhtml.EscapeString(string(AppendBanner(nil, seen))), stdhtml.EscapeString(string(AppendBanner(nil, hidden))))
	chromium(t, "--virtual-time-budget=6000", "--window-size=800,600", "--dump-dom", s.URL+"/page")
	require.Positive(t, s.count("/imp"))
	require.Equal(t, 1, s.count("/viewed"))
	require.Zero(t, s.count("/never"), "a banner that nobody saw was reported")
}
