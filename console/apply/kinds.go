package apply

import (
	"reflect"
	"slices"
	"strings"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// Settings are what a shop may set of itself; fees, credit and whether it is
// active are the administrator's, by the API.
type Settings struct {
	Name            string   `json:"name,omitempty"`
	Domain          string   `json:"domain,omitempty"`
	URL             string   `json:"url,omitempty"`
	LogoURL         string   `json:"logo_url,omitempty"`
	Currency        string   `json:"currency,omitempty"`
	TimeZone        string   `json:"time_zone,omitempty"`
	Language        string   `json:"language,omitempty"`
	Categories      []string `json:"categories,omitempty"`
	FeedMaxAgeHours int      `json:"feed_max_age_hours,omitempty"`
	PriceMoveBPS    int64    `json:"price_move_bps,omitempty"`
	ClickWindow     uint32   `json:"click_window,omitempty"`
	ViewWindow      uint32   `json:"view_window,omitempty"`
}

// FeedSource is where the feed is fetched from; none without a URL.
type FeedSource struct {
	URL          string `json:"url,omitempty"`
	Format       string `json:"format,omitempty"`
	EveryMinutes int    `json:"every_minutes,omitempty"`
}

// Webhook is where alerts go. Its secret is the console's to give.
type Webhook struct {
	URL          string     `json:"url"`
	Kinds        []string   `json:"kinds"`
	CostPerOrder money.Nano `json:"cost_per_order,omitempty"`
}

// kind is a sort of entry.
type kind struct {
	section  string // of the file, and of the API's path
	one      string // as people call it
	typ      reflect.Type
	numbered bool   // an id may tell which one it is
	known    string // the field by which it is known
}

var (
	settingsKind = kind{"settings", "settings", reflect.TypeFor[Settings](), false, ""}
	feedKind     = kind{"feed", "feed source", reflect.TypeFor[FeedSource](), false, ""}
	listKind     = kind{"lists", "list", reflect.TypeFor[List](), false, "name"}
	segmentKind  = kind{"segments", "segment", reflect.TypeFor[campaigns.Segment](), true, "name"}
	campaignKind = kind{"campaigns", "campaign", reflect.TypeFor[campaigns.Campaign](), true, "name"}
	webhookKind  = kind{"webhooks", "webhook", reflect.TypeFor[Webhook](), true, "url"}
)

// parts are the sections that are lists, those first that others name. What is
// deleted goes in the other order.
func parts() []kind { return []kind{listKind, segmentKind, campaignKind, webhookKind} }

// nameOf is what a document is called, for people.
func nameOf(doc any) string {
	switch d := doc.(type) {
	case *Settings, *FeedSource:
		return ""
	case *Webhook:
		return hideHook(d.URL)
	}
	return reflect.ValueOf(doc).Elem().FieldByName("Name").String()
}

// keyOf is the form in which names are compared.
func keyOf(doc any) string {
	switch d := doc.(type) {
	case *campaigns.Segment:
		return campaigns.SegmentKey(d.Name)
	case *Webhook:
		return Hide(d.URL)
	}
	return strings.TrimSpace(nameOf(doc))
}

// given are fields that the console gives; a file has none of them. An id may
// stand in an entry itself, to tell which one it is.
func given(name string) bool { return name == "id" || name == "shop_id" || name == "version" }

// isTime tells of fields that are ms UTC in the API and times in a file.
func isTime(t reflect.Type, name string) bool {
	return t == campaignKind.typ && (name == "start" || name == "end")
}

// jsonField is a field of a document as the API names it.
type jsonField struct {
	name  string
	index int
}

func jsonFields(t reflect.Type) []jsonField {
	var out []jsonField
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			out = append(out, jsonField{name, i})
		}
	}
	return out
}

// settle fills in what the console would: the file then compares as it will
// be.
func settle(doc any) {
	switch d := doc.(type) {
	case *campaigns.Campaign:
		if d.Status == "" {
			d.Status = campaigns.StatusPaused
		}
		for i := range d.Creatives {
			settleCreative(&d.Creatives[i])
		}
	case *FeedSource:
		if d.EveryMinutes == 0 && d.URL != "" {
			d.EveryMinutes = 60
		}
	case *Webhook:
		slices.Sort(d.Kinds)
		d.Kinds = slices.Compact(d.Kinds)
	case *campaigns.Segment:
		if d.Source == "" && d.Expression != "" {
			d.Source = campaigns.SegmentRule
		}
	}
}

// settleCreative leaves out what the console reads from an uploaded file.
func settleCreative(c *campaigns.Creative) {
	c.Image = nil
	if c.Asset == "" || c.Video == nil {
		return
	}
	if skip := c.Video.SkipAfterMS; skip != 0 {
		c.Video = &campaigns.Video{SkipAfterMS: skip}
	} else {
		c.Video = nil
	}
}

// keepIDs gives the file's creatives the ids of those that are there: the same
// ones first, then by medium in order. A creative that keeps its id keeps what
// is known of it.
func keepIDs(want, have []campaigns.Creative) {
	taken := make([]bool, len(have))
	pair := func(fits func(w, h campaigns.Creative) bool) {
		for i := range want {
			for j := range have {
				if want[i].ID == 0 && !taken[j] && fits(want[i], have[j]) {
					want[i].ID, taken[j] = have[j].ID, true
					if want[i].Asset != "" && want[i].Asset == have[j].Asset && len(want[i].Sizes) == 0 {
						want[i].Sizes = have[j].Sizes
					}
				}
			}
		}
	}
	pair(func(w, h campaigns.Creative) bool {
		h.ID = 0
		if w.Asset != "" && len(w.Sizes) == 0 {
			h.Sizes = nil
		}
		return reflect.DeepEqual(plain(w), plain(h))
	})
	pair(func(w, h campaigns.Creative) bool { return w.Media == h.Media })
}
