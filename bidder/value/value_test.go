package value_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/value"
)

func table(t testing.TB, bits int, rng *rand.Rand) value.Table {
	t.Helper()
	out, err := value.NewTable(bits)
	require.NoError(t, err)
	for i := range out {
		if rng.IntN(3) == 0 {
			out[i] = float32(rng.NormFloat64() * 0.1)
		}
	}
	return out
}

func model(t testing.TB, bits int) *value.Model {
	rng := rand.New(rand.NewPCG(1, 2))
	m := &value.Model{Version: 42, Shops: map[uint32]*value.Shop{}}
	for tg := range m.Global {
		m.Global[tg] = value.Global{Prior: -3, Table: table(t, bits, rng)}
	}
	for id := range uint32(3) {
		s := &value.Shop{}
		for tg := range s.Table {
			s.Bias[tg], s.Table[tg] = float32(id)/10, table(t, 10, rng)
			s.Calibration[tg] = map[uint32]float32{0: 1.5, 7: 0.5}
		}
		m.Shops[id+1] = s
	}
	return m
}

func features(n int, field value.Field) []value.Feature {
	out := make([]value.Feature, n)
	for i := range out {
		out[i] = value.Number(field, uint64(i))
	}
	return out
}

func TestPredictAddsUpItsParts(t *testing.T) {
	m := model(t, 12)
	place, own := features(12, value.FieldDomain), features(8, value.FieldCampaign)
	var s value.Score
	s.Reset(m, place)
	global := m.Global[value.Click].Prior + m.Global[value.Click].Table.Sum(place)
	for _, c := range []struct {
		name           string
		shop, campaign uint32
		calibration    float64
	}{{"a campaign with a calibration", 1, 7, 0.5}, {"another takes its shop's", 1, 8, 1.5}, {"another shop", 3, 7, 0.5}, {"an unknown shop has the global part", 9, 7, 1}} {
		t.Run(c.name, func(t *testing.T) {
			x := global
			if sh := m.Shops[c.shop]; sh != nil {
				x += float64(sh.Bias[value.Click]) + sh.Table[value.Click].Sum(place) + sh.Table[value.Click].Sum(own)
			}
			odds := math.Exp(x) * c.calibration
			p, ok := s.Predict(value.Click, c.shop, c.campaign, own)
			require.True(t, ok)
			assert.InDelta(t, odds/(1+odds), p, 1e-6)
		})
	}
}

func TestWithoutAModelNothingIsKnown(t *testing.T) {
	var s value.Score
	for name, m := range map[string]*value.Model{"none": nil, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			s.Reset(m, nil)
			_, ok := s.Predict(value.Click, 1, 1, nil)
			assert.False(t, ok)
		})
	}
}

func TestPlacementFieldsAreNeverOfAPerson(t *testing.T) {
	for _, f := range []value.Field{value.FieldRecency, value.FieldCart, value.FieldSegment, value.FieldFrequency, value.FieldIntent, value.FieldCampaign, value.FieldStranger} {
		assert.False(t, f.Placement(), "field %d", f)
	}
	assert.True(t, value.FieldDomain.Placement())
	assert.True(t, value.FieldExchangeMedia.Placement())
}

func TestSnapshotRoundTrip(t *testing.T) {
	m := model(t, 10)
	b := m.Append(nil)
	got, err := value.Decode(b)
	require.NoError(t, err)
	assert.Equal(t, m, got)
	assert.Equal(t, b, got.Append(nil))
}

func TestADamagedSnapshotIsRefused(t *testing.T) {
	m := model(t, 8)
	b := m.Append(nil)
	for cut := range len(b) {
		_, err := value.Decode(b[:cut])
		require.ErrorIs(t, err, value.ErrSnapshot, "cut at %d", cut)
	}
	for i := range b {
		bad := append([]byte(nil), b...)
		bad[i] ^= 0x10
		_, err := value.Decode(bad)
		require.ErrorIs(t, err, value.ErrSnapshot, "flipped in byte %d", i)
	}
}

func TestValidateRefusesWhatIsNoNumber(t *testing.T) {
	m := model(t, 8)
	m.Shops[2].Table[value.Order][5] = float32(math.NaN())
	require.ErrorContains(t, m.Validate(), "shop 2, order: weight 5 is NaN")
	m = model(t, 8)
	m.Shops[1].Calibration[value.Click][7] = 0
	require.ErrorContains(t, m.Validate(), "shop 1, click: calibration of campaign 7 is 0")
	m = model(t, 8)
	m.Global[value.Click].Table = m.Global[value.Click].Table[:100]
	require.ErrorIs(t, m.Validate(), value.ErrModel)
}

func FuzzDecode(f *testing.F) {
	f.Add(model(f, 8).Append(nil))
	f.Add([]byte("GRZM\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := value.Decode(b); err == nil {
			require.NoError(t, m.Validate())
		}
	})
}

func TestPredictAllocatesNothing(t *testing.T) {
	m, place, own := model(t, 12), features(14, value.FieldDomain), features(10, value.FieldCampaign)
	var s value.Score
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		s.Reset(m, place)
		s.Predict(value.Click, 1, 7, own)
		s.Predict(value.Order, 1, 7, own)
	}))
}

// One imp with 20 candidates of 5 shops: both targets.
func BenchmarkPredict20Candidates(b *testing.B) {
	m, place, own := model(b, 22), features(14, value.FieldDomain), features(10, value.FieldCampaign)
	var s value.Score
	b.ReportAllocs()
	sum := 0.0
	for b.Loop() {
		s.Reset(m, place)
		for i := range uint32(20) {
			p, _ := s.Predict(value.Click, i/4+1, i, own)
			q, _ := s.Predict(value.Order, i/4+1, i, own)
			sum += p * q
		}
	}
	if sum <= 0 {
		b.Fatal("nothing was predicted")
	}
}

func BenchmarkPredict40Features(b *testing.B) {
	m, place, own := model(b, 22), features(28, value.FieldDomain), features(12, value.FieldCampaign)
	var s value.Score
	b.ReportAllocs()
	for b.Loop() {
		s.Reset(m, place)
		s.Predict(value.Click, 1, 7, own)
	}
}
