package campaigns

import (
	"errors"
	"fmt"

	"github.com/grosz/grosz/segments"
)

// ErrNoShop is what OnlyShop returns for a shop that is not in the snapshot.
var ErrNoShop = errors.New("no such shop")

// OnlyShop is a snapshot with nothing in it but one shop: its campaigns, and
// the catalogue, segments, lists and feed that they ask for, shared with s.
// What is not in it cannot be told. It is slow: the campaigns are compiled
// again, into an index of their own.
func (s *Snapshot) OnlyShop(id uint32) (*Snapshot, error) {
	shop := s.shops[id]
	if shop == nil {
		return nil, fmt.Errorf("%w: %d", ErrNoShop, id)
	}
	c := NewCompiler()
	if _, err := c.location(shop.TimeZone); err != nil {
		return nil, fmt.Errorf("shop %d: %w", id, err)
	}
	out := &Snapshot{shops: map[uint32]*CompiledShop{id: shop}, byID: map[uint32]int32{}, feeds: map[uint32]int64{}}
	if at, ok := s.feeds[id]; ok {
		out.feeds[id] = at
	}
	if m := s.margins[id]; m != nil {
		out.margins = map[uint32]*segments.Margins{id: m}
	}
	for _, cc := range s.Campaigns { // sorted by id, and they compiled before
		if cc.ShopID != id {
			continue
		}
		own, err := c.compileCampaign(cc.Campaign, shop, nil)
		if err != nil {
			return nil, fmt.Errorf("shop %d: campaign %d: %w", id, cc.ID, err)
		}
		out.byID[own.ID] = int32(len(out.Campaigns))
		out.Campaigns = append(out.Campaigns, own)
	}
	c.dict = c.vocab.image()
	c.buildIndex(out)
	return out, nil
}
