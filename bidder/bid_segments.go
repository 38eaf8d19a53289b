package bidder

import (
	"slices"
	"strconv"

	"github.com/grosz/grosz/campaigns"
)

// loggedSegments bounds what of a person's segments goes into a bid's record.
const loggedSegments = 32

// inSegments are the shop's own segments that the person is in, for the bid's
// record: reports then say what each audience cost. Bids of one shop in a row
// share it. The text is valid until the next shop or request.
func (c *bidContext) inSegments(shop *campaigns.CompiledShop) string {
	if shop.Segments == nil || c.user.IsZero() {
		return ""
	}
	if l := &c.audience; l.shop != shop.ID {
		l.shop = shop.ID
		l.list = c.matcher.InSegments(shop, l.list[:0], loggedSegments)
		slices.Sort(l.list)
		l.text = l.text[:0]
		for i, id := range l.list {
			if i > 0 {
				l.text = append(l.text, ',')
			}
			l.text = strconv.AppendUint(l.text, uint64(id), 10)
		}
	}
	return view(c.audience.text)
}

// audience is what inSegments remembers of a request.
type audience struct {
	shop uint32 // 0: none
	list []uint32
	text []byte
}
