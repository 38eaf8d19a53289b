package loader

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

// What is not kept here is no mistake, in the console's spelling and in any
// other.
func TestOtherDocumentsAreNoRows(t *testing.T) {
	for _, r := range []campaigns.Record{
		{Key: "segment/1", Version: 1, Segment: &campaigns.Segment{ID: 1}},
		{Key: "audience/1/2", Version: 2, Audience: &campaigns.AudienceBucket{SegmentID: 1, Bucket: 2}},
		{Key: "products/1/2", Version: 2, Products: &campaigns.ProductBucket{ShopID: 1, Bucket: 2}},
		{Key: "list/1/2/0", Version: 2, List: &campaigns.ListPart{}},
		{Key: "feed/1", Version: 2, Feed: &campaigns.FeedState{ShopID: 1}},
		{Key: "approvals/1", Version: 2, Approvals: &campaigns.Approvals{ShopID: 1}},
		{Key: "segment/1", Version: 3, Deleted: true},
		{Key: "audience/1/2", Version: 4, Deleted: true},
	} {
		require.NoError(t, recordRow(&r, place{}, nil), r.Key)
		text, err := json.Marshal(r)
		require.NoError(t, err)
		require.NoError(t, campaignsTarget().rows(nil, text, place{}, nil), r.Key)
	}
}
