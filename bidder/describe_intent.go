package bidder

import (
	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/campaigns/taxonomy"
)

// describeData takes the segments of a data provider, of the person or of the
// content: their names, and of ids of a content taxonomy the name and the
// categories that they stand for.
func describeData(f *campaigns.Facts, d *openrtb.Data) {
	for i := range d.Segments {
		s := &d.Segments[i]
		f.AddText(s.Name)
		name := s.Name
		if taxonomy.IsContent(d.SegTax) {
			describeCategory(f, d.SegTax, s.ID)
			if name == "" {
				name = taxonomy.Name(s.ID)
			}
		}
		f.Intent.AddSegment(name)
	}
}

// describeCategory adds a category and what it is in the other taxonomies.
func describeCategory(f *campaigns.Facts, tax int32, id string) {
	f.AddCategory(id)
	for _, other := range taxonomy.Also(tax, id) {
		f.AddCategory(other)
	}
}
