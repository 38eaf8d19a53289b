package campaigns

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // shops' time zones must load on any machine

	"github.com/grosz/grosz/segments"
)

// Input is all documents that a Snapshot is made of, in any order.
type Input struct {
	Version   int64
	Shops     []*Shop
	Campaigns []*Campaign
	Buckets   []*ProductBucket
	Segments  []*Segment
	Audiences []*AudienceBucket
	Lists     []*ListPart
	Feeds     []*FeedState
	Approvals []*Approvals
}

// Problem is a document that was left out, and why.
type Problem struct {
	Key string // as Record.Key: "shop/7", "campaign/12"
	Err error
}

// Error is the problem in one line.
func (p Problem) Error() string { return p.Key + ": " + p.Err.Error() }

// Unwrap returns the cause.
func (p Problem) Unwrap() error { return p.Err }

// Compiler makes Snapshots and keeps what unchanged documents need not have
// compiled again: expressions of campaigns, catalogues of feeds. Documents
// are taken as unchanged when they are the same pointer. One goroutine uses a
// Compiler; the Snapshots it made stay valid and are safe everywhere.
type Compiler struct {
	vocab *vocab
	preds []pred
	users []segments.Predicate // what preds ask of profiles
	pids  map[string]uint32
	zones []*time.Location
	key   []byte // scratch of resolve
	dict  *dict
	stale int // expressions dropped since the tables were last empty

	shops     map[uint32]*shopEntry
	segments  map[uint32]*segmentTable // by shop
	campaigns map[uint32]*campaignEntry
	locations map[string]*time.Location
	intents   intentTable
	margins   marginTables

	deferFrom int                      // products from which on an index is made later; 0: never
	reindexed uint32                   // the shop whose index was made last
	approved  map[uint32]approvedEntry // by shop
}

type shopEntry struct {
	buckets []*ProductBucket // sorted; the catalogue's source
	shop    *CompiledShop
	lists   []*ListPart // sorted; the source of shop.lists
}

type campaignEntry struct {
	doc      *Campaign
	compiled *CompiledCampaign
	err      error
}

// NewCompiler returns an empty Compiler.
func NewCompiler() *Compiler {
	c := &Compiler{shops: map[uint32]*shopEntry{}, locations: map[string]*time.Location{"": time.UTC, "UTC": time.UTC}}
	c.reset()
	return c
}

// reset forgets compiled expressions, with all that they share.
func (c *Compiler) reset() {
	c.vocab, c.preds, c.users, c.pids, c.zones = newVocab(), nil, nil, map[string]uint32{}, nil
	c.intents = intentTable{}
	c.dict, c.stale, c.campaigns = nil, 0, map[uint32]*campaignEntry{}
}

// Compile makes a Snapshot of documents once; see Compiler for again and again.
func Compile(in Input) (*Snapshot, []Problem) { return NewCompiler().Compile(in) }

// Compile makes a Snapshot. A broken document is left out and reported; it
// never keeps the others from being compiled.
func (c *Compiler) Compile(in Input) (*Snapshot, []Problem) {
	if c.stale > 1000+len(c.campaigns) {
		c.reset()
	}
	s := &Snapshot{Version: in.Version, shops: map[uint32]*CompiledShop{}, byID: make(map[uint32]int32, len(in.Campaigns))}
	problems := c.compileShops(in, s)
	c.shopLists(in, s)
	c.approvals(in, s)
	s.feeds = make(map[uint32]int64, len(in.Feeds))
	for _, f := range in.Feeds {
		s.feeds[f.ShopID] = f.CheckedMS
	}
	live := make(map[uint32]*campaignEntry, len(in.Campaigns))
	for _, doc := range in.Campaigns {
		e := c.campaign(doc, s.shops[doc.ShopID])
		if e == nil {
			continue
		}
		if e.err != nil {
			problems = append(problems, Problem{fmt.Sprintf("campaign/%d", doc.ID), e.err})
		} else if live[doc.ID] == nil {
			s.Campaigns = append(s.Campaigns, e.compiled)
		}
		live[doc.ID] = e
	}
	for id, e := range c.campaigns {
		if live[id] != e {
			c.stale++
		}
	}
	c.campaigns = live
	s.margins = c.margins.take(s)
	slices.SortFunc(s.Campaigns, func(a, b *CompiledCampaign) int { return cmp.Compare(a.ID, b.ID) })
	for i, cc := range s.Campaigns {
		s.byID[cc.ID] = int32(i)
	}
	if c.dict == nil || c.dict.size != c.vocab.size {
		c.dict = c.vocab.image()
	}
	c.buildIndex(s)
	slices.SortFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Key, b.Key) })
	return s, problems
}

func (c *Compiler) compileShops(in Input, s *Snapshot) (problems []Problem) {
	buckets := map[uint32][]*ProductBucket{}
	for _, b := range in.Buckets {
		buckets[b.ShopID] = append(buckets[b.ShopID], b)
	}
	live := make(map[uint32]*shopEntry, len(in.Shops))
	named := c.sortSegments(in)
	for _, doc := range in.Shops {
		loc, err := c.location(doc.TimeZone)
		if err == nil && doc.Currency.String() == "" {
			err = errors.New("the shop has no currency")
		}
		if err != nil {
			problems = append(problems, Problem{fmt.Sprintf("shop/%d", doc.ID), err})
			continue
		}
		feed := currentBuckets(buckets[doc.ID])
		e := c.shops[doc.ID]
		cat := c.feedOf(e, doc, feed)
		segs, bad := named.compile(doc, cat)
		problems = append(problems, bad...)
		if e == nil || e.shop.Catalogue != cat || e.shop.Shop != doc || e.shop.Segments != segs {
			e = &shopEntry{feed, &CompiledShop{doc, loc, segments.SaltOf(doc.Salt), cat, segs, nil}, nil}
		}
		live[doc.ID] = e
		s.shops[doc.ID] = e.shop
	}
	c.shops = live
	return problems
}

// feedOf makes a shop's catalogue, or takes the one that was made before.
func (c *Compiler) feedOf(e *shopEntry, doc *Shop, feed []*ProductBucket) *Catalogue {
	switch {
	case e == nil:
		return c.catalogue(feed, doc.Language, nil)
	case !slices.Equal(e.buckets, feed), e.shop.Shop != doc && e.shop.Language != doc.Language:
		return c.catalogue(feed, doc.Language, e.shop.Catalogue)
	}
	return e.shop.Catalogue
}

// currentBuckets leaves out those of an older feed that was cut into another
// number of buckets, and sorts the others.
func currentBuckets(all []*ProductBucket) []*ProductBucket {
	var newest *ProductBucket
	for _, b := range all {
		if newest == nil || b.Feed > newest.Feed {
			newest = b
		}
	}
	feed := slices.DeleteFunc(slices.Clone(all), func(b *ProductBucket) bool { return b.Buckets != newest.Buckets })
	slices.SortFunc(feed, func(a, b *ProductBucket) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Feed, b.Feed))
	})
	return feed
}

func (c *Compiler) location(name string) (*time.Location, error) {
	if loc, ok := c.locations[name]; ok {
		return loc, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q is not an IANA name: %w", name, err)
	}
	c.locations[name] = loc
	return loc, nil
}

// zoneAttr returns the attribute of a time zone's hour or weekday.
func (c *Compiler) zoneAttr(zone string, kind predKind) attrID {
	i := slices.IndexFunc(c.zones, func(l *time.Location) bool { return l.String() == zone })
	if i < 0 {
		i = len(c.zones)
		c.zones = append(c.zones, c.locations[zone])
	}
	a := attrZoneOff + 2*attrID(i)
	if kind == kindWeekday {
		a++
	}
	return a
}

// campaign compiles one campaign, or takes what was compiled before; nil for
// one that does not bid.
func (c *Compiler) campaign(doc *Campaign, shop *CompiledShop) *campaignEntry {
	if doc.Status != StatusActive {
		return nil
	}
	if shop == nil {
		return &campaignEntry{doc: doc, err: fmt.Errorf("shop %d is not known, or broken", doc.ShopID)}
	}
	if !shop.Active {
		return nil
	}
	old := c.campaigns[doc.ID]
	if old != nil && old.doc == doc && old.compiled != nil && old.compiled.Shop == shop {
		return old
	}
	if old != nil && (old.compiled == nil || !sameLanguage(old.compiled.Shop, shop)) {
		old = nil
	}
	e := &campaignEntry{doc: doc}
	e.compiled, e.err = c.compileCampaign(doc, shop, old)
	return e
}

// sameLanguage tells whether expressions mean the same for both shops.
func sameLanguage(a, b *CompiledShop) bool {
	return a.ID == b.ID && a.Currency == b.Currency && a.Location.String() == b.Location.String() && a.Segments.same(b.Segments)
}

func (c *Compiler) compileCampaign(doc *Campaign, shop *CompiledShop, old *campaignEntry) (*CompiledCampaign, error) {
	cc := &CompiledCampaign{Campaign: doc, Shop: shop}
	if err := errors.Join(doc.checkNumbers(), cc.sortCreatives()); err != nil {
		return nil, err
	}
	reuse := func(src string, was *compiledExpr) (*compiledExpr, error) {
		if was != nil && was.src == src {
			return was, nil
		}
		return c.expr(src, shop)
	}
	var was *compiledExpr
	if old != nil {
		was = old.compiled.expr
	}
	var err error
	if cc.expr, err = reuse(doc.targeting(), was); err != nil {
		return nil, fmt.Errorf("targeting: %w", err)
	}
	if err = checkLists(cc.expr, shop); err != nil {
		return nil, fmt.Errorf("targeting: %w", err)
	}
	for i, b := range doc.Bid.Boosts {
		was = nil
		if old != nil && i < len(old.compiled.boosts) {
			was = old.compiled.boosts[i].expr
		}
		e, err := reuse(b.When, was)
		if err != nil {
			return nil, fmt.Errorf("boost %d: %w", i+1, err)
		}
		if err := checkLists(e, shop); err != nil {
			return nil, fmt.Errorf("boost %d: %w", i+1, err)
		}
		cc.boosts = append(cc.boosts, compiledBoost{b.BPS, e})
	}
	return cc, nil
}
