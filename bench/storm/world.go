package storm

import (
	"fmt"
	"time"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// exchange is one that the storm plays.
type exchange struct {
	name     string
	currency string
	settles  [4]uint8 // by media code: events.SettleWin, …
	price    string   // YAML of the price encoding
	micros   bool     // prices are integers of millionths
}

func exchanges() []exchange {
	return []exchange{
		{"storm-usd", "USD", [4]uint8{0, events.SettleBilling, events.SettleImpression, events.SettleWin}, "", false},
		{"storm-eur", "EUR", [4]uint8{0, events.SettleWin, events.SettleBilling, events.SettleBilling}, "price: {encoding: micros}\n", true},
		{"storm-gbp", "GBP", [4]uint8{0, events.SettleImpression, events.SettleBilling, events.SettleImpression}, "", false},
	}
}

// rates of one US dollar.
func rates() map[string]string {
	return map[string]string{"PLN": "3.641", "EUR": "0.853", "GBP": "0.7407"}
}

// Files are what every node needs in its data directory, by name.
func Files(nowMS int64, hold time.Duration) map[string][]byte {
	files := map[string][]byte{}
	for _, x := range exchanges() {
		text := fmt.Sprintf("name: %s\nauction_type: 1\ntimeout_ms: 2000\nhold_seconds: %d\ncurrencies: [%s]\nsettle:\n", x.name, int(hold/time.Second), x.currency)
		for media := events.MediaBanner; media <= events.MediaNative; media++ {
			text += fmt.Sprintf("  %s: %s\n", events.MediaName(media), events.SettleType(x.settles[media]))
		}
		files["exchanges/"+x.name+".yaml"] = []byte(text + x.price)
	}
	r := rates()
	files["rates.json"] = fmt.Appendf(nil, `{"as_of": %d, "base": "USD", "rates": {"PLN": %q, "EUR": %q, "GBP": %q}}`, nowMS, r["PLN"], r["EUR"], r["GBP"])
	return files
}

// Records are the shops and campaigns, as they stand in grosz.campaigns.
func Records() []campaigns.Record {
	var out []campaigns.Record
	for _, s := range []campaigns.Shop{
		{ID: 1, Currency: money.MustCurrency("PLN"), TimeZone: "Europe/Warsaw", FeeBPS: 1250},
		{ID: 2, Currency: money.MustCurrency("EUR"), TimeZone: "Pacific/Auckland", FeeBPS: 0},
		{ID: 3, Currency: money.MustCurrency("USD"), TimeZone: "America/Los_Angeles", FeeBPS: 333},
	} {
		s.Version, s.Name, s.Active = 1, fmt.Sprint("Shop ", s.ID), true
		s.Domain, s.Salt = fmt.Sprintf("shop%d.example", s.ID), "00112233445566778899aabbccddeeff"
		s.URL = "https://" + s.Domain + "/"
		out = append(out, campaigns.Record{Key: fmt.Sprint("shop/", s.ID), Version: 1, Shop: &s})
		for n := range uint32(2) {
			c := campaign(s.ID, 10*s.ID+n)
			out = append(out, campaigns.Record{Key: fmt.Sprint("campaign/", c.ID), Version: 1, Campaign: c})
		}
	}
	return out
}

func campaign(shop, id uint32) *campaigns.Campaign {
	return &campaigns.Campaign{
		ID: id, ShopID: shop, Version: 1, Name: fmt.Sprint("Campaign ", id), Kind: campaigns.KindInterest, Status: campaigns.StatusActive,
		Bid: campaigns.Bid{CPM: 12_345_678},
		Creatives: []campaigns.Creative{
			{ID: id*10 + 1, Media: campaigns.MediaBanner, Title: "Sofas", CTA: "Look"},
			{ID: id*10 + 2, Media: campaigns.MediaNative, Title: "Sofas for you", Body: "Soft ones.", CTA: "Look", ImageURL: "https://cdn.shop.example/a.jpg"},
			{ID: id*10 + 3, Media: campaigns.MediaVideo, Title: "Sofas", Video: &campaigns.Video{
				URL: "/spot15.mp4", MIME: "video/mp4", DurationMS: 15_000, W: 640, H: 360, BitrateKbps: 300,
			}},
		},
	}
}

// shopTerms are what a minted token says of a shop.
type shopTerms struct {
	id       uint32
	currency money.Currency
	fee      uint32
	rate     map[string]money.Rate // by the exchange's currency
}

func shops() []shopTerms {
	rate := func(s string) money.Rate {
		r, err := money.ParseRate(s)
		if err != nil {
			panic(err) // a constant of this file
		}
		return r
	}
	return []shopTerms{
		{1, money.MustCurrency("PLN"), 1250, map[string]money.Rate{"USD": rate("3.641"), "EUR": rate("4.268464244"), "GBP": rate("4.915620359")}},
		{2, money.MustCurrency("EUR"), 0, map[string]money.Rate{"USD": rate("0.853"), "EUR": rate("1"), "GBP": rate("1.151613339")}},
		{3, money.MustCurrency("USD"), 333, map[string]money.Rate{"USD": rate("1"), "EUR": rate("1.172332942"), "GBP": rate("1.350074254")}},
	}
}
