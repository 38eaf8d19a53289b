package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bench/demo"
	"github.com/grosz/grosz/internal/kafkatest"
)

var tourShots = flag.String("shots", "", "directory to write screenshots of the tour and of the console to")

// visitor is a person at a real browser.
type visitor struct {
	t    *testing.T
	ctx  context.Context
	shop string // base URL of the demo's pages
	n    int    // of the next screenshot
}

func newVisitor(t *testing.T, shop string) *visitor {
	t.Helper()
	ctx := chromium(t, chromedp.WindowSize(1280, 1400), chromedp.Flag("lang", "pl"),
		// By its own name it is a crawler, and nobody bids on those.
		chromedp.UserAgent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"))
	return &visitor{t: t, ctx: ctx, shop: shop}
}

func (v *visitor) do(actions ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	require.NoError(v.t, v.try(actions...))
}

func (v *visitor) try(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(v.ctx, 3*time.Minute)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

// get runs an action that has a value.
func get[T any](v *visitor, a chromedp.Action[T]) T {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, 3*time.Minute)
	defer cancel()
	out, err := chromedp.Run(ctx, a)
	require.NoError(v.t, err)
	return out
}

func css(s string) chromedp.CSS { return chromedp.CSS(s) }

// look keeps a picture of the page.
func (v *visitor) look(name string) {
	v.t.Helper()
	if *tourShots == "" {
		return
	}
	png := get(v, chromedp.CaptureScreenshot())
	v.n++
	require.NoError(v.t, os.WriteFile(filepath.Join(*tourShots, fmt.Sprintf("tour-%02d-%s.png", v.n, name)), png, 0o644))
}

// told waits until the shop's pixel has brought what the page told it.
func (v *visitor) told(events int) {
	v.t.Helper()
	get(v, chromedp.Poll[bool](fmt.Sprintf(`!!window.grosz && window.grosz.sent >= %d`, events), chromedp.WithPollingTimeout(3*time.Minute)))
}

// slotAd is what stands in a slot of the publisher's page, and what its panel
// says of the auction.
type slotAd struct {
	Slot, Domain, Bid, Outcome, HTML string
}

// publisher opens the publisher's page and reads its ads.
func (v *visitor) publisher() ([]slotAd, error) {
	if err := v.try(chromedp.Navigate(v.shop+"/kurier/"), chromedp.WaitReady(css(`body[data-done]`))); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(v.ctx, 3*time.Minute)
	defer cancel()
	ads, err := chromedp.Run(ctx, chromedp.Evaluate[[]slotAd](`[...document.querySelectorAll("#dev tbody tr")].map(function(r){var f=document.querySelector('.slot[data-slot="'+r.dataset.slot+'"] iframe');
return {Slot:r.dataset.slot,Domain:r.dataset.domain,Bid:r.dataset.bid,Outcome:r.cells[5].textContent,HTML:f?f.srcdoc:""}})`))
	if err == nil && len(ads) == 0 {
		err = errors.New("the publisher's panel is empty")
	}
	return ads, err
}

// linkIn is the first link of the ad that begins with a path of the bidder's,
// as the browser reads it.
func (v *visitor) linkIn(ad, path string) string {
	v.t.Helper()
	href := get(v, chromedp.Evaluate[string](fmt.Sprintf(`(function(){var d=new DOMParser().parseFromString(%s,"text/html");
return [...d.querySelectorAll("a")].map(a=>a.getAttribute("href")).find(h=>new URL(h).pathname===%s)||""})()`, quoteJS(ad), quoteJS(path))))
	require.NotEmpty(v.t, href, "the ad has no link to %s", path)
	return href
}

func quoteJS(s string) string {
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}

func (s *stack) arg(flag string) string { return s.args[slices.Index(s.args, flag)+1] }

// TestTour is the tour of docs/marketer.md in a real browser: fill a cart,
// meet your own product in an ad, read why, buy, see the ads stop.
func TestTour(t *testing.T) {
	s := newStack(t)
	s.start(5)
	v := newVisitor(t, "http://"+s.arg("--demo-shop"))
	const shop = "debowykat.example"
	const cartBid = "46.80" // 18 PLN, twice for a cart of 500 PLN, times 1.3 for a view of today

	// A stranger without consent sees ads for the page, and is nobody.
	var ads []slotAd
	kafkatest.Eventually(t, "the exchange to be open", func() (err error) {
		if ads, err = v.publisher(); err == nil && strings.Contains(fmt.Sprint(ads), "broke") {
			err = fmt.Errorf("%v", ads)
		}
		return err
	})
	v.look("consent")
	v.do(chromedp.Click(css(`.ask .yes`)), chromedp.WaitNotPresent(css(`.ask`)), chromedp.WaitReady(css(`body[data-done]`)))
	v.look("stranger")

	// Browse, and leave a cart of more than 500 PLN.
	v.do(chromedp.Navigate(v.shop+"/furniture/"), chromedp.WaitReady(css(`.grid`)))
	v.told(2)
	v.look("shop")
	v.do(chromedp.Navigate(v.shop+"/furniture/c/sofy"), chromedp.WaitReady(css(`.grid`)))
	v.told(2)
	v.do(chromedp.Click(css(`.card`)), chromedp.WaitVisible(css(`button[name=add]`)))
	v.told(2)
	v.look("product")
	title, price := get(v, chromedp.Text(css(`h1`))), get(v, chromedp.Text(css(`.sum`)))
	v.do(chromedp.Click(css(`button[name=add]`)), chromedp.WaitVisible(css(`a[href$=checkout]`)))
	v.told(2)
	v.look("cart")

	// Meet it in the ad.
	var mine slotAd
	kafkatest.Eventually(t, "my own product in an ad", func() error {
		var err error
		if ads, err = v.publisher(); err != nil {
			return err
		}
		for _, a := range ads {
			if a.Domain == shop && strings.Contains(a.HTML, title) && a.Bid == cartBid {
				mine = a
				return nil
			}
		}
		return fmt.Errorf("no ad for %s PLN shows %q: %v", cartBid, title, outcomes(ads))
	})
	whole, _, _ := strings.Cut(price, ",")
	require.Contains(t, mine.HTML, whole+"\u00a0zł")
	v.look("met")
	v.do(chromedp.Click(css(`#dev summary`)), chromedp.Sleep(300*time.Millisecond))
	v.look("panel")

	// Read why.
	v.do(chromedp.Navigate(v.linkIn(mine.HTML, "/why")), chromedp.WaitVisible(css(`ul.cart`)))
	why := get(v, chromedp.Text(css(`main`)))
	require.Contains(t, why, title)
	require.Contains(t, why, "Dębowy Kąt")
	require.NotContains(t, why, mine.Bid)
	v.look("why")

	// Click, come back, buy.
	v.do(chromedp.Navigate(v.linkIn(mine.HTML, "/c")), chromedp.WaitReady(css(`header`)))
	landed := get(v, chromedp.Location())
	require.Contains(t, landed, v.shop+"/furniture/")
	require.Contains(t, landed, "gzclid=")
	v.told(2)
	v.do(chromedp.Navigate(v.shop+"/furniture/cart"), chromedp.Click(css(`a[href$=checkout]`)), chromedp.WaitVisible(css(`form.pay`)))
	v.told(2)
	v.look("checkout")
	v.do(chromedp.Click(css(`form.pay button`)), chromedp.WaitNotPresent(css(`form.pay`)), chromedp.WaitVisible(css(`main b.order`)))
	order := get(v, chromedp.Text(css(`main b.order`)))
	v.told(2)
	v.look("thanks")

	// The ads stop.
	bought := time.Now()
	kafkatest.Eventually(t, "the shop's ads to stop", func() error {
		var err error
		if ads, err = v.publisher(); err != nil {
			return err
		}
		return noneOf(ads, shop)
	})
	t.Logf("the ads stopped within %s of the order", time.Since(bought).Round(10*time.Millisecond))
	for range 3 {
		ads, err := v.publisher()
		require.NoError(t, err)
		require.NoError(t, noneOf(ads, shop))
	}
	v.look("stopped")
	s.tourCounts(order)
}

func outcomes(ads []slotAd) (out []string) {
	for _, a := range ads {
		out = append(out, fmt.Sprintf("%s %s %s %s", a.Slot, a.Domain, a.Bid, a.Outcome))
	}
	return out
}

func noneOf(ads []slotAd, domain string) error {
	for _, a := range ads {
		if a.Domain == domain {
			return fmt.Errorf("%s still bids: %v", domain, outcomes(ads))
		}
	}
	return nil
}

// tourCounts waits until the order is attributed to the click, and an ad that
// was on screen is counted as seen.
func (s *stack) tourCounts(order string) {
	s.t.Helper()
	kafkatest.Eventually(s.t, "the order in the report", func() error {
		var got struct {
			Data []struct{ Touch, MatchedBy, Seen string }
		}
		if err := s.query(`SELECT o.touch AS Touch, o.matched_by AS MatchedBy,
		  toString((SELECT sum(v.viewable) FROM grosz.viewability AS v WHERE v.exchange = 'sim-first')) AS Seen
		  FROM grosz.attributed_orders AS o WHERE o.order_id = '`+order+`'`, &got); err != nil {
			return err
		}
		if len(got.Data) != 1 || got.Data[0].Touch != "click" || got.Data[0].MatchedBy != "click_id" || got.Data[0].Seen == "0" {
			return fmt.Errorf("order %s: %+v", order, got.Data)
		}
		return nil
	})
}

// TestDemoVendor: what people agree to on the demo's page is for whom its
// exchange says that we are.
func TestDemoVendor(t *testing.T) {
	text, err := demoFiles.ReadFile("demo/sim-first.yaml")
	require.NoError(t, err)
	require.Contains(t, string(text), fmt.Sprintf("\nvendor_id: %d\n", demo.VendorID))
}
