package campaigns

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrRecord is what Docs.Apply wraps for a record that does not make sense.
var ErrRecord = errors.New("bad campaign record")

// Docs is the newest state of the documents of grosz.campaigns: a fold of the
// topic that ignores what is not newer than what it holds. One goroutine uses
// it; documents that it was given must not change.
type Docs struct {
	shops     map[uint32]*Shop
	campaigns map[uint32]*Campaign
	feeds     map[uint32]map[string]*ProductBucket // by shop, then record key
	lists     map[uint32]map[string]*ListPart      // by shop, then record key
	versions  map[string]int64                     // of every key, also deleted ones
	segments  map[uint32]*Segment
	audiences map[string]*AudienceBucket // by record key
	states    map[uint32]*FeedState
	approvals map[uint32]*Approvals
	changes   int64
}

// NewDocs returns an empty state.
func NewDocs() *Docs {
	return &Docs{
		shops: map[uint32]*Shop{}, campaigns: map[uint32]*Campaign{},
		feeds: map[uint32]map[string]*ProductBucket{}, versions: map[string]int64{},
		segments: map[uint32]*Segment{}, audiences: map[string]*AudienceBucket{},
		lists:  map[uint32]map[string]*ListPart{},
		states: map[uint32]*FeedState{}, approvals: map[uint32]*Approvals{},
	}
}

// Apply takes one record and tells whether it changed anything. An error
// names what is wrong with the record; it changes nothing then.
func (d *Docs) Apply(r *Record) (changed bool, err error) {
	kind, ids, err := splitKey(r.Key)
	if err != nil {
		return false, err
	}
	if held, ok := d.versions[r.Key]; ok && r.Version <= held {
		return false, nil
	}
	switch {
	case kind == "shop":
		err = d.shop(ids, r)
	case kind == "campaign":
		err = d.campaign(ids, r)
	case kind == "segment":
		err = d.segment(ids, r)
	case kind == "audience":
		err = d.audience(ids, r)
	case kind == "list":
		err = d.list(ids, r)
	case kind == "approvals":
		err = d.approval(ids, r)
	case kind == "feed":
		err = d.feedState(ids, r)
	default:
		err = d.products(ids, r)
	}
	if err != nil {
		return false, fmt.Errorf("%w %q: %w", ErrRecord, r.Key, err)
	}
	d.versions[r.Key] = r.Version
	d.changes++
	return true, nil
}

// splitKey takes "shop/7", "campaign/12", "products/7/3" and their like apart.
func splitKey(key string) (kind string, ids []uint32, err error) {
	parts := strings.Split(key, "/")
	want := map[string]int{"shop": 2, "campaign": 2, "feed": 2, "products": 3, "segment": 2, "audience": 3, "list": 4, "approvals": 2}[parts[0]]
	if len(parts) != want {
		return "", nil, fmt.Errorf("%w: key %q is not shop/ID, campaign/ID, products/SHOP/BUCKET, segment/ID, audience/SEGMENT/BUCKET, list/SHOP/ID/PART or approvals/SHOP", ErrRecord, key)
	}
	for _, p := range parts[1:] {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return "", nil, fmt.Errorf("%w: key %q: %q is not a number", ErrRecord, key, p)
		}
		ids = append(ids, uint32(n))
	}
	return parts[0], ids, nil
}

func (d *Docs) shop(ids []uint32, r *Record) error {
	if r.Deleted {
		delete(d.shops, ids[0])
		return nil
	}
	if r.Shop == nil || r.Shop.ID != ids[0] {
		return errors.New("the record holds no shop of that id")
	}
	d.shops[ids[0]] = r.Shop
	return nil
}

func (d *Docs) campaign(ids []uint32, r *Record) error {
	if r.Deleted {
		delete(d.campaigns, ids[0])
		return nil
	}
	if r.Campaign == nil || r.Campaign.ID != ids[0] {
		return errors.New("the record holds no campaign of that id")
	}
	d.campaigns[ids[0]] = r.Campaign
	return nil
}

func (d *Docs) feedState(ids []uint32, r *Record) error {
	if r.Deleted {
		delete(d.states, ids[0])
		return nil
	}
	if r.Feed == nil || r.Feed.ShopID != ids[0] {
		return errors.New("the record holds no feed of that shop")
	}
	d.states[ids[0]] = r.Feed
	return nil
}

func (d *Docs) products(ids []uint32, r *Record) error {
	feed := d.feeds[ids[0]]
	if r.Deleted {
		delete(feed, r.Key)
		return nil
	}
	b := r.Products
	if b == nil || b.ShopID != ids[0] || b.Bucket != int(ids[1]) || b.Bucket >= b.Buckets {
		return errors.New("the record holds no products of that shop and bucket")
	}
	if feed == nil {
		feed = map[string]*ProductBucket{}
		d.feeds[ids[0]] = feed
	}
	feed[r.Key] = b
	return nil
}

// Input is the state as Compile takes it; its Version counts the changes.
// Documents are shared, the lists are new.
func (d *Docs) Input() Input {
	in := Input{
		Version: d.changes, Shops: make([]*Shop, 0, len(d.shops)),
		Campaigns: make([]*Campaign, 0, len(d.campaigns)),
	}
	for _, s := range d.shops {
		in.Shops = append(in.Shops, s)
	}
	for _, c := range d.campaigns {
		in.Campaigns = append(in.Campaigns, c)
	}
	in.Approvals = d.approvalList()
	for _, s := range d.states {
		in.Feeds = append(in.Feeds, s)
	}
	for _, feed := range d.feeds {
		for _, b := range feed {
			in.Buckets = append(in.Buckets, b)
		}
	}
	for _, s := range d.segments {
		in.Segments = append(in.Segments, s)
	}
	for _, a := range d.audiences {
		in.Audiences = append(in.Audiences, a)
	}
	for _, lists := range d.lists {
		for _, l := range lists {
			in.Lists = append(in.Lists, l)
		}
	}
	return in
}

// Shop returns a shop's document, or nil.
func (d *Docs) Shop(id uint32) *Shop { return d.shops[id] }

// Campaign returns a campaign's document, or nil.
func (d *Docs) Campaign(id uint32) *Campaign { return d.campaigns[id] }

// EachCampaign calls f for every campaign, in no order.
func (d *Docs) EachCampaign(f func(*Campaign)) {
	for _, c := range d.campaigns {
		f(c)
	}
}
