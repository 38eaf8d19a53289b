package bidder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/bidder/traffic"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/wanted"
)

// Two worlds with the same shops, campaigns and segments. In one of them only
// shop B has visitors, in the other every shop has. B must not be able to
// tell which of them it is in.
const (
	shopA = 7
	shopB = 8
)

var isolationPeople = []string{
	"00000000000000000000000000000001", "00000000000000000000000000000002",
}

// isolationShop sells the same things as the other one, by the same ids.
func isolationShop(id uint32) (*campaigns.Shop, *campaigns.ProductBucket) {
	s := testShop()
	host := fmt.Sprintf("shop%d.example", id)
	s.ID, s.Name, s.Domain, s.URL = id, host, host, "https://"+host+"/"
	s.Salt = fmt.Sprintf("%032x", id)
	s.PriceMoveBPS = 1000
	p := &campaigns.ProductBucket{ShopID: id, Feed: 1, Buckets: 1}
	for i := range 24 {
		title := []string{"Sofa rozkładana", "Lampa stojąca", "Łóżko dębowe", "Fotel uszak", "Stół", "Dywan"}[i%6]
		p.Items = append(p.Items, campaigns.Product{
			ID: fmt.Sprint("p", i), Title: title, Category: []string{"Sofy", "Lampy", "Łóżka"}[i%3], URL: fmt.Sprintf("https://%s/p%d", host, i),
			ImageURL: fmt.Sprintf("https://%s/p%d.jpg", host, i), Price: money.Nano(100*(i+1)) * money.NanoUnit, Currency: pln, Available: true,
		})
	}
	return s, p
}

// isolationRules ask everything that can be asked about a person.
var isolationRules = []string{
	"known", "not known", "visited within 1d", `viewed category "Sofy" within 2d`, `searched "sofa"`, "in_cart", "cart_value >= 300 PLN", "abandoned within 3d",
	"checkout within 1d", "purchased within 2d", "is_buyer", "orders > 1", "avg_basket > 100 PLN", "views >= 3", "visits >= 2", "same_product_views >= 2",
	`viewed product "p1"`, "revenue >= 200 PLN",
}

func isolationInput() campaigns.Input {
	in := campaigns.Input{Version: 1}
	for _, shop := range []uint32{shopA, shopB} {
		s, p := isolationShop(shop)
		in.Shops, in.Buckets = append(in.Shops, s), append(in.Buckets, p)
		n := uint32(0)
		add := func(targeting string, kind string, change func(*campaigns.Campaign)) {
			c := openCampaign(shop*100 + n)
			c.ShopID, c.Targeting, c.Kind = shop, targeting, kind
			c.Bid.CPM += money.CPM(n) * 10_000
			n++
			if change != nil {
				change(c)
			}
			in.Campaigns = append(in.Campaigns, c)
		}
		for i, rule := range isolationRules {
			in.Segments = append(in.Segments, &campaigns.Segment{
				ID: shop*100 + uint32(i), ShopID: shop, Version: 1, Name: fmt.Sprint("s", i), Source: campaigns.SegmentRule, Expression: rule, ValueBPS: 10_000 + int64(i)*100,
			})
			add(rule, campaigns.KindRemarketing, nil)
		}
		in.Segments = append(in.Segments, &campaigns.Segment{ID: shop*100 + 90, ShopID: shop, Name: "crm", Source: campaigns.SegmentImport, TTLDays: 30})
		add(`segment "s3" or segment "s10"`, campaigns.KindRemarketing, nil)
		add(`segment "crm"`, campaigns.KindRemarketing, nil)
		add("", campaigns.KindIntent, nil)
		add("intent >= 0.3", campaigns.KindIntent, nil)
		add("", campaigns.KindInterest, func(c *campaigns.Campaign) {
			c.Frequency = campaigns.Frequency{Impressions: 2, Hours: 24}
			c.Budget.Total = 200 * 13_200_000
			c.Bid.Boosts = []campaigns.Boost{{When: "in_cart", BPS: 20_000}, {When: "is_buyer", BPS: 3_000}}
		})
	}
	return in
}

// isolated is a world whose memory of people can be emptied.
func isolated(t *testing.T) *world {
	w := newWorld(t)
	w.b.judge = newJudge(traffic.ClicksConfig{Max: 8}, w.b.traffic)
	return w
}

// begin forgets everybody.
func (w *world) begin(in campaigns.Input) {
	b := w.b
	store, err := segments.NewStore(segments.Config{Shards: 2, MaxProfiles: 1000})
	require.NoError(w.t, err)
	b.profiles.Store(store)
	w.clock.Set(noon)
	b.frequency, b.hidden, b.shown, b.book = pacing.NewFrequency(0), pacing.NewHidden(0), pacing.NewShown(0), pacing.NewBook(pacing.Config{Classes: 24})
	b.pagePrices, b.together, b.wanted = newPagePrices(), creatives.NewTogether(), wanted.New(0)
	b.contexts = sync.Pool{New: func() any {
		c := newContext([32]byte{1})
		c.hidden, c.shown, c.pagePrices, c.together = b.hidden, b.shown, b.pagePrices, b.together
		return c
	}}
	b.segments, err = newShopSegments(b)
	require.NoError(w.t, err)
	require.Empty(w.t, b.Publish(in))
}

// shopSees is everything that a shop can see of a bidder, as text.
func (w *world) shopSees(t require.TestingT, shop uint32) string {
	var out strings.Builder
	show := func(what string, v any) {
		text, err := json.MarshalIndent(v, "", " ")
		require.NoError(t, err)
		fmt.Fprintf(&out, "%s %s\n", what, text)
	}
	show("sizes", w.b.SegmentSizes(shop))
	for _, s := range w.in.Segments {
		var members bytes.Buffer
		found, err := w.b.SegmentMembers(shop, s.ID, &members)
		require.NoError(t, err)
		lines := strings.Split(members.String(), "\n")
		slices.Sort(lines)
		show("members", []any{s.ID, found, lines})
	}
	for i, person := range isolationPeople {
		u, _ := segments.UserFromUID(person)
		for _, page := range []string{"", "sofy rozkładane"}[i%2:] {
			body := fmt.Sprintf(`{"id":"r1","imp":[{"id":"1","banner":{"w":300,"h":250},"bidfloor":0.5},{"id":"2","banner":{"w":728,"h":90}}],
			 "site":{"domain":"news.example","search":%q},"user":{"buyeruid":%q}}`, page, person)
			e, err := w.b.ExplainWith("burl", []byte(body), ExplainOptions{Shop: shop, Limit: 1000, seed: [32]byte{5}})
			require.NoError(t, err)
			show("explanation", e)
			all, err := w.b.ExplainWith("burl", []byte(body), ExplainOptions{Limit: 1000, seed: [32]byte{5}})
			require.NoError(t, err)
			show("among all", ofShop(all, shop))
			show("candidates", w.candidatesOf(t, shop, body))
		}
		c := w.b.contexts.Get().(*bidContext)
		c.state, c.nowMS = w.b.state.Load(), w.clock.NowMS()
		cs := c.state.Snapshot.Shop(shop)
		sizes, err := w.b.previewFacts(c, &previewAsk{User: &userIn{UID: person}, Sizes: []string{"300x250"}}, cs)
		require.NoError(t, err)
		for _, camp := range c.state.Snapshot.Campaigns {
			if camp.ShopID == shop && camp.Kind != campaigns.KindRemarketing {
				show("preview", w.b.previews(c, &previewAsk{}, camp, sizes))
			}
		}
		c.reset()
		w.b.contexts.Put(c)
		batch := batch{b: w.b, shop: cs, now: w.clock.NowMS(), from: sender{key: u}}
		v := batch.visitor()
		slices.SortFunc(v.Products, func(a, b visitorProduct) int { return strings.Compare(a.ID, b.ID) }) // drawn
		show("visitor", v)
	}
	return out.String()
}

// ofShop keeps of everybody's explanation what concerns a shop before the
// auction.
func ofShop(e *Explanation, shop uint32) (out []ExplainedCampaign) {
	for i := range e.Imps {
		for _, c := range e.Imps[i].Campaigns {
			if c.ShopID == shop {
				c.Outcome = ""
				out = append(out, c)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b ExplainedCampaign) int { return int(a.ID) - int(b.ID) })
	return out
}

// candidatesOf are the shop's candidates and their worth as the hot path has
// them: by the bits of segments that are kept, among everybody's campaigns.
func (w *world) candidatesOf(t require.TestingT, shop uint32, body string) []string {
	c := w.b.contexts.Get().(*bidContext)
	defer w.b.contexts.Put(c)
	c.state, c.exchange, c.start, c.nowMS = w.b.state.Load(), w.b.exchanges["burl"], time.Now(), w.clock.NowMS()
	require.NoError(t, c.view.Parse([]byte(body)))
	require.Equal(t, ReasonNone, w.b.accept(c))
	w.b.describeRequest(c)
	out := []string{}
	for i := range c.view.Imps {
		tm := terms{c: c, imp: &c.view.Imps[i], index: i, media: events.MediaBanner}
		require.Equal(t, ReasonNone, tm.open())
		w.b.describeImp(c, i, events.MediaBanner)
		w.b.value(&tm, c.matches())
		for _, cand := range c.candidates {
			if camp := c.state.Snapshot.Campaigns[cand.campaign]; camp.ShopID == shop {
				out = append(out, fmt.Sprint(i, camp.ID, cand.cpm))
			}
		}
	}
	slices.Sort(out)
	c.reset()
	return out
}

// drawShopEvent is any event of any visitor at any shop.
func drawShopEvent(t *rapid.T, nowMS int64) *events.ShopEvent {
	e := &events.ShopEvent{
		Type: rapid.SampledFrom(events.ShopTypes).Draw(t, "type"), ShopID: rapid.SampledFrom([]uint32{shopA, shopA, shopB}).Draw(t, "shop"),
		TimeMS: nowMS, ReceivedMS: nowMS, Product: fmt.Sprint("p", rapid.IntRange(0, 9).Draw(t, "product")),
		Category: rapid.SampledFrom([]string{"", "Sofy", "Lampy"}).Draw(t, "category"), Query: rapid.SampledFrom([]string{"sofa", "sofy rozkładane", "lampa"}).Draw(t, "query"),
		Quantity: rapid.Int64Range(1, 3).Draw(t, "quantity"), Price: money.Nano(rapid.SampledFrom([]int64{100, 150, 200, 400}).Draw(t, "price")) * money.NanoUnit,
		Value: money.Nano(rapid.Int64Range(1, 900).Draw(t, "value")) * money.NanoUnit, OrderID: fmt.Sprint("o", rapid.IntRange(1, 5).Draw(t, "order")), Name: "lead",
		Status: rapid.SampledFrom(events.OrderStatuses).Draw(t, "status"),
	}
	if rapid.Bool().Draw(t, "looks") { // as most do
		e.Type, e.Product = events.ShopProductView, fmt.Sprint("p", rapid.IntRange(0, 2).Draw(t, "looked at"))
	}
	e.UID, _ = segments.UserFromUID(rapid.SampledFrom(isolationPeople).Draw(t, "who"))
	switch e.Type {
	case events.ShopOptOut:
		if rapid.IntRange(0, 4).Draw(t, "rare") > 0 {
			e.Type = events.ShopProductView
		}
	case events.ShopIdentify:
		// The same customer number at every shop: other people, or the same.
		e.Name = rapid.SampledFrom([]string{events.AliasVisitor, events.AliasCustomer}).Draw(t, "kind")
		e.Alias = segments.UserFromShop(segments.SaltOf(fmt.Sprintf("%032x", e.ShopID)), e.Name, "c1")
	}
	e.EventID = events.NamedID(e.ShopID, "test", fmt.Sprint(rapid.Uint32().Draw(t, "id")))
	return e
}

// TestBidderIsolation: whatever the visitors of another shop do, and whatever
// ads of it they see, hide or buy from, this shop's candidates, their values,
// prices and creatives before the auction, its explanations, previews, segments
// and what its pages are told are the same, byte for byte.
func TestBidderIsolation(t *testing.T) {
	among, alone := isolated(t), isolated(t)
	both := []*world{among, alone}
	rapid.Check(t, func(t *rapid.T) {
		in := isolationInput()
		for _, w := range both {
			w.in = in
			w.begin(in)
		}
		to := func(shop uint32) []*world {
			if shop == shopB {
				return both
			}
			return both[:1]
		}
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for i := range steps {
			for _, w := range both {
				w.clock.Advance(6 * time.Second)
			}
			now := among.clock.NowMS()
			shop := rapid.SampledFrom([]uint32{shopA, shopB}).Draw(t, "whose")
			person, _ := segments.UserFromUID(rapid.SampledFrom(isolationPeople).Draw(t, "person"))
			user := segments.Pseudonym(segments.SaltOf(fmt.Sprintf("%032x", shop)), person)
			campaign := shop*100 + rapid.Uint32Range(0, 22).Draw(t, "campaign")
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0: // an ad was shown and paid for
				e := events.Event{
					Type: events.TypeBilling, EventID: events.NamedID(shop, "billing", fmt.Sprint(i)), BidID: events.NamedID(shop, "bid", fmt.Sprint(i)), TimeMS: now, BidMS: now,
					Day: "2026-03-10", ShopID: shop, CampaignID: campaign, User: user, Settles: true, ShopAmount: 12_000_000, ShopCurrency: pln,
				}
				for _, w := range to(shop) {
					w.b.fold(&e)
				}
			case 1: // and hidden
				e := events.Event{Type: events.TypeHide, TimeMS: now, ShopID: shop, CampaignID: campaign, User: user}
				e.Product = rapid.SampledFrom([]string{"", "p0", "p1", "p2"}).Draw(t, "hidden")
				for _, w := range to(shop) {
					w.b.foldHide(&e)
				}
			case 2: // a list was imported
				for _, w := range to(shop) {
					w.in.Audiences = append(slices.Clone(w.in.Audiences), ofSegment(shop, shop*100+90, imported(shop*100+90, now, person))...)
					w.in.Audiences = slices.CompactFunc(w.in.Audiences, func(a, b *campaigns.AudienceBucket) bool { return a.SegmentID == b.SegmentID && a.Bucket == b.Bucket })
					w.in.Version++
					require.Empty(t, w.b.Publish(w.in))
				}
			case 3:
				d := time.Duration(rapid.Int64Range(1, 40_000_000).Draw(t, "ms")) * time.Millisecond
				for _, w := range both {
					w.clock.Advance(d)
					if i%2 == 0 {
						w.settleSegments()
					}
				}
			default:
				e := drawShopEvent(t, now)
				for _, w := range to(e.ShopID) {
					again := *e
					w.b.segments.engine.SetNow(now)
					w.b.foldShopEvent(&again, 0, int64(i))
				}
			}
		}
		for _, w := range both {
			w.settleSegments()
		}
		require.Equal(t, alone.shopSees(t, shopB), among.shopSees(t, shopB))
	})
}

// TestPagePricesIsolation: what visitors of other shops see on their pages, of
// products with the same ids, moves nothing here.
func TestPagePricesIsolation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		among, alone := newPagePrices(), newPagePrices()
		for i := range rapid.IntRange(1, 200).Draw(t, "views") {
			shop, product := rapid.Uint32Range(1, 3).Draw(t, "shop"), rapid.Uint64Range(1, 3).Draw(t, "product")
			price, who := money.Nano(rapid.IntRange(1, 2).Draw(t, "price")), segments.UserKey{byte(rapid.IntRange(1, 5).Draw(t, "who"))}
			among.saw(shop, product, price, 1, who, noon+int64(i))
			if shop == 1 {
				alone.saw(shop, product, price, 1, who, noon+int64(i))
			}
			for p := uint64(1); p <= 3; p++ {
				require.Equal(t, alone.of(1, p, noon), among.of(1, p, noon))
			}
		}
	})
}

func ofSegment(shop, segment uint32, list []*campaigns.AudienceBucket) []*campaigns.AudienceBucket {
	for _, a := range list {
		a.ShopID, a.SegmentID = shop, segment
	}
	return list
}
