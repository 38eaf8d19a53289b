package campaigns

import (
	"errors"
	"maps"
	"slices"
)

// Approvals are the creatives of one shop that exchanges have approved, by
// exchange: crids, sorted. What is pending or rejected is not in it.
type Approvals struct {
	ShopID   uint32              `json:"shop_id"`
	Approved map[string][]string `json:"approved"`
}

// approvedSet is one exchange's approved crids.
type approvedSet map[string]struct{}

// Approved tells whether an exchange has approved a shop's creative, by its
// crid. It does not allocate.
func (s *Snapshot) Approved(shop uint32, exchange string, crid []byte) bool {
	_, ok := s.approved[shop][exchange][string(crid)]
	return ok
}

// approvedEntry keeps what was made of one document.
type approvedEntry struct {
	doc  *Approvals
	sets map[string]approvedSet
}

// approvals gives the snapshot its sets; a document that is the same pointer
// keeps what was made of it.
func (c *Compiler) approvals(in Input, s *Snapshot) {
	live := make(map[uint32]approvedEntry, len(in.Approvals))
	s.approved = make(map[uint32]map[string]approvedSet, len(in.Approvals))
	for _, doc := range in.Approvals {
		e := c.approved[doc.ShopID]
		if e.doc != doc {
			e = approvedEntry{doc, make(map[string]approvedSet, len(doc.Approved))}
			for x, crids := range doc.Approved {
				set := make(approvedSet, len(crids))
				for _, id := range crids {
					set[id] = struct{}{}
				}
				e.sets[x] = set
			}
		}
		live[doc.ShopID] = e
		s.approved[doc.ShopID] = e.sets
	}
	c.approved = live
}

func (d *Docs) approval(ids []uint32, r *Record) error {
	if r.Deleted {
		delete(d.approvals, ids[0])
		return nil
	}
	if r.Approvals == nil || r.Approvals.ShopID != ids[0] {
		return errors.New("the record holds no approvals of that shop")
	}
	d.approvals[ids[0]] = r.Approvals
	return nil
}

func (d *Docs) approvalList() []*Approvals { return slices.Collect(maps.Values(d.approvals)) }
