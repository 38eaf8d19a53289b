package bidder

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/segments"
)

const explainedIFA = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

// with returns a campaign that is open but for what change makes of it.
func with(id uint32, change func(c *campaigns.Campaign)) *campaigns.Campaign {
	c := openCampaign(id)
	change(c)
	return c
}

// rulesOf are the rules that a campaign fails, in the order of the stages.
func rulesOf(c *ExplainedCampaign) (rules []string) {
	for _, m := range c.Failing {
		rules = append(rules, m.Rule)
	}
	return rules
}

func find(t testing.TB, imp *ExplainedImp, id uint32) *ExplainedCampaign {
	t.Helper()
	for i := range imp.Campaigns {
		if imp.Campaigns[i].ID == id {
			return &imp.Campaigns[i]
		}
	}
	require.Fail(t, "campaign is not in the explanation", id)
	return nil
}

func explain(t testing.TB, b *Bidder, request string) *Explanation {
	t.Helper()
	e, err := b.Explain("burl", []byte(request))
	require.NoError(t, err)
	return e
}

// TestEveryMissIsNamed has a campaign for each kind of miss, and some that
// miss by several.
func TestEveryMissIsNamed(t *testing.T) {
	banner := func(fields string) string {
		return `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250}` + fields + `,"device":{"ifa":"` + explainedIFA + `"},"site":{"domain":"news.example"}}`
	}
	video := func(fields string) string { return `{"id":"x","imp":[{"id":"1","video":{` + fields + `}}]}` }
	cases := []struct {
		name, request string
		change        func(c *campaigns.Campaign)
		want          []string
		detail        string // of the last one
	}{
		{"nothing", banner(`}]`), func(*campaigns.Campaign) {}, nil, ""},
		{"two predicates", banner(`}]`), func(c *campaigns.Campaign) {
			c.Targeting = `domain in ("other.example") and inventory in ("site") and not domain in ("news.example")`
		}, []string{"targeting", "targeting"}, `not domain in ("news.example")`},
		{"flight", banner(`}]`), func(c *campaigns.Campaign) { c.StartMS = noon + 1 }, []string{"flight"}, "start"},
		{"ended", banner(`}]`), func(c *campaigns.Campaign) { c.EndMS = noon - 1 }, []string{"flight"}, "end"},
		{"block lists", banner(`}],"badv":["sofa.example"],"bcat":["IAB10"],"acat":["IAB1"],"wlang":["de"]`), func(*campaigns.Campaign) {},
			[]string{"advertiser_blocked", "category_blocked", "language"}, `"de"`},
		{"size and attribute", strings.Replace(banner(`}]`), `"h":250`, `"h":1,"battr":[5]`, 1), func(c *campaigns.Campaign) {
			c.Creatives[0].Attr, c.Creatives[0].Sizes = []int{5}, []campaigns.Size{{W: 728, H: 90}}
		}, []string{"size", "attr"}, "battr"},
		{"no banner", banner(`}]`), func(c *campaigns.Campaign) { c.Creatives = c.Creatives[1:] }, []string{"no_creative"}, "banner"},
		{"floor", banner(`,"bidfloor":3.5}]`), func(*campaigns.Campaign) {}, []string{"floor"}, "3.00 USD is below the floor of 3.50"},
		{"no price", banner(`}]`), func(c *campaigns.Campaign) { c.Bid.CPM = 1 }, []string{"no_price"}, "millionth"},
		{"deal only", banner(`,"pmp":{"private_auction":1,"deals":[{"id":"d","bidfloor":9}]}}]`), func(*campaigns.Campaign) {}, []string{"deal_only"}, "deal"},
		{"frequency", banner(`}]`), func(c *campaigns.Campaign) { c.Frequency = campaigns.Frequency{Impressions: 2, Hours: 24} },
			[]string{"frequency"}, "seen 2 times in 24 h"},
		{"nobody to count", strings.Replace(banner(`}]`), explainedIFA, "", 1), func(c *campaigns.Campaign) {
			c.Frequency = campaigns.Frequency{Impressions: 2, Hours: 24}
		}, []string{"frequency"}, "nobody"},
		{"budget", banner(`}]`), func(c *campaigns.Campaign) { c.Budget.Total = 13_199_999 }, []string{"budget"}, "0.0132 PLN, 0.013199999 are free"},
		{"day's budget", banner(`}]`), func(c *campaigns.Campaign) { c.Budget.Day = 1 }, []string{"budget"}, "free"},
		{"video", video(`"mimes":["video/webm"],"maxduration":10,"minbitrate":4000,"boxingallowed":0,"w":100,"h":100,"poddur":3`),
			func(*campaigns.Campaign) {}, []string{"mime", "duration", "bitrate", "size", "pod"}, "3 seconds"},
		{"native", `{"id":"x","imp":[{"id":"1","native":{"request":"{\"assets\":[{\"id\":1,\"required\":1,\"data\":{\"type\":5}}]}"}}]}`,
			func(*campaigns.Campaign) {}, []string{"native_asset"}, "required"},
		{"all at once", banner(`,"bidfloor":99}],"badv":["sofa.example"]`), func(c *campaigns.Campaign) {
			c.Targeting, c.EndMS, c.Budget.Total = `country in ("DE")`, noon, 1
			c.Frequency = campaigns.Frequency{Impressions: 1, Hours: 1}
		}, []string{"targeting", "flight", "advertiser_blocked", "floor", "frequency", "budget"}, "free"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, with(1, c.change))
			user := segments.UserFromIFA(explainedIFA)
			for range 2 {
				w.b.frequency.Add(segments.Pseudonym(w.b.state.Load().Snapshot.Shop(7).Salt, user), 1, noon-1000)
			}
			e := explain(t, w.b, c.request)
			require.Len(t, e.Imps, 1)
			got := find(t, &e.Imps[0], 1)
			require.Equal(t, c.want, rulesOf(got), "%+v", got.Failing)
			if len(c.want) == 0 {
				require.Equal(t, OutcomeWins, got.Outcome)
				require.Zero(t, e.Imps[0].Nearest)
				return
			}
			require.Contains(t, got.Failing[len(got.Failing)-1].Detail, c.detail)
			require.Equal(t, OutcomeFails, got.Outcome)
			require.False(t, got.Unexamined)
			require.Equal(t, uint32(1), e.Imps[0].Nearest)
			require.NotEmpty(t, e.NoBid)
			require.Empty(t, e.Bids)
			if slices.Contains(c.want, "targeting") || slices.Contains(c.want, "flight") {
				require.Equal(t, "no_campaign", e.NoBid)
			}
		})
	}
}

// TestWhatIsAgainstTheWholeRequest still looks at the campaigns.
func TestWhatIsAgainstTheWholeRequest(t *testing.T) {
	imp := `"imp":[{"id":"1","banner":{"w":300,"h":250}}]`
	cases := []struct {
		name, request string
		want          []string
		imp           []string // of the first imp
	}{
		{"seat and screen", `{"id":"x",` + imp + `,"wseat":["z"],"dooh":{"id":"1"}}`, []string{"dooh", "seat"}, nil},
		{"currency", `{"id":"x",` + imp + `,"cur":["JPY"]}`, []string{"currency"}, nil},
		{"time", `{"id":"x",` + imp + `,"tmax":5}`, []string{"no_time"}, nil},
		{"no imp", `{"id":"x"}`, []string{"no_imp"}, nil},
		{"audio", `{"id":"x","imp":[{"id":"1","audio":{"mimes":["audio/mp4"]}}]}`, nil, []string{"media_not_taken"}},
		{"multiplier", `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250},"qty":{"multiplier":3}}]}`, nil, []string{"multiplier"}},
		{"banner", `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250,"btype":[2],"mimes":["image/gif"]}}]}`, nil, []string{"banner_type", "mime"}},
		{"video", `{"id":"x","imp":[{"id":"1","video":{"mimes":["video/mp4"],"linearity":2,"protocols":[4],"delivery":[1]}}]}`, nil,
			[]string{"linearity", "delivery", "protocol"}},
		{"native", `{"id":"x","imp":[{"id":"1","native":{"request":"no"}}]}`, nil, []string{"native_malformed"}},
	}
	w := newWorld(t, openCampaign(1))
	rules := func(list []Miss) (out []string) {
		for _, m := range list {
			out = append(out, m.Rule)
		}
		return out
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := explain(t, w.b, c.request)
			require.Equal(t, c.want, rules(e.Reasons))
			require.NotEmpty(t, e.NoBid)
			if len(e.Imps) > 0 {
				require.Equal(t, c.imp, rules(e.Imps[0].Reasons))
				for _, camp := range e.Imps[0].Campaigns {
					require.Equal(t, OutcomeBlocked, camp.Outcome)
					require.Equal(t, c.name == "native", camp.Unexamined)
				}
			}
		})
	}
	_, err := w.b.Explain("nobody", []byte(bannerRequest))
	require.ErrorIs(t, err, ErrNoExchange)
	for _, bad := range []string{"", "[]", `{"id":`, `{"imp":[]}`} {
		_, err = w.b.Explain("burl", []byte(bad))
		require.ErrorIs(t, err, ErrNotRequest)
	}
	_, err = w.b.ExplainWith("burl", []byte(bannerRequest), ExplainOptions{Shop: 99})
	require.ErrorIs(t, err, ErrNoShop)
	w.b.ready[0].Store(false)
	e := explain(t, w.b, bannerRequest)
	require.Equal(t, []string{"not_ready"}, rules(e.Reasons))
	require.Equal(t, "not_ready", e.NoBid)
}

func TestTheWinnerTheOthersAndTheNearestMiss(t *testing.T) {
	w := newWorld(t,
		with(1, func(c *campaigns.Campaign) {
			c.Bid.Boosts = []campaigns.Boost{{When: `domain in ("news.example")`, BPS: 20_000}, {When: `domain in ("x.example")`, BPS: 30_000}}
			c.Bid.MaxCPM = 20_000_000
		}),
		openCampaign(2),
		with(3, func(c *campaigns.Campaign) { c.Targeting = `domain in ("x.example") and country in ("DE")` }),
		with(4, func(c *campaigns.Campaign) { c.Targeting = `domain in ("x.example")` }),
	)
	e := explain(t, w.b, bannerRequest)
	imp := &e.Imps[0]
	require.Equal(t, OutcomeWins, find(t, imp, 1).Outcome)
	require.Equal(t, OutcomeOutranked, find(t, imp, 2).Outcome)
	require.Equal(t, uint32(4), imp.Nearest)
	require.Equal(t, map[string]int{"targeting": 2}, imp.Failing)
	require.Equal(t, 4, imp.Looked)
	require.Equal(t, 2, imp.Matched)

	one := find(t, imp, 1)
	require.Equal(t, ExplainedValue{
		Currency: "PLN", Base: 12_000_000, Max: 20_000_000, CPM: 20_000_000,
		Boosts: []ExplainedBoost{{`domain in ("news.example")`, 20_000, true}, {`domain in ("x.example")`, 30_000, false}},
	}, one.Value)
	require.Equal(t, money.CPM(5_000_000), one.Price)
	require.Equal(t, money.CPM(500_000), one.Floor)
	require.Equal(t, money.Nano(22_000_000), one.Budget.Hold, "0.02 PLN and the fee of 10 %")
	require.Nil(t, one.Budget.Free)
	require.Equal(t, []ExplainedBid{{Imp: "1", Index: 0, Media: "banner", Campaign: 1, Creative: 1, Price: 5_000_000, Currency: "USD", W: 300, H: 250}}, e.Bids)
	require.Equal(t, []RateUsed{{"PLN", "USD", 250_000_000}}, e.Inputs.Rates)
	require.Equal(t, int64(1), e.Inputs.ConfigVersion)

	var r openrtb2.BidResponse
	require.NoError(t, json.Unmarshal(e.Answer, &r))
	var tok events.Token
	require.NoError(t, w.b.keys.Verify(&tok, []byte(token(t, r.SeatBid[0].Bid[0].NURL)), noon, events.ForNotice))
	require.True(t, tok.Test, "the answer's tokens move no money")

	short, err := w.b.ExplainWith("burl", []byte(bannerRequest), ExplainOptions{Limit: 1})
	require.NoError(t, err)
	require.Len(t, short.Imps[0].Campaigns, 1)
	require.Equal(t, 3, short.Imps[0].Cut)
	require.Equal(t, OutcomeWins, short.Imps[0].Campaigns[0].Outcome)
}

// corpus reads recorded requests.
func corpus(t testing.TB, names ...string) (lines []string) {
	t.Helper()
	for _, name := range names {
		f, err := os.Open(filepath.Join("..", "bench", "corpus", name+".jsonl"))
		require.NoError(t, err)
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			lines = append(lines, s.Text())
		}
	}
	require.NotEmpty(t, lines)
	return lines
}

// market is a few campaigns of different prices, targets and limits, and a
// person whom the shop knows.
func market(t testing.TB) *world {
	w := newWorld(t,
		openCampaign(1),
		with(2, func(c *campaigns.Campaign) {
			c.Bid.CPM, c.Frequency = 40_000_000, campaigns.Frequency{Impressions: 3, Hours: 24}
		}),
		with(3, func(c *campaigns.Campaign) { c.Bid.CPM, c.Budget.Total = 50_000_000, 60*55_000_000 }),
		with(4, func(c *campaigns.Campaign) { c.Bid.CPM, c.Targeting = 60_000_000, `device in ("mobile")` }),
		with(5, func(c *campaigns.Campaign) { c.Budget.Day = 1 }),
		with(6, func(c *campaigns.Campaign) { c.Bid.CPM, c.Targeting = 70_000_000, `visited within 30d` }),
	)
	return w
}

// TestExplainSaysWhatTheBidderThenDoes plays the corpora both ways.
func TestExplainSaysWhatTheBidderThenDoes(t *testing.T) {
	w := market(t)
	bids := 0
	for _, line := range corpus(t, "banner", "video", "native", "context", "rules", "odd", "standard") {
		e, err := w.b.Explain("burl", []byte(line))
		status, body, h := w.post("burl", line)
		if status == 400 {
			require.ErrorIs(t, err, ErrNotRequest)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, h.Get("X-Grosz-Nobid"), e.NoBid, line)
		var r openrtb2.BidResponse
		if status == 200 {
			require.NoError(t, json.Unmarshal(body, &r))
		}
		var got, want []string
		for _, s := range r.SeatBid {
			for _, b := range s.Bid {
				bids++
				got = append(got, fmt.Sprintln(b.ImpID, b.CID, b.W, b.H, int64(b.Price*1e6+0.5), b.DealID))
			}
		}
		for _, b := range e.Bids {
			want = append(want, fmt.Sprintln(b.Imp, b.Campaign, b.W, b.H, int64(b.Price), b.Deal))
			for i := range e.Imps {
				if x := &e.Imps[i]; x.Index == b.Index && x.Media == b.Media {
					require.Empty(t, x.Reasons, line)
					require.Empty(t, find(t, x, b.Campaign).Failing, "what wins fails nothing: %s", line)
				}
			}
		}
		require.Equal(t, want, got, line)
	}
	require.Greater(t, bids, 60)
}

// TestExplainLeavesNoTrace compares all that a bidder counts and keeps.
func TestExplainLeavesNoTrace(t *testing.T) {
	w, twin := market(t), market(t)
	look := func(w *world) string {
		var out bytes.Buffer
		w.b.WriteMetrics(&out)
		fmt.Fprintf(&out, "%+v %+v %+v\n", w.b.book.Stats(), w.b.bidLog.Stats(), w.b.spool.Stats())
		for _, a := range w.b.state.Load().accounts {
			fmt.Fprintf(&out, "%+v\n", a.State(dayAt(w.b.state.Load().Snapshot.Campaigns[0].Shop.Location, noon).number))
		}
		n, _, evicted := w.b.frequency.Stats()
		fmt.Fprintln(&out, n, evicted, w.b.profiles.Load().Stats())
		lines := strings.Split(out.String(), "\n")
		slices.Sort(lines)
		return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "seconds") }), "\n")
	}
	for _, x := range []*world{w, twin} { // the same past
		x.bid("burl", bannerRequest)
	}
	before := look(w)
	for _, line := range corpus(t, "banner", "video", "native", "rules") {
		_, err := w.b.Explain("burl", []byte(line))
		require.NoError(t, err)
	}
	require.Equal(t, before, look(w))
	require.Equal(t, twin.b.nonce(), w.b.nonce(), "no random number was taken")
}

// TestAShopSeesNothingOfOthers: whatever other shops do, the explanation that
// a shop gets is the same, byte for byte.
func TestAShopSeesNothingOfOthers(t *testing.T) {
	w := market(t)
	user := segments.UserFromIFA(explainedIFA)
	request := []byte(`{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250}}],"site":{"domain":"news.example"},"device":{"ifa":"` + explainedIFA + `"}}`)
	view := func(t require.TestingT) []byte {
		e, err := w.b.ExplainWith("burl", request, ExplainOptions{Shop: 7, seed: [32]byte{5}})
		require.NoError(t, err)
		out, err := json.Marshal(e)
		require.NoError(t, err)
		return out
	}
	alone := view(t)
	require.Contains(t, string(alone), `"outcome":"wins"`)
	own := w.in.Campaigns
	version := int64(1)
	rapid.Check(t, func(t *rapid.T) {
		other := testShop()
		other.ID, other.Name, other.Domain = 8, "Rival", "rival.example"
		in := w.in
		in.Shops, in.Campaigns = []*campaigns.Shop{w.in.Shops[0], other}, slices.Clone(own)
		version++
		in.Version = version
		for i := range rapid.IntRange(1, 5).Draw(t, "campaigns") {
			c := openCampaign(uint32(100 + i))
			c.ShopID, c.Name = 8, "secret plan"
			c.Bid.CPM = money.CPM(rapid.Int64Range(1, 1e9).Draw(t, "cpm"))
			c.Targeting = rapid.SampledFrom([]string{"", `domain in ("news.example")`, `visited within 30d`}).Draw(t, "targeting")
			c.Budget.Total = money.Nano(rapid.Int64Range(0, 1e9).Draw(t, "budget"))
			in.Campaigns = append(in.Campaigns, c)
		}
		require.Empty(t, w.b.Publish(in))
		seen := rapid.IntRange(0, 3).Draw(t, "seen")
		for range seen {
			w.b.frequency.Add(segments.Pseudonym(w.b.state.Load().Snapshot.Shop(8).Salt, user), 100, noon)
		}
		w.b.profiles.Load().Apply(&events.ShopEvent{ShopID: 8, UID: user, Type: events.ShopVisit, TimeMS: noon - int64(version)})
		w.b.book.Settle(pacing.Settlement{BidID: events.ID{byte(version), byte(version >> 8), 1}, Campaign: 100, Amount: 7, Day: 1, BidMS: noon})
		require.Equal(t, string(alone), string(view(t)))
	})
	e := explain(t, w.b, string(request))
	all, err := json.Marshal(e)
	require.NoError(t, err)
	require.Contains(t, string(all), "secret plan", "the administrator sees everybody")
	require.Len(t, e.Inputs.Profiles, 1)
	require.Equal(t, uint32(8), e.Inputs.Profiles[0].Shop)
}

func FuzzExplain(f *testing.F) {
	for _, line := range corpus(f, "banner", "video", "native", "rules", "odd", "broken") {
		f.Add([]byte(line))
	}
	w := market(f)
	f.Fuzz(func(t *testing.T, request []byte) {
		e, err := w.b.Explain("burl", request)
		if err != nil {
			require.ErrorIs(t, err, ErrNotRequest)
			return
		}
		_, err = json.Marshal(e)
		require.NoError(t, err)
		require.NotEqual(t, e.NoBid == "", len(e.Bids) == 0)
	})
}

func BenchmarkExplain(b *testing.B) {
	w := newWorld(b, many(1000)...)
	b.ReportAllocs()
	for b.Loop() {
		if e, err := w.b.Explain("burl", []byte(bannerRequest)); err != nil || len(e.Bids) != 1 {
			b.Fatal("no bid", err)
		}
	}
}
