package bidder

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

// sampledRequest is of a person with all that must not be kept.
const sampledRequest = `{"id":"secret-1","imp":[{"id":"1","tagid":"top","banner":{"format":[{"w":300,"h":250}]},"bidfloor":%g}],"cur":["USD"],"at":2,
 "site":{"id":"s-77","domain":"%s","page":"https://u:p@news.example/a?mail=a@b.example#x","search":"red sofa","keywords":"home"},
 "device":{"ip":"203.0.113.9","ipv6":"2001:db8::1","ifa":"ifa-secret","ua":"Mozilla/5.0 (X11) Chrome/120","os":"linux","devicetype":2,
  "geo":{"country":"POL","city":"Warszawa","zip":"00-001","lat":52.2,"lon":21.01}},
 "user":{"id":"user-secret","buyeruid":"%s","eids":[{"source":"x","uids":[{"id":"eid-secret"}]}],"data":[{"id":"d","name":"dmp","segment":[{"id":"42"}]}]},
 "regs":{"gdpr":0},"source":{"tid":"tid-secret"}}`

// collect takes what is on its way out of the sample, as the log would carry
// it, back in.
func (w *world) collect() (lines string) {
	w.t.Helper()
	text, _ := w.b.requests.swap(nil)
	require.NoError(w.t, w.b.addRequests(text))
	return string(text)
}

func shared(w *world, share float64) {
	for _, x := range w.b.exchanges {
		x.requestShare = share
	}
}

func person(i int) segments.UserKey {
	r := rand.New(rand.NewPCG(uint64(i), 77))
	var u segments.UserKey
	for k := range u {
		u[k] = byte(r.Uint32())
	}
	u[0] |= 1
	return u
}

func TestSampleHoldsNoIdentifiers(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	shared(w, 1)
	w.post("burl", fmt.Sprintf(sampledRequest, 0.5, "news.example", person(1)))
	lines := w.collect()
	require.NotEmpty(t, lines)
	for _, secret := range []string{"secret", "203.0.113", "2001:db8", "Mozilla", "52.2", "21.01", "00-001", "mail=", "u:p@", "s-77", "buyeruid", "eids"} {
		assert.NotContains(t, lines, secret)
	}
	var s RequestSample
	require.NoError(t, json.Unmarshal([]byte(lines), &s))
	require.True(t, parsesAsRequest(s.Request), "%s", s.Request)
	for _, kept := range []string{`"https://news.example/a"`, `"domain":"news.example"`, `"country":"POL"`, `"bidfloor":0.5`, `"tagid":"top"`} {
		assert.Contains(t, string(s.Request), kept)
	}
	if !s.User.IsZero() {
		assert.Contains(t, string(s.Request), "red sofa")
	}

	// Of nobody we may know, no words either.
	text, err := appendStripped(nil, []byte(fmt.Sprintf(sampledRequest, 0.5, "news.example", person(1))), false)
	require.NoError(t, err)
	for _, private := range []string{"red sofa", "Warszawa", "segment", "user"} {
		assert.NotContains(t, string(text), private)
	}
}

func TestWhatIsNotSampled(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"the exchange does not allow it": func(w *world) { w.b.exchanges["burl"].privacy.MayLog = false },
		"none is to be taken":            func(w *world) { shared(w, -1) },
		"no memory for it":               func(w *world) { w.b.requests = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, openCampaign(1))
			shared(w, 1)
			change(w)
			w.post("burl", fmt.Sprintf(sampledRequest, 0.5, "news.example", person(1)))
			if w.b.requests != nil {
				require.Empty(t, w.collect())
			}
		})
	}
}

// The sample stays one of people when memory runs out, and weights say of how
// many each speaks.
func TestStoreIsBoundedByPeople(t *testing.T) {
	s := newRequestStore(RequestConfig{Bytes: 100_000})
	const people, each = 1000, 3
	for k := range each {
		for i := range people {
			u := person(i)
			s.add(&RequestSample{TimeMS: noon + int64(k), User: u, Hash: sampleHash(u), Share: 1, Request: json.RawMessage(`{"id":"x"}`)}, noon)
		}
	}
	list, _ := s.all()
	require.LessOrEqual(t, s.stats().bytes, int64(100_000))
	seen, weight := map[segments.UserKey]int{}, 0.0
	for i, r := range list {
		seen[r.User]++
		weight += 1 / r.Share
		if i > 0 {
			require.LessOrEqual(t, list[i-1].Hash, r.Hash)
		}
	}
	for u, n := range seen {
		require.Equal(t, each, n, "all of a person or nothing: %s", u)
	}
	require.InEpsilon(t, people*each, weight, 0.25)
	u := list[0].User
	require.Equal(t, each, s.forget(u))
	for _, r := range list[:each] {
		require.Equal(t, u, r.User, "who reads is not disturbed")
	}
	require.Less(t, s.stats().kept, len(list))
	s.add(&RequestSample{TimeMS: noon - 15*24*hourMS, Share: 1}, noon)
	require.Equal(t, len(list)-each, s.stats().kept, "too old")
}

// What is replayed bids as the live request did: same price, floor, markets.
func TestReplayBidsAsTheLiveBidder(t *testing.T) {
	live := openCampaign(1)
	live.Bid.Boosts = []campaigns.Boost{{When: `domain in ("b.example")`, BPS: 20_000}}
	w := newWorld(t, live)
	shared(w, 1)
	prices := map[string]int{}
	for i := range 60 {
		domain := []string{"a.example", "b.example", "c.example"}[i%3]
		floor := []float64{0.5, 4}[i/3%2] // USD; the campaign's 12 PLN are 3
		body := fmt.Sprintf(sampledRequest, floor, domain, person(i))
		if status, got, _ := w.post("burl", body); status == 200 {
			var r struct {
				SeatBid []struct{ Bid []struct{ Price float64 } }
			}
			require.NoError(t, json.Unmarshal(got, &r))
			prices[fmt.Sprintf("%.2f", r.SeatBid[0].Bid[0].Price)]++
		}
	}
	w.collect()
	got, err := w.b.ForecastBids(live)
	require.NoError(t, err)
	require.Equal(t, 60, got.Sampled)
	require.Equal(t, 60, got.Replayed)
	replayed := map[string]int{}
	for i := range got.Bid {
		replayed[fmt.Sprintf("%.2f", float64(got.Bid[i])/1e6)]++
		require.InDelta(t, 1, got.Weight[i], 1e-9)
	}
	require.Equal(t, prices, replayed)
	require.Equal(t, []string{"burl/banner/USD"}, got.Markets)
	require.Equal(t, 20.0, got.Below)
	require.InDelta(t, float64(got.Bid[0])/1000*4*1.1*1000/1e6, float64(got.Gross[0])/1e9*1000, 0.01, "in PLN, with the fee")
	require.Equal(t, 1.0, got.Ads)
	before := w.b.Book().Account(1).State(0)
	_, err = w.b.ForecastBids(live)
	require.NoError(t, err)
	require.Equal(t, before, w.b.Book().Account(1).State(0), "nothing is held")
}

// A campaign that is not there yet is bid for; only its own shop's people are
// known to it, as they were when the request came.
func TestReplayOfANewCampaign(t *testing.T) {
	w := newWorld(t)
	shared(w, 1)
	visitor, stranger := person(1), person(2)
	var p segments.Profile
	for _, e := range []events.ShopEvent{{Type: events.ShopVisit, TimeMS: noon - 3_600_000, ShopID: 7, UID: visitor}} {
		p.Fold(&e)
	}
	packed, err := p.AppendBinary(nil)
	require.NoError(t, err)
	var back segments.Profile
	require.NoError(t, back.ReadBinary(packed))
	require.Equal(t, p, back)
	require.Error(t, back.ReadBinary(packed[:3]))
	body, err := appendStripped(nil, []byte(fmt.Sprintf(sampledRequest, 0.5, "news.example", "")), true)
	require.NoError(t, err)
	for _, x := range []struct {
		u    segments.UserKey
		shop uint32
	}{{visitor, 7}, {stranger, 0}, {person(3), 8}} {
		s := &RequestSample{TimeMS: noon, Exchange: "burl", User: x.u, Hash: sampleHash(x.u), Share: 0.5, Profile: true, Request: body}
		if x.shop != 0 {
			s.Profiles = []CarriedProfile{{x.shop, packed}}
		}
		w.b.kept.add(s, noon)
	}
	doc := openCampaign(0)
	doc.Targeting = "visited within 2h"
	got, err := w.b.ForecastBids(doc)
	require.NoError(t, err)
	require.Len(t, got.Bid, 1)
	require.InDelta(t, 2, got.Weight[0], 1e-9, "one of two is in the sample")
	w.clock.Set(noon + 24*hourMS)
	got, err = w.b.ForecastBids(doc)
	require.NoError(t, err)
	require.Len(t, got.Bid, 1, "by the time of the request")
	doc.Targeting = "nonsense"
	_, err = w.b.ForecastBids(doc)
	require.Error(t, err)
	doc.ShopID = 99
	_, err = w.b.ForecastBids(doc)
	require.ErrorIs(t, err, ErrNoShop)
	_, err = newWorld(t).b.ForecastBids(openCampaign(0))
	require.ErrorIs(t, err, ErrNoRequests)
}

// The person is the same for good, the share is right, and nothing is held,
// counted or sent for them; the record is there.
func TestGhostBids(t *testing.T) {
	c := openCampaign(1)
	c.HoldoutBPS = 3000
	c.Frequency = campaigns.Frequency{Impressions: 1000, Hours: 24}
	w := newWorld(t, c)
	camp := w.b.state.Load().Snapshot.Campaigns[0]
	held, n := 0, 20_000
	for i := range n {
		if heldOut(camp, uint64(i)*0x9E3779B97F4A7C15+1) {
			held++
		}
	}
	require.InDelta(t, 0.3, float64(held)/float64(n), 4*math.Sqrt(0.3*0.7/float64(n)))
	require.False(t, heldOut(camp, 0), "nobody is not held out")
	out := 0
	for i := range 60 {
		u := person(i)
		body := strings.Replace(fmt.Sprintf(sampledRequest, 0.5, "news.example", u), `"buyeruid"`, `"customdata":"","buyeruid"`, 1)
		want := heldOut(camp, segments.Pseudonym(camp.Shop.Salt, u))
		for range 2 {
			status, _, h := w.post("burl", body)
			if want {
				require.Equal(t, 204, status)
				require.Equal(t, "holdout", h.Get("X-Grosz-Nobid"))
			} else {
				require.Equal(t, 200, status)
			}
		}
		if want {
			out++
			x, err := w.b.Explain("burl", []byte(body))
			require.NoError(t, err)
			require.Equal(t, "holdout", x.Imps[0].Campaigns[0].Failing[0].Rule)
		}
	}
	require.Greater(t, out, 5)
	require.EqualValues(t, 2*(60-out), w.b.Book().Stats().Holds, "only what was sent is held")
}

// There are more bids than are looked at: those that were stand for the rest.
func TestReplayStopsWhenItHasEnough(t *testing.T) {
	w := newWorld(t)
	at := time.Now()
	w.b.now = func() time.Time { return at } // however busy the machine
	body, err := appendStripped(nil, []byte(fmt.Sprintf(sampledRequest, 0.5, "news.example", "")), true)
	require.NoError(t, err)
	const n = forecastBids * 4 / 3
	for i := range n {
		u := person(i / 4)
		w.b.kept.add(&RequestSample{TimeMS: noon, Exchange: "burl", User: u, Hash: sampleHash(u), Share: 1, Request: body}, noon)
	}
	got, err := w.b.ForecastBids(openCampaign(0))
	require.NoError(t, err)
	require.Len(t, got.Bid, forecastBids)
	total := 0.0
	for _, x := range got.Weight {
		total += x
	}
	require.InEpsilon(t, n, total, 0.05)
}

// A forecast over what ten million requests leave in memory.
func BenchmarkForecast(b *testing.B) {
	w := newWorld(b)
	body, err := appendStripped(nil, []byte(fmt.Sprintf(sampledRequest, 0.5, "news.example", "")), true)
	require.NoError(b, err)
	for i := range 10_000_000 {
		var u segments.UserKey
		binary.LittleEndian.PutUint64(u[:], uint64(i/5)*0x9E3779B97F4A7C15+1)
		w.b.kept.add(&RequestSample{TimeMS: noon - int64(i), Exchange: "burl", User: u, Hash: sampleHash(u), Share: 1, Request: body}, noon)
	}
	s := w.b.kept.stats()
	b.Logf("%d of 10,000,000 requests are kept, a share of %g, in %d MB", s.kept, s.share, s.bytes>>20)
	b.ResetTimer()
	for b.Loop() {
		got, err := w.b.ForecastBids(openCampaign(0))
		require.NoError(b, err)
		require.NotEmpty(b, got.Bid)
		b.ReportMetric(float64(len(got.Bid)), "bids")
	}
}
