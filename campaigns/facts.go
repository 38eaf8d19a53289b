package campaigns

import (
	"slices"
	"strings"

	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/intent"
	"github.com/grosz/grosz/segments/rules"
)

// Bounds of what Facts take from a request; more is left out.
const (
	MaxFactWords    = 128
	MaxFactKeywords = 64
	MaxFactList     = 64 // categories, deals
)

// Facts is what targeting may ask about one impression. The caller owns it,
// fills it per request and changes what differs per impression (Media,
// Position, Deals); Reset keeps its capacity. Strings are views of the
// request: spelling, case and diacritics are evened out where they are
// compared. An empty string means that the request does not say.
type Facts struct {
	NowMS    int64  // ms UTC
	Exchange string // the exchange's name in the configuration
	Media    string // MediaBanner, MediaVideo, MediaNative or MediaAudio
	// Inventory is "site", "app" or "dooh".
	Inventory string
	Domain    string // site.domain or app.domain; if empty the URL's host is used
	URL       string // site.page
	Bundle    string // app.bundle
	Language  string // ISO 639-1, also with a region ("pl-PL")
	Country   string // ISO 3166-1, alpha-2 or alpha-3
	Region    string
	City      string
	Device    string // see DeviceClass
	OS        string // as the request spells it
	Position  string // see PositionName
	Search    string // site.search

	Categories []string // IAB content categories of site, section, page, app, content
	Deals      []string // ids of the impression's deals
	Keywords   []string // single keywords; see AddKeywords
	// Words are the hashes (segments.NextWord) of what the request says about
	// its page and user; see AddText.
	Words []uint64

	// Intent is what the person looks for, as texts of the request; see
	// Snapshot.Intent for what a shop has of it.
	Intent intent.Query

	// Profiles is who the user is to each shop, sorted by shop, as
	// segments.Store.Lookup returns it.
	Profiles []segments.ShopProfile
	// User is whose they are; zero is nobody.
	User segments.UserKey
	// Members is what is worked out of the user's segments, as
	// rules.Engine.Lookup returns it.
	Members []rules.Member
	// Barred tells whether what a shop imported of the user at that second
	// must not be used; nil: never.
	Barred func(u segments.UserKey, shop, atS uint32) bool
}

// Reset forgets everything and keeps the capacity of the lists.
func (f *Facts) Reset() {
	clear(f.Categories[:cap(f.Categories)])
	clear(f.Deals[:cap(f.Deals)])
	clear(f.Keywords[:cap(f.Keywords)])
	clear(f.Members[:cap(f.Members)])
	f.Intent.Reset()
	q := f.Intent
	*f = Facts{
		Intent: q, Members: f.Members[:0],
		Categories: f.Categories[:0], Deals: f.Deals[:0], Keywords: f.Keywords[:0],
		Words: f.Words[:0], Profiles: f.Profiles[:0],
	}
}

// AddText adds the words of a text (site.search, the name of a user.data
// segment, a content title) to Words.
func (f *Facts) AddText(text string) {
	for len(f.Words) < MaxFactWords {
		var h uint64
		if h, text = segments.NextWord(text); h == 0 {
			return
		}
		f.addWord(h)
	}
}

func (f *Facts) addWord(h uint64) {
	for _, w := range f.Words {
		if w == h {
			return
		}
	}
	f.Words = append(f.Words, h)
}

// AddKeywords adds a comma-separated list (site.keywords and the like), each
// as a keyword and as words.
func (f *Facts) AddKeywords(list string) {
	for list != "" {
		var k string
		k, list, _ = strings.Cut(list, ",")
		f.AddKeyword(strings.TrimSpace(k))
	}
}

// AddKeyword adds one keyword (an element of kwarray), also as words.
func (f *Facts) AddKeyword(k string) {
	if k == "" {
		return
	}
	if len(f.Keywords) < MaxFactKeywords {
		f.Keywords = append(f.Keywords, k)
	}
	f.AddText(k)
}

// AddCategory adds a content category.
func (f *Facts) AddCategory(c string) {
	if c != "" && len(f.Categories) < MaxFactList && !slices.Contains(f.Categories, c) {
		f.Categories = append(f.Categories, c)
	}
}

// AddDeal adds the id of a deal of the impression.
func (f *Facts) AddDeal(id string) {
	if id != "" && len(f.Deals) < MaxFactList {
		f.Deals = append(f.Deals, id)
	}
}

// DeviceClass is the targeting language's name of an AdCOM device type:
// "mobile", "desktop", "tablet", "tv", "connected" or "ooh"; empty if unknown.
func DeviceClass(deviceType int32) string {
	switch deviceType {
	case 1, 4:
		return "mobile"
	case 2:
		return "desktop"
	case 5:
		return "tablet"
	case 3, 7:
		return "tv"
	case 6:
		return "connected"
	case 8:
		return "ooh"
	}
	return ""
}

// PositionName is the targeting language's name of an AdCOM placement
// position; empty if unknown.
func PositionName(pos int32) string {
	switch pos {
	case 1:
		return "above_fold"
	case 2:
		return "locked"
	case 3:
		return "below_fold"
	case 4:
		return "header"
	case 5:
		return "footer"
	case 6:
		return "sidebar"
	case 7:
		return "full_screen"
	}
	return ""
}
