package value_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/value"
)

func TestPackedFeaturesComeBack(t *testing.T) {
	for _, c := range []struct{ place, own int }{{0, 0}, {14, 12}, {value.MaxFeatures, 0}, {0, value.MaxFeatures}} {
		place, own := features(c.place, value.FieldDomain), features(c.own, value.FieldCampaign)
		p, o, err := value.ReadFeatures(string(value.AppendFeatures(nil, place, own)))
		require.NoError(t, err)
		assert.ElementsMatch(t, place, p)
		assert.ElementsMatch(t, own, o)
	}
	p, o, err := value.ReadFeatures(string(value.AppendFeatures(nil, features(40, value.FieldDomain), features(40, value.FieldCampaign))))
	require.NoError(t, err)
	assert.Len(t, p, 40)
	assert.Len(t, o, value.MaxFeatures-40, "what is too much is left out")
	buf := make([]byte, 0, 512)
	place, own := features(14, value.FieldDomain), features(12, value.FieldCampaign)
	assert.Zero(t, testing.AllocsPerRun(100, func() { buf = value.AppendFeatures(buf[:0], place, own) }))
}

func FuzzReadFeatures(f *testing.F) {
	f.Add(string(value.AppendFeatures(nil, features(3, value.FieldDomain), features(2, value.FieldCampaign))))
	f.Add("AQI")
	f.Fuzz(func(t *testing.T, s string) {
		p, o, err := value.ReadFeatures(s)
		if err != nil {
			require.ErrorIs(t, err, value.ErrFeatures)
			return
		}
		require.LessOrEqual(t, len(p)+len(o), value.MaxFeatures)
	})
}

func TestAModelTravelsInChunks(t *testing.T) {
	m := model(t, 18)
	m.Shops[1].OrderValue, m.Shops[1].Control = 123, map[uint32]float32{7: 1.2}
	chunks, err := value.Chunks(m.Version, m.Append(nil))
	require.NoError(t, err)
	require.Greater(t, len(chunks), 1, "the test wants several")
	for _, c := range chunks {
		require.Less(t, len(c.Value), 900_000)
	}
	var g value.Gather
	for i, c := range chunks {
		got, err := g.Add(c.Value)
		require.NoError(t, err)
		if i < len(chunks)-1 {
			require.Nil(t, got)
			continue
		}
		assert.Equal(t, m, got)
	}
	// What compaction leaves: chunks of two versions, in any order.
	newer := model(t, 8)
	newer.Version = 43
	next, err := value.Chunks(newer.Version, newer.Append(nil))
	require.NoError(t, err)
	g = value.Gather{}
	_, err = g.Add(chunks[1].Value)
	require.NoError(t, err)
	got, err := g.Add(next[0].Value)
	require.NoError(t, err)
	assert.Equal(t, int64(43), got.Version)
	got, err = g.Add(chunks[0].Value)
	require.NoError(t, err)
	assert.Nil(t, got, "an older version is passed over")
	bad := append([]byte(nil), chunks[0].Value...)
	bad[len(bad)-1] ^= 1
	_, err = new(value.Gather).Add(bad)
	require.ErrorIs(t, err, value.ErrChunk)
}

func FuzzGather(f *testing.F) {
	m := model(f, 8)
	chunks, err := value.Chunks(m.Version, m.Append(nil))
	require.NoError(f, err)
	f.Add(chunks[0].Value)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := new(value.Gather).Add(b); err == nil && got != nil {
			require.NoError(t, got.Validate())
		}
	})
}
