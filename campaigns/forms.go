package campaigns

import (
	"slices"

	"github.com/grosz/grosz/segments"
)

// PredicateDoc tells a marketer of one predicate.
type PredicateDoc struct {
	Name string `json:"name"`
	// Form is how it is written; [ ] is optional, … may repeat.
	Form    string `json:"form"`
	Example string `json:"example"`
	Explain string `json:"explain"`
}

// form is a predicate's grammar: its documentation and how the rest of it is
// read once its name was taken.
type form struct {
	PredicateDoc
	read func(p *parser, name token) (*node, error)
}

// Predicates lists the targeting language's predicates, for help and checks.
func Predicates() []PredicateDoc {
	all := forms()
	docs := make([]PredicateDoc, len(all))
	for i := range all {
		docs[i] = all[i].PredicateDoc
	}
	return docs
}

func findForm(all []form, name string) (form, bool) {
	name = formAlias(name)
	i := slices.IndexFunc(all, func(f form) bool { return f.Name == name })
	if i < 0 {
		return form{}, false
	}
	return all[i], true
}

func formAlias(name string) string {
	switch name {
	case "bought":
		return "purchased"
	case "converted":
		return "conversion"
	case "app":
		return "bundle"
	}
	return name
}

func formNames(all []form) []string {
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names
}

func forms() []form { return append(userForms(), contextForms()...) }

func userForms() []form {
	return []form{
		{PredicateDoc{"known", "known", "known", "the shop has seen this user"},
			userFlag(segments.OpKnown)},
		{PredicateDoc{"visited", "visited [within TIME]", "visited within 30d", "any activity in the shop"},
			userRecent(segments.OpVisited)},
		{PredicateDoc{"viewed", `viewed [product "id" | category "name" | ` + marginForm + `] [within TIME]`, `viewed category "sofas" within 14d`, "looked at a product, at this product, or at this category; or at one of such a margin, among the latest eight"},
			readViewed},
		{PredicateDoc{"searched", `searched ["words" | in ("words", …)] [within TIME]`, `searched "sofa" within 2d`, "searched in the shop; with words, for all of these words"},
			readSearched},
		{PredicateDoc{"in_cart", `in_cart ["product id" | ` + marginForm + `]`, "in_cart", "the cart holds something, or this product, or one of such a margin"},
			readInCart},
		{PredicateDoc{"cart_value", "cart_value >= AMOUNT CUR", "cart_value >= 500 PLN", "what the cart is worth; 0 if empty"},
			userMoney(segments.OpCartValue)},
		{PredicateDoc{"abandoned", "abandoned [within TIME]", "abandoned within 7d", "the cart is not empty, was left alone for 30 minutes, and nothing was bought since"},
			userRecent(segments.OpAbandoned)},
		{PredicateDoc{"checkout", "checkout [within TIME]", "checkout within 1d", "began to check out"},
			userRecent(segments.OpCheckout)},
		{PredicateDoc{"purchased", `purchased [product "id" | ` + marginForm + `] [within TIME]`, "purchased within 30d", "bought something; or this product, or one of such a margin, among the latest four; within is about the latest order"},
			readPurchased},
		{PredicateDoc{"conversion", `conversion ["name" | in ("name", …)] [within TIME]`, `conversion "lead" within 30d`, "did what the shop reports as a conversion of this name, or of any: such as a lead or a sign-up; among the latest four names"},
			readConversion},
		{PredicateDoc{"is_buyer", "is_buyer", "is_buyer", "bought at least once"},
			userFlag(segments.OpBuyer)},
		{PredicateDoc{"orders", "orders > NUMBER", "orders > 3", "number of orders"},
			userCount(segments.OpOrders)},
		{PredicateDoc{"avg_basket", "avg_basket > AMOUNT CUR", "avg_basket > 300 PLN", "revenue per order; never holds without an order"},
			userMoney(segments.OpAvgBasket)},
		{PredicateDoc{"revenue", "revenue >= AMOUNT CUR", "revenue >= 2000 PLN", "value of all orders"},
			userMoney(segments.OpRevenue)},
		{PredicateDoc{"margin", "margin >= AMOUNT CUR", "margin >= 200 PLN", "what all orders left you, by the margins that the feed gave when they were placed"},
			readMargin},
		{PredicateDoc{"views", "views >= NUMBER", "views >= 5", "number of product views"},
			userCount(segments.OpViews)},
		{PredicateDoc{"visits", "visits >= NUMBER", "visits >= 3", "number of visits"},
			userCount(segments.OpVisits)},
		{PredicateDoc{"same_product_views", "same_product_views >= NUMBER [within TIME]", "same_product_views >= 3 within 7d", "so many views of one and the same product, among the latest eight; within is about the latest of them"},
			readSameProduct},
		{PredicateDoc{"days_since_purchase", "days_since_purchase > NUMBER", "days_since_purchase > 90", "whole days since the latest order; never holds without an order"},
			userCount(segments.OpSincePurchase)},
		{PredicateDoc{"segment", `segment "name" | in segment "name" | segment in ("name", …)`, `segment "Cart abandoners"`, "the user is in this segment of the shop, or in one of these; not in a segment's own rule"},
			readSegment},
	}
}

const listForm = ` = "…" | != "…" | in ("…", …) | not in ("…", …)`

const inListForm = ` | in list "name" | not in list "name"`

func contextForms() []form {
	return []form{
		{PredicateDoc{"domain", "domain" + listForm + inListForm, `domain in ("news.example", "blog.example")`, "the site's domain or one above it: a.example holds for www.a.example; an uploaded list is named"},
			listOf(kindDomain)},
		{PredicateDoc{"url", `url contains "…" | url prefix "https://…"`, `url prefix "https://news.example/sport/"`, "the page's address; http or https and www. make no difference"},
			readURL},
		{PredicateDoc{"path", `path prefix "/…" | path contains "…"`, `path prefix "/sport"`, "the path of the page's address"},
			readPath},
		{PredicateDoc{"subpage", `subpage "/…"`, `subpage "/sport"`, "the same as path prefix"},
			readSubpage},
		{PredicateDoc{"bundle", "bundle" + listForm + inListForm, `bundle in ("com.example.news")`, "the app's bundle or store id"},
			listOf(kindBundle)},
		{PredicateDoc{"category", "category" + listForm, `category in ("IAB17", "IAB18-2")`, "a content category of the page or app, IAB 1.0 or a number of 2.0 to 3.1, whichever the request has; IAB17 holds for IAB17-2; \"product:Apparel & Accessories\" or \"product:166\" are the categories that concern such products (Google's top levels)"},
			listOf(kindCategory)},
		{PredicateDoc{"keyword", "keyword" + listForm, `keyword in ("sofas", "living room")`, "a whole keyword of the page, app or user"},
			listOf(kindKeyword)},
		{PredicateDoc{"search", `search contains "…" | search` + listForm, `search contains "sofa"`, "what was searched on the publisher's site"},
			readSearch},
		{PredicateDoc{"looking_for", `looking_for "words" | looking_for in ("words", …)`, `looking_for "running shoes"`, "all of these words are in the site search, the keywords or the data segments of the request"},
			readLookingFor},
		{PredicateDoc{"intent", "intent [>= NUMBER]", "intent >= 0.7", "what the person looks for now is in the shop's feed, by 0 to 1; without a number, at least 0.5; the ad shows the products that match"},
			readIntent},
		{PredicateDoc{"language", "language" + listForm, `language in ("pl")`, "the language of the page or device, ISO 639-1"},
			listOf(kindLanguage)},
		{PredicateDoc{"country", "country" + listForm, `country in ("PL", "DEU")`, "ISO 3166-1, two or three letters"},
			listOf(kindCountry)},
		{PredicateDoc{"region", "region" + listForm, `region in ("MZ")`, "the region as exchanges send it, ISO 3166-2 without the country"},
			listOf(kindRegion)},
		{PredicateDoc{"city", "city" + listForm, `city in ("Kraków")`, "the city; case and accents make no difference"},
			listOf(kindCity)},
		{PredicateDoc{"device", "device" + listForm, `device in ("mobile", "tablet")`, "mobile, desktop, tablet, tv, connected or ooh"},
			listOf(kindDevice)},
		{PredicateDoc{"os", "os" + listForm, `os in ("android", "ios")`, "the operating system"},
			listOf(kindOS)},
		{PredicateDoc{"exchange", "exchange" + listForm, `exchange in ("demo")`, "the exchange's name in the configuration"},
			listOf(kindExchange)},
		{PredicateDoc{"media", "media" + listForm, `media in ("banner", "native")`, "banner, video, native or audio"},
			listOf(kindMedia)},
		{PredicateDoc{"inventory", "inventory" + listForm, `inventory = "app"`, "site, app or dooh"},
			listOf(kindInventory)},
		{PredicateDoc{"position", "position" + listForm, `position in ("above_fold")`, "where on the page the ad stands"},
			listOf(kindPosition)},
		{PredicateDoc{"deal", "deal" + listForm, `deal in ("D-1")`, "a deal that the impression offers, by its id"},
			listOf(kindDeal)},
		{PredicateDoc{"hour", "hour in (8..20) | hour = 8", "hour in (8..20)", "the hour of the day, 0 to 23, in the shop's time zone; 22..5 goes over midnight"},
			readHour},
		{PredicateDoc{"weekday", "weekday in (mon..fri) | weekday = sun", "weekday in (mon..fri)", "the day of the week in the shop's time zone"},
			readWeekday},
	}
}
