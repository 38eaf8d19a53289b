package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/internal/money"
)

// Shop is a shop as the API shows it and takes it: without keys and salt.
type Shop struct {
	ID              uint32     `json:"id" readOnly:"true" doc:"Given by the console, never given again"`
	Version         int64      `json:"version" readOnly:"true" doc:"Grows with each change; the ETag"`
	Created         int64      `json:"created" readOnly:"true" doc:"When it was made, ms UTC"`
	Updated         int64      `json:"updated" readOnly:"true" doc:"When it last changed, ms UTC"`
	Name            string     `json:"name" doc:"Name that people see" minLength:"1" maxLength:"200"`
	Domain          string     `json:"domain" doc:"Advertiser domain of the ads (bid.adomain)" example:"shoes.example"`
	URL             string     `json:"url" doc:"Where a click lands that has no product of its own; https" format:"uri"`
	LogoURL         string     `json:"logo_url,omitempty" doc:"Logo for ads; https" format:"uri"`
	Currency        string     `json:"currency" doc:"ISO 4217 code of budgets, bids and feed; fixed once there is a campaign" example:"PLN"`
	TimeZone        string     `json:"time_zone" doc:"IANA name; the shop's days are of it" example:"Europe/Warsaw"`
	Language        string     `json:"language,omitempty" doc:"Language of the ads, ISO 639-1; empty: unknown, and no request is refused for its wlang" example:"pl"`
	FeeBPS          int64      `json:"fee_bps" required:"false" doc:"Platform's share of media cost in basis points; only the administrator sets it" minimum:"0" maximum:"10000"`
	FeeCPM          money.CPM  `json:"fee_cpm,omitempty" required:"false" doc:"Platform's price of a thousand impressions in place of a share; only the administrator sets it"`
	Prepaid         bool       `json:"prepaid,omitempty" required:"false" doc:"The shop spends what it deposited and no more than its credit beyond it; only the administrator sets it"`
	Credit          money.Nano `json:"credit,omitempty" required:"false" doc:"How far a prepaid shop's balance may fall below zero; only the administrator sets it"`
	Categories      []string   `json:"categories,omitempty" nullable:"false" doc:"IAB content categories of the ads (bid.cat)"`
	FeedMaxAgeHours int        `json:"feed_max_age_hours,omitempty" doc:"Products of a feed that was not confirmed for so many hours are not shown; 0: however old" minimum:"0" maximum:"8760"`
	PriceMoveBPS    int64      `json:"price_move_bps,omitempty" doc:"A product is not shown while its page's price, as several visitors saw it, is further than this from the feed's, in basis points; 0: however far" minimum:"0" maximum:"1000000"`
	Active          bool       `json:"active" required:"false" doc:"Whether the shop's campaigns bid; true for a new shop; only the administrator sets it"`
	ClickWindow     uint32     `json:"click_window,omitempty" doc:"How long before an order a click counts, seconds; 0: 30 days" maximum:"7776000"`
	ViewWindow      uint32     `json:"view_window,omitempty" doc:"How long before an order a view counts, seconds; 0: 1 day" maximum:"7776000"`
}

func shopView(s store.Shop) Shop {
	return Shop{
		ID: s.ID, Version: s.Version, Created: s.CreatedMS, Updated: s.UpdatedMS,
		Name: s.Name, Domain: s.Domain, URL: s.URL, LogoURL: s.LogoURL, Currency: s.Currency.String(), TimeZone: s.TimeZone,
		Language: s.Language, FeeBPS: s.FeeBPS, FeeCPM: s.FeeCPM, Prepaid: s.Prepaid, Credit: s.Credit, ClickWindow: s.ClickWindow, ViewWindow: s.ViewWindow, Categories: s.Categories, Active: s.Active,
		FeedMaxAgeHours: s.FeedMaxAgeHours, PriceMoveBPS: s.PriceMoveBPS,
	}
}

// document checks a shop and returns it as it is stored.
func (v *Shop) document(p *problems) campaigns.Shop {
	checkText(p, "body.name", v.Name, 1, 200)
	checkDomain(p, "body.domain", v.Domain)
	checkURL(p, "body.url", v.URL, true)
	checkURL(p, "body.logo_url", v.LogoURL, false)
	cur := checkCurrency(p, "body.currency", v.Currency)
	checkTimeZone(p, "body.time_zone", v.TimeZone)
	checkLanguage(p, "body.language", v.Language)
	checkRange(p, "body.fee_bps", v.FeeBPS, 0, 10_000)
	checkRange(p, "body.click_window", int64(v.ClickWindow), 0, 90*24*3600)
	checkRange(p, "body.view_window", int64(v.ViewWindow), 0, 90*24*3600)
	checkTerms(p, v)
	checkRange(p, "body.feed_max_age_hours", v.FeedMaxAgeHours, 0, 8760)
	checkRange(p, "body.price_move_bps", v.PriceMoveBPS, 0, 1_000_000)
	checkCategories(p, "body.categories", v.Categories)
	return campaigns.Shop{
		ID: v.ID, Version: v.Version, Name: v.Name, Domain: v.Domain, URL: v.URL, LogoURL: v.LogoURL, Currency: cur,
		TimeZone: v.TimeZone, Language: v.Language, FeeBPS: v.FeeBPS, FeeCPM: v.FeeCPM, Prepaid: v.Prepaid, Credit: v.Credit, ClickWindow: v.ClickWindow, ViewWindow: v.ViewWindow, Categories: v.Categories, Active: v.Active,
		FeedMaxAgeHours: v.FeedMaxAgeHours, PriceMoveBPS: v.PriceMoveBPS,
	}
}

type shopOutput struct {
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotency-Replayed" doc:"true when this is the answer to an earlier request"`
	Body     Shop
}

func shopAnswer(v Shop) *shopOutput { return &shopOutput{ETag: etag(v.Version), Body: v} }

func (s *Server) shopRoutes() {
	body := reflect.TypeFor[Shop]()
	register(s, route{Operation: huma.Operation{
		OperationID: "list-shops", Method: http.MethodGet, Path: "/api/v1/shops", Tags: []string{"Shops"}, Summary: "List shops",
		Description: "All of them for the administrator; its own for a shop's key.",
	}, access: accessRead}, s.listShops)
	register(s, route{Operation: huma.Operation{
		OperationID: "create-shop", Method: http.MethodPost, Path: "/api/v1/shops", Tags: []string{"Shops"}, Summary: "Create a shop",
		DefaultStatus: http.StatusCreated,
	}, access: accessAdmin, body: body}, s.createShop)
	register(s, route{Operation: huma.Operation{
		OperationID: "get-shop", Method: http.MethodGet, Path: "/api/v1/shops/{shop}", Tags: []string{"Shops"}, Summary: "Read a shop",
	}, access: accessRead}, s.getShop)
	register(s, route{Operation: huma.Operation{
		OperationID: "update-shop", Method: http.MethodPatch, Path: "/api/v1/shops/{shop}", Tags: []string{"Shops"}, Summary: "Change a shop",
		Description: "A JSON merge patch (RFC 7396): fields that are left out stay, null removes.",
		Errors:      []int{http.StatusPreconditionFailed},
	}, access: accessWrite, body: body}, s.updateShop)
}

type shopList struct{ Body list[Shop] }

func (s *Server) listShops(ctx context.Context, in *struct{ Page }) (*shopList, error) {
	who := caller(ctx)
	if !who.admin {
		shop, err := s.store.View().Shop(ctx, who.shop)
		if err != nil {
			return nil, err
		}
		return &shopList{list[Shop]{Items: []Shop{shopView(shop)}}}, nil
	}
	after, err := in.id("shop", 32)
	if err != nil {
		return nil, err
	}
	shops, err := s.store.View().Shops(ctx, uint32(after), in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &shopList{pageOf(shops, in.Limit, "shop", func(x store.Shop) int64 { return int64(x.ID) }, shopView)}, nil
}

type createShopInput struct {
	OnceHeader
	jsonBody
}

func (s *Server) createShop(ctx context.Context, in *createShopInput) (*shopOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	v := Shop{Active: true}
	var p problems
	decode(raw, &v, &p)
	doc := v.document(&p)
	if err := p.err(); err != nil {
		return nil, err
	}
	var out *shopOutput
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		made, replayed, err := once(ctx, tx, in.OnceHeader, "create-shop", in.RawBody, func() (Shop, error) {
			shop, err := tx.CreateShop(ctx, doc)
			if err == nil {
				err = recordTerms(ctx, tx, shop, nil)
			}
			return shopView(shop), err
		})
		out = shopAnswer(made)
		out.Replayed = replayedHeader(replayed)
		return err
	})
	return out, err
}

func (s *Server) getShop(ctx context.Context, in *struct{ ShopPath }) (*shopOutput, error) {
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	return shopAnswer(shopView(shop)), nil
}

type updateShopInput struct {
	ShopPath
	MatchHeader
	jsonBody
}

func (s *Server) updateShop(ctx context.Context, in *updateShopInput) (*shopOutput, error) {
	patch, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var out *shopOutput
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		old, err := tx.Shop(ctx, in.Shop)
		if err != nil {
			return err
		}
		if err := in.check(old.Version); err != nil {
			return err
		}
		doc, err := s.patchedShop(ctx, tx, old, patch)
		if err != nil {
			return err
		}
		shop, err := tx.UpdateShop(ctx, doc)
		if err == nil {
			err = recordTerms(ctx, tx, shop, &old.Shop)
		}
		out = shopAnswer(shopView(shop))
		return err
	})
	return out, err
}

func (s *Server) patchedShop(ctx context.Context, tx *store.Tx, old store.Shop, patch json.RawMessage) (campaigns.Shop, error) {
	before := shopView(old)
	var v Shop
	var p problems
	if err := decodePatched(before, patch, &v, &p); err != nil {
		return campaigns.Shop{}, err
	}
	v.ID, v.Version = old.ID, old.Version
	doc := v.document(&p)
	if who := caller(ctx); !who.admin {
		if v.FeeBPS != before.FeeBPS {
			p.add("body.fee_bps", "only the administrator may change it")
		}
		sameTerms(&p, &v, &before)
		if v.Active != before.Active {
			p.add("body.active", "only the administrator may change it")
		}
	}
	if doc.Currency != old.Currency && doc.Currency != (money.Currency{}) {
		if err := currencyFree(ctx, tx, old.ID, &p); err != nil {
			return campaigns.Shop{}, err
		}
	}
	return doc, p.err()
}

// currencyFree refuses a new currency once amounts exist in the old one.
func currencyFree(ctx context.Context, tx *store.Tx, shop uint32, p *problems) error {
	n, err := tx.CampaignCount(ctx, shop)
	if err != nil {
		return err
	}
	if n > 0 {
		p.add("body.currency", "cannot change any more: budgets and bids of %d campaigns are in it", n)
	}
	if seq, _, err := tx.Deposited(ctx, shop); err != nil {
		return err
	} else if seq > 0 {
		p.add("body.currency", "cannot change any more: %d deposits are in it", seq)
	}
	if n, err = tx.SegmentCount(ctx, shop); n > 0 {
		p.add("body.currency", "cannot change any more: amounts in %d segments may be in it", n)
	}
	return err
}

// decodePatched applies a merge patch to what the API shows and reads the
// result into to.
func decodePatched(before any, patch json.RawMessage, to any, p *problems) error {
	target, err := json.Marshal(before)
	if err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	merged, err := mergePatch(target, patch)
	if err != nil {
		return err
	}
	decode(merged, to, p)
	return nil
}
