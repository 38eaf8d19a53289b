package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/grosz/grosz/internal/money"
)

// fakeBidder bids on everything, settles each token once at the price it is
// told, and fails a share of all notices and events, before or after it has
// taken them.
type fakeBidder struct {
	srv *httptest.Server

	mu       sync.Mutex
	rng      *rand.Rand
	fail     float64 // share of notices and events that fail
	invalid  float64 // share of bids below their floor
	down     bool
	n        int
	settled  map[string]money.Nano // token → amount, by the settling event
	exchange map[string]string     // token → exchange
	kinds    map[string]int
	clicks   map[string]string // click id → token
	orders   map[string]string // shop/order id → value
	events   map[string]int    // type → count
	seen     map[string]bool
}

func newFakeBidder(t *testing.T) *fakeBidder {
	b := &fakeBidder{
		rng: rand.New(rand.NewPCG(1, 2)), settled: map[string]money.Nano{}, exchange: map[string]string{}, kinds: map[string]int{},
		clicks: map[string]string{}, orders: map[string]string{}, events: map[string]int{}, seen: map[string]bool{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /openrtb2/{exchange}", b.bid)
	mux.HandleFunc("GET /n/{kind}", b.notice)
	mux.HandleFunc("GET /i", b.notice)
	mux.HandleFunc("GET /c", b.click)
	mux.HandleFunc("GET /why", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("POST /api/v1/shops/{shop}/events", b.shopEvents)
	b.srv = httptest.NewServer(mux)
	t.Cleanup(b.srv.Close)
	return b
}

func (b *fakeBidder) bid(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var req struct {
		ID  string   `json:"id"`
		Cur []string `json:"cur"`
		Imp []struct {
			ID       string  `json:"id"`
			BidFloor float64 `json:"bidfloor"`
			Secure   int     `json:"secure"`
			Banner   *struct{ W, H int }
			Video    *struct {
				Min int `json:"minduration"`
			}
			Native *struct{}
		} `json:"imp"`
	}
	if json.NewDecoder(r.Body).Decode(&req) != nil || b.rng.Float64() < 0.2 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	var bids []any
	for _, imp := range req.Imp {
		b.n++
		token := fmt.Sprintf("tok%d", b.n)
		b.exchange[token] = r.PathValue("exchange")
		base := b.srv.URL
		if imp.Secure == 1 {
			base = strings.Replace(base, "http://", "https://", 1)
		}
		price := imp.BidFloor + 0.5 + 3*b.rng.Float64()
		if b.rng.Float64() < b.invalid {
			price = imp.BidFloor / 2
		}
		shop := 1 + b.n%2
		bid := m{"id": token, "impid": imp.ID, "price": json.Number(fmt.Sprintf("%.2f", price)), "crid": "c1", "cid": fmt.Sprint(10 + shop),
			"adomain": []string{fmt.Sprintf("shop%d.example", shop)},
			"nurl":    base + "/n/win?t=" + token + "&p=${AUCTION_PRICE}", "burl": base + "/n/bill?t=" + token + "&p=${AUCTION_PRICE}",
			"lurl": base + "/n/loss?t=" + token + "&r=${AUCTION_LOSS}&m=${AUCTION_MIN_TO_WIN}"}
		pixel, click := base+"/i?t="+token+"&p=${AUCTION_PRICE}", base+"/c?t="+token
		switch {
		case imp.Banner != nil:
			bid["mtype"], bid["w"], bid["h"] = 1, imp.Banner.W, imp.Banner.H
			bid["adm"] = `<div><a href="` + click + `&amp;p=p1">A</a><a href="` + base + `/why?t=` + token + `">why</a><img src="https://img.example/p.png"><img width=1 height=1 src="` + pixel + `"></div>`
		case imp.Video != nil:
			bid["mtype"] = 2
			bid["adm"] = fmt.Sprintf(`<VAST version="3.0"><Ad id="1"><InLine><AdSystem>F</AdSystem><AdTitle>F</AdTitle><Impression><![CDATA[%s]]></Impression><Creatives><Creative><Linear><Duration>00:00:15</Duration><VideoClicks><ClickThrough><![CDATA[%s]]></ClickThrough></VideoClicks><MediaFiles><MediaFile type="video/mp4" delivery="progressive"><![CDATA[https://img.example/a.mp4]]></MediaFile></MediaFiles></Linear></Creative></Creatives></InLine></Ad></VAST>`, pixel, click)
		case imp.Native != nil:
			bid["mtype"] = 4
			adm, _ := json.Marshal(m{"link": m{"url": click}, "imptrackers": []string{pixel}, "eventtrackers": []m{{"event": 1, "method": 1, "url": pixel}},
				"assets": []m{{"id": 1, "title": m{"text": "T"}}, {"id": 2, "img": m{"url": "https://img.example/p.png", "w": 300, "h": 300}}}})
			bid["adm"] = string(adm)
		}
		bids = append(bids, bid)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(m{"id": req.ID, "bidid": "x", "cur": req.Cur[0], "seatbid": []m{{"seat": "g", "bid": bids}}})
}

// fails draws whether a call fails, and whether it was taken before.
func (b *fakeBidder) fails() (taken, failed bool) {
	if b.down {
		return false, true
	}
	failed = b.rng.Float64() < b.fail
	return !failed || b.rng.Float64() < 0.5, failed
}

func (b *fakeBidder) notice(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken, failed := b.fails()
	token, kind := r.FormValue("t"), strings.TrimPrefix(r.URL.Path, "/n/")
	if taken {
		b.kinds[kind]++
		settles := map[string]string{"sim-second": "bill", "sim-first": "/i"}[b.exchange[token]]
		if _, again := b.settled[token]; kind == settles && !again {
			p, err := money.ParseCPM(r.FormValue("p"))
			if err != nil || p <= 0 {
				http.Error(w, "price", http.StatusBadRequest)
				return
			}
			b.settled[token] = p.PerImpression()
		}
	}
	if failed {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (b *fakeBidder) click(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, failed := b.fails(); failed {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	id := "clk" + r.FormValue("t")
	b.clicks[id] = r.FormValue("t")
	w.Header().Set("Location", "https://shop.example/p/1?gzclid="+id)
	w.WriteHeader(http.StatusFound)
}

func (b *fakeBidder) shopEvents(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer key"+r.PathValue("shop") {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	taken, failed := b.fails()
	var in struct{ Events []shopEvent }
	raw, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(raw, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	dup, acc := 0, 0
	for _, e := range in.Events {
		switch {
		case !taken:
		case b.seen[e.ID]:
			dup++
		default:
			acc++
			b.seen[e.ID] = true
			b.events[e.Type]++
			if e.Type == "purchase" {
				b.orders[r.PathValue("shop")+"/"+e.OrderID] = e.Value.String()
			}
			if e.ClickID != "" && b.clicks[e.ClickID] == "" {
				http.Error(w, "unknown click id "+e.ClickID, http.StatusBadRequest)
				return
			}
		}
	}
	if failed {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(m{"accepted": acc, "duplicates": dup, "errors": []any{}})
}

func (b *fakeBidder) set(f func()) {
	b.mu.Lock()
	f()
	b.mu.Unlock()
}
