package loader

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

// Segments and their members are not kept here, and are no mistakes.
func TestSegmentsAreNoRows(t *testing.T) {
	for _, r := range []campaigns.Record{
		{Key: "segment/1", Version: 1, Segment: &campaigns.Segment{ID: 1}},
		{Key: "audience/1/2", Version: 2, Audience: &campaigns.AudienceBucket{SegmentID: 1, Bucket: 2}},
		{Key: "segment/1", Version: 3, Deleted: true},
		{Key: "audience/1/2", Version: 4, Deleted: true},
	} {
		require.NoError(t, recordRow(&r, place{}, nil), r.Key)
	}
}
