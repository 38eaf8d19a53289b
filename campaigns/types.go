package campaigns

import "github.com/grosz/grosz/internal/money"

// Kinds of campaign. The kind says which targeting a marketer starts from and
// how results are grouped; the targeting expression decides who is bid on.
const (
	KindRemarketing = "remarketing" // people who visited, viewed, filled a cart
	KindIntent      = "intent"      // people now looking for such products
	KindInterest    = "interest"    // the context: URL, domain, category
)

// Statuses of a campaign. Only an active one bids.
const (
	StatusActive   = "active"
	StatusPaused   = "paused"
	StatusArchived = "archived"
)

// Media types, as events and configuration spell them.
const (
	MediaBanner = "banner"
	MediaVideo  = "video"
	MediaNative = "native"
	MediaAudio  = "audio"
)

// Shop is an advertiser: a tenant. Everything a shop owns carries its ID, and
// nothing of one shop is ever read for another.
type Shop struct {
	ID      uint32 `json:"id"`
	Version int64  `json:"version"`
	Name    string `json:"name"`
	// Domain goes into bid.adomain, such as "shoes.example".
	Domain string `json:"domain"`
	// URL is where a click lands that has no product of its own.
	URL      string         `json:"url"`
	LogoURL  string         `json:"logo_url,omitempty"`
	Currency money.Currency `json:"currency"`
	// Language of the shop's ads, ISO 639-1; empty means unknown.
	Language string `json:"language,omitempty"`
	// TimeZone is an IANA name; the shop's days and hours are of it.
	TimeZone string `json:"time_zone"`
	// FeeBPS is the platform's share of media cost in basis points. It is
	// booked beside the media cost; budgets are gross and contain it.
	FeeBPS int64 `json:"fee_bps"`
	// FeeCPM is the platform's price of a thousand impressions in place of a
	// share, in the shop's currency.
	FeeCPM money.CPM `json:"fee_cpm,omitempty"`
	// Prepaid shops spend what they deposited, and Credit beyond it, in their
	// currency; others are billed afterwards, within their campaigns' budgets.
	Prepaid bool       `json:"prepaid,omitempty"`
	Credit  money.Nano `json:"credit,omitempty"`
	// ClickWindow and ViewWindow are how long before an order a click or a view
	// counts, in seconds; 0 is 30 days and 1 day.
	ClickWindow uint32 `json:"click_window,omitempty"`
	ViewWindow  uint32 `json:"view_window,omitempty"`
	// Categories are IAB content categories of the shop's ads (bid.cat).
	Categories []string `json:"categories,omitempty"`
	Active     bool     `json:"active"`
	// FeedMaxAgeHours is how old a feed may be whose products are still shown;
	// 0: as old as it likes.
	FeedMaxAgeHours int `json:"feed_max_age_hours,omitempty"`
	// PriceMoveBPS is how far the price that visitors see on a product's page
	// may be from the feed's before the product is not shown any more, in
	// basis points; 0: as far as it likes.
	PriceMoveBPS int64 `json:"price_move_bps,omitempty"`
	// Keys open the shop's API: only hashes leave the console.
	Keys []Key `json:"keys,omitempty"`
	// Salt makes the pseudonyms of the shop's users its own: 32 hex digits,
	// made with the shop, never shown by the API.
	Salt string `json:"salt,omitempty"`
}

// Fee is what the platform takes beside the media cost.
func (s *Shop) Fee() money.Fee { return money.Fee{BPS: s.FeeBPS, CPM: s.FeeCPM} }

// Key is an API key's public part. The key itself is shown once, when made.
type Key struct {
	ID string `json:"id"`
	// SHA256 is the hash of the whole key, hex.
	SHA256 string `json:"sha256"`
	// Scopes are "events" (shop events only), "read" or "write".
	Scopes    []string `json:"scopes"`
	CreatedMS int64    `json:"created"`
	RevokedMS int64    `json:"revoked,omitempty"`
}

// Campaign is what a shop asks for.
type Campaign struct {
	ID      uint32 `json:"id"`
	ShopID  uint32 `json:"shop_id"`
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Status  string `json:"status"`
	// Targeting is a Boolean expression over named predicates; empty means
	// everyone (run of network).
	Targeting string `json:"targeting"`
	Bid       Bid    `json:"bid"`
	// Goal bounds the bid by what an impression is likely to bring; see Goal.
	Goal Goal `json:"goal,omitzero"`
	// Billing says what the shop pays for: BillingCPM, which empty is too, or
	// BillingCPC. Then CPC is the price of a click in the shop's currency, to
	// which the platform's fee comes where it is a share, and the platform pays
	// for the impressions.
	Billing string     `json:"billing,omitempty"`
	CPC     money.Nano `json:"cpc,omitempty"`
	Budget  Budget     `json:"budget"`
	// Pacing says how a day's budget is spread over the day: PacingEven,
	// PacingFront or PacingASAP; empty is PacingASAP.
	Pacing string `json:"pacing,omitempty"`
	// Frequency caps impressions per user; zero means no cap.
	Frequency Frequency `json:"frequency"`
	// HoldoutBPS is the share of the people, in basis points, for whom the bid
	// is made and not sent, so that it shows what the campaign changes.
	HoldoutBPS int64      `json:"holdout_bps,omitempty"`
	StartMS    int64      `json:"start,omitempty"` // 0: at once
	EndMS      int64      `json:"end,omitempty"`   // 0: never
	Creatives  []Creative `json:"creatives"`
}

// Bid says what an impression is worth to the campaign, in the shop's
// currency.
type Bid struct {
	// CPM is the price for an ordinary matching impression; 0 only beside a
	// Goal and a MaxCPM.
	CPM money.CPM `json:"cpm"`
	// MaxCPM bounds the price after boosts; 0 means no bound but the boosts'.
	MaxCPM money.CPM `json:"max_cpm,omitempty"`
	// Boosts multiply the price where their condition holds; all that hold
	// multiply together.
	Boosts []Boost `json:"boosts,omitempty"`
}

// Boost raises or lowers the price where When, an expression in the
// targeting language, holds: 15,000 basis points are ×1.5.
type Boost struct {
	When string `json:"when"`
	BPS  int64  `json:"bps"`
}

// Budget bounds what a campaign may spend, in the shop's currency, gross (fee
// included). Zero means no bound of that sort.
type Budget struct {
	Total money.Nano `json:"total"`
	// Day is per day of the shop's time zone; a bid counts on the day it was
	// made.
	Day money.Nano `json:"day"`
	// Week begins on Monday.
	Week money.Nano `json:"week,omitempty"`
}

// Frequency allows Impressions of the campaign per user within Hours, and
// bounds what Caps name beside it.
type Frequency struct {
	Impressions int `json:"impressions"`
	Hours       int `json:"hours"`
	// Strict counts every bid under way as an impression, so that late notices
	// never exceed a cap; else what is expected of them is counted.
	Strict bool           `json:"strict,omitempty"`
	Caps   []FrequencyCap `json:"caps,omitempty"`
	// Fatigue lowers the value with the impressions before; nil: it does not.
	Fatigue *Fatigue `json:"fatigue,omitempty"`
}

// What a FrequencyCap is per.
const (
	PerCampaign = "campaign"
	PerShop     = "shop"     // all campaigns of the shop
	PerCreative = "creative" // each creative by itself
	PerProduct  = "product"  // each product of the shop by itself, in whichever campaign's ad
)

// MaxFrequencyCaps bounds the caps of a campaign beside its first.
const MaxFrequencyCaps = 6

// FrequencyCap allows Impressions per user within Hours.
type FrequencyCap struct {
	Per         string `json:"per"`
	Impressions int    `json:"impressions"`
	Hours       int    `json:"hours"`
}

// Fatigue is how an impression's value falls with those that the person had in
// the last seven days, and comes back with time.
type Fatigue struct {
	// HalfAfter impressions the value is half; 0: it does not fall.
	HalfAfter int `json:"half_after,omitempty"`
	// RecoverMinutes after the latest the value is 63 % of what it was; 0: it
	// is back at once.
	RecoverMinutes int `json:"recover_minutes,omitempty"`
}

// Capped tells whether any cap is set.
func (f *Frequency) Capped() bool { return f.Impressions > 0 || len(f.Caps) > 0 }

// Creative is one ad of a campaign. Product creatives (Template set) are
// filled with the user's products at bid time; a video plays an uploaded file.
type Creative struct {
	ID    uint32 `json:"id"`
	Media string `json:"media"` // banner, video or native
	// Sizes a banner may take; empty means every standard size.
	Sizes []Size `json:"sizes,omitempty"`
	// Template of a banner: "grid", "carousel", "single" or "logo"; empty means chosen by
	// the size and by how many products there are.
	Template string `json:"template,omitempty"`
	Title    string `json:"title,omitempty"`
	Body     string `json:"body,omitempty"`
	CTA      string `json:"cta,omitempty"`
	// ImageURL is the main image where no product serves.
	ImageURL string `json:"image_url,omitempty"`
	Video    *Video `json:"video,omitempty"`
	// Asset is the id of an uploaded file that the ad shows as it is: a
	// banner's picture or a video. Image and Video then say what it is.
	Asset string `json:"asset,omitempty"`
	Image *Image `json:"image,omitempty"`
	// Attr are OpenRTB creative attributes (AdCOM list) that the ad has,
	// checked against battr.
	Attr []int `json:"attr,omitempty"`
}

// Image is an uploaded picture that is a banner by itself.
type Image struct {
	// Path of the file below the assets' base, with a leading slash.
	Path string `json:"path"`
	MIME string `json:"mime"`
	// W and H are the picture's own pixels: the banner's, or twice as many.
	W int `json:"w"`
	H int `json:"h"`
}

// Size is in CSS pixels (device-independent).
type Size struct {
	W int `json:"w"`
	H int `json:"h"`
}

// Video is an uploaded file, progressive MP4.
type Video struct {
	URL        string `json:"url"`
	MIME       string `json:"mime"`
	DurationMS int64  `json:"duration_ms"`
	W          int    `json:"w"`
	H          int    `json:"h"`
	// BitrateKbps is the file's average bit rate.
	BitrateKbps int `json:"bitrate_kbps"`
	// SkipAfterMS makes the ad skippable after that time; 0 means not.
	SkipAfterMS int64 `json:"skip_after_ms,omitempty"`
}

// Product is one row of a shop's feed.
type Product struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Category is a path such as "Shoes > Women > Heels".
	Category  string         `json:"category,omitempty"`
	Brand     string         `json:"brand,omitempty"`
	URL       string         `json:"url"`
	ImageURL  string         `json:"image_url"`
	Price     money.Nano     `json:"price"`
	Currency  money.Currency `json:"currency"`
	Available bool           `json:"available"`
	// ListPrice is the shop's regular price while Price is a reduced one; 0:
	// it is not reduced.
	ListPrice money.Nano `json:"list_price,omitempty"`
	// Lowest30 is the lowest price of the 30 days before the reduction, the
	// only one that a discount may be shown against (Directive 98/6/EC, art.
	// 6a); from the feed, else from our own history of its prices. 0: not known.
	Lowest30 money.Nano `json:"lowest_30d,omitempty"`
	// GTIN is the article's number, Group what its variants share.
	GTIN  string `json:"gtin,omitempty"`
	Group string `json:"item_group_id,omitempty"`
	// MarginBPS is what the shop keeps of the price, MarginClass its own word
	// for that; custom labels are the shop's own, 0 to 4.
	MarginBPS   int64    `json:"margin_bps,omitempty"`
	MarginClass string   `json:"margin_class,omitempty"`
	Labels      []string `json:"custom_labels,omitempty"`
}

// Discount is how far Price is below the lowest price of the 30 days before,
// in whole percent, rounded down; 0 where there is none that may be shown.
func (p *Product) Discount() int {
	if p.Lowest30 <= 0 || p.Price <= 0 || p.Price >= p.Lowest30 {
		return 0
	}
	return int((p.Lowest30 - p.Price) / max(p.Lowest30/100, 1))
}

// Record is one message of the compacted topic `grosz.campaigns`: the whole
// of one thing, keyed so that the newest replaces the older. Readers ignore a
// Version that is not newer than the one they hold.
type Record struct {
	// Key is "shop/7", "campaign/12", "products/7/3" (shop, bucket), "segment/5",
	// "audience/5/3" (segment, bucket) or "list/7/2/0" (shop, list, part).
	Key     string `json:"key"`
	Version int64  `json:"version"`
	// Deleted marks a thing that is gone; the documents are then empty.
	Deleted  bool           `json:"deleted,omitempty"`
	Shop     *Shop          `json:"shop,omitempty"`
	Campaign *Campaign      `json:"campaign,omitempty"`
	Products *ProductBucket `json:"products,omitempty"`
	// Segment and Audience are of named segments; see segment.go.
	Segment  *Segment        `json:"segment,omitempty"`
	Audience *AudienceBucket `json:"audience,omitempty"`
	List     *ListPart       `json:"list,omitempty"`
	// Approvals is of a shop: key "approvals/7".
	Approvals *Approvals `json:"approvals,omitempty"`
	Feed      *FeedState `json:"feed,omitempty"` // key "feed/7"
}

// FeedState is how fresh a shop's feed is.
type FeedState struct {
	ShopID uint32 `json:"shop_id"`
	// CheckedMS is when the feed was last known to be as the shop has it, ms
	// UTC: loaded, or fetched and found unchanged.
	CheckedMS int64 `json:"checked"`
}

// ProductBucket is a slice of a shop's feed: the products whose hashed ID
// falls into Bucket of Buckets. A feed is spread over so many buckets that a
// message stays below Kafka's 1 MB and a changed product resends one bucket.
type ProductBucket struct {
	ShopID  uint32    `json:"shop_id"`
	Feed    int64     `json:"feed"` // version of the whole feed; buckets of an older one with another Buckets are void
	Bucket  int       `json:"bucket"`
	Buckets int       `json:"buckets"`
	Items   []Product `json:"items"`
}
