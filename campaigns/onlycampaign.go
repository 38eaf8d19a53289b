package campaigns

import (
	"fmt"
)

// OnlyCampaign is a snapshot with nothing in it but one campaign of a shop of
// s, which need not exist yet: what it asks for is compiled, and the shop's
// catalogue, segments and lists are shared with s. Slow.
func (s *Snapshot) OnlyCampaign(doc *Campaign) (*Snapshot, error) {
	shop := s.shops[doc.ShopID]
	if shop == nil {
		return nil, fmt.Errorf("%w: %d", ErrNoShop, doc.ShopID)
	}
	c := NewCompiler()
	if _, err := c.location(shop.TimeZone); err != nil {
		return nil, fmt.Errorf("shop %d: %w", doc.ShopID, err)
	}
	own, err := c.compileCampaign(doc, shop, nil)
	if err != nil {
		return nil, err
	}
	out := &Snapshot{
		Version: s.Version, Campaigns: []*CompiledCampaign{own},
		shops: map[uint32]*CompiledShop{doc.ShopID: shop}, byID: map[uint32]int32{doc.ID: 0}, feeds: map[uint32]int64{}, approved: s.approved,
	}
	if at, ok := s.feeds[doc.ShopID]; ok {
		out.feeds[doc.ShopID] = at
	}
	c.dict = c.vocab.image()
	c.buildIndex(out)
	return out, nil
}
