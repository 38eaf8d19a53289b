package privacy

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bidder/openrtb"
)

func TestTheCacheTellsTextsAndVendorsApart(t *testing.T) {
	cache, err := NewCache(0)
	require.NoError(t, err)
	theirs := agreed()
	theirs.VendorID, theirs.Cache = 200, cache // neither consented to nor disclosed
	mine := agreed()
	mine.Cache = cache
	in := onlyGDPR(full().text())
	for range 3 {
		assert.Equal(t, everything(), Decide(in, mine, now.UnixMilli()))
		assert.Equal(t, nothing(ReasonTCFNotDisclosed), Decide(in, theirs, now.UnixMilli()))
	}
	s := cache.Stats()
	assert.EqualValues(t, 2, s.Misses)
	assert.Equal(t, 2, s.Entries)
	assert.Equal(t, 2*DefaultCacheEntries, s.MaxEntries)
	assert.Equal(t, nothing(ReasonTCFExpired), Decide(in, mine, now.AddDate(1, 0, 0).UnixMilli()), "time passes for what is remembered")
}

func TestTheCacheKeepsNothingOfTheRequest(t *testing.T) {
	cache, err := NewCache(4)
	require.NoError(t, err)
	cfg := agreed()
	cfg.Cache = cache
	body := []byte(full().text())
	// A view of a body that is overwritten later.
	v := &Signals{GDPR: openrtb.Yes, Consent: unsafe.String(unsafe.SliceData(body), len(body))}
	assert.Equal(t, everything(), Decide(v, cfg, now.UnixMilli()))
	copy(body, strings.Repeat("A", len(body)))
	assert.Equal(t, nothing(ReasonTCFVersion), Decide(v, cfg, now.UnixMilli()))
	assert.Equal(t, everything(), Decide(onlyGDPR(full().text()), cfg, now.UnixMilli()))
}

func TestTheCacheIsBounded(t *testing.T) {
	cache, err := NewCache(60)
	require.NoError(t, err)
	cfg := agreed()
	cfg.Cache = cache
	hot := onlyGDPR(full().text())
	for i := range 2000 {
		c := full()
		c.created = c.created.Add(-time.Duration(i) * time.Second)
		Decide(onlyGDPR(c.text()), cfg, now.UnixMilli())
		Decide(hot, cfg, now.UnixMilli())
	}
	s := cache.Stats()
	assert.Equal(t, 128, s.MaxEntries)
	assert.Equal(t, 64, s.Entries)
	assert.Greater(t, s.Evictions, uint64(1900))
	assert.Less(t, s.Misses, uint64(2100), "what is in use stays")

	long := hot.Consent + strings.Repeat("A", maxCached)
	Decide(onlyGDPR(long), cfg, now.UnixMilli())
	Decide(onlyGDPR(long), cfg, now.UnixMilli())
	assert.Equal(t, s.Misses+2, cache.Stats().Misses, "a very long one is not kept")

	_, err = NewCache(-1)
	assert.Error(t, err)
	assert.Zero(t, (*Cache)(nil).Stats())
}

func TestManyAtOnce(t *testing.T) {
	cache, err := NewCache(8)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			cfg := agreed()
			cfg.Cache = cache
			for i := range 500 {
				c := full()
				want := everything()
				c.created = c.created.Add(-time.Duration((g+i)%20) * time.Second)
				if i%2 == 0 {
					c.disclosed.in, want = nil, nothing(ReasonTCFNotDisclosed)
				}
				if b := Decide(onlyGDPR(c.text()), cfg, now.UnixMilli()); b != want {
					t.Errorf("%+v", b)
					return
				}
			}
		})
	}
	wg.Wait()
}

// hotSignals are requests as they repeat.
func hotSignals() map[string]*Signals {
	c := full()
	c.vendor, c.disclosed.max = vendors{max: 1200, in: []vendorRange{{1, 1200}}}, 1200
	u := usCases[0]
	return map[string]*Signals{
		fmt.Sprintf("tcf %d B", len(c.text())): onlyGDPR(c.text()),
		"gpp us":                               {GPP: gppText(section{7, usText(1, u.allowing()...)}), GPPSID: []int32{7}},
		"gpp eu and us":                        {GDPR: openrtb.Yes, Consent: c.text(), USPrivacy: "1YNN", GPP: gppText(section{2, c.text()}, section{6, "1YNN"}), GPPSID: []int32{2, 6}},
		"plain":                                {GDPR: openrtb.No},
	}
}

func TestAHitAllocatesNothing(t *testing.T) {
	cache, err := NewCache(0)
	require.NoError(t, err)
	cfg := agreed()
	cfg.Cache = cache
	for name, in := range hotSignals() {
		require.Equal(t, everything(), Decide(in, cfg, now.UnixMilli()), name)
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			if !Decide(in, cfg, now.UnixMilli()).Profile {
				t.Fail()
			}
		}), name)
	}
}

func BenchmarkDecide(b *testing.B) {
	for name, in := range hotSignals() {
		for _, kind := range []string{"hit", "miss"} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				cfg := agreed()
				if kind == "hit" {
					cfg.Cache, _ = NewCache(0)
				}
				nowMS := now.UnixMilli()
				b.ReportAllocs()
				for b.Loop() {
					if !Decide(in, cfg, nowMS).Profile {
						b.Fatal("refused")
					}
				}
			})
		}
	}
}
