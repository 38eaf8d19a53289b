package bidder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// TestFiltersOfSpecialCampaigns has the refusals that depend on the campaign.
func TestFiltersOfSpecialCampaigns(t *testing.T) {
	banner := func(fields string) string {
		return `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250` + fields + `}}]}`
	}
	video := func(fields string) string {
		return `{"id":"x","imp":[{"id":"1","video":{"mimes":["video/mp4"]` + fields + `}}]}`
	}
	cases := []struct {
		name, request, want string
		change              func(c *campaigns.Campaign)
	}{
		{"nobody to count", banner(""), "frequency", func(c *campaigns.Campaign) { c.Frequency = campaigns.Frequency{Impressions: 1, Hours: 1} }},
		{"no campaign", banner(""), "no_campaign", func(c *campaigns.Campaign) { c.Targeting = `domain in ("other.example")` }},
		{"no creative", banner(""), "no_creative", func(c *campaigns.Campaign) { c.Creatives = c.Creatives[1:] }},
		{"a size the creative does not take", banner(""), "size", func(c *campaigns.Campaign) { c.Creatives[0].Sizes = []campaigns.Size{{W: 728, H: 90}} }},
		{"blocked attribute", banner(`,"battr":[9]`), "attr", func(c *campaigns.Campaign) { c.Creatives[0].Attr = []int{9} }},
		{"expands, and may not", banner(""), "attr", func(c *campaigns.Campaign) { c.Creatives[0].Attr = []int{4} }},
		{"nothing to bid", banner(""), "no_price", func(c *campaigns.Campaign) { c.Bid.CPM = 1 }},
		{"no budget", banner(""), "budget", func(c *campaigns.Campaign) { c.Budget.Total = 1 }},
		{"video bit rate", video(`,"minbitrate":301`), "bitrate", nil},
		{"video pod", video(`,"poddur":14`), "pod", nil},
		{"video least duration", video(`,"minduration":16`), "duration", nil},
		{"video boxing", video(`,"w":300,"h":250,"boxingallowed":0`), "size", nil},
		{"video floor by duration", video(`,"durfloors":[{"mindur":1,"maxdur":14,"bidfloor":0.1},{"mindur":15,"maxdur":15,"bidfloor":3.1}]`), "floor", nil},
		{"video floor by second", video(`,"mincpmpersec":0.21`), "floor", nil},
		{"video floor by second beyond all numbers", video(`,"mincpmpersec":1000000000`), "floor", nil},
		{"many impressions", `{"id":"x","imp":[{"id":"1","qty":{"multiplier":14.2},"banner":{"w":300,"h":250}}]}`, "multiplier", nil},
		{"the same imp twice", `{"id":"x","imp":[{"id":"1","banner":{"w":1,"h":1}},{"id":"1","banner":{"w":300,"h":250}}]}`, "malformed", nil},
		{"audio", `{"id":"x","imp":[{"id":"1","audio":{"mimes":["audio/mp4"],"minduration":5}}]}`, "media_not_taken", nil},
		{"DSA notice that a video does not show", strings.Replace(video(""), `"id":"x"`, `"id":"x","regs":{"dsa":{"dsarequired":3,"pubrender":0}}`, 1), "dsa", nil},
		{"a list that was cut", `{"id":"x","badv":[` + strings.Repeat(`"a.example",`, 20_001) + `"b.example"],"imp":[{"id":"1","banner":{"w":300,"h":250}}]}`, "block_list_cut", nil},
		{"domain blocked by a wildcard", `{"id":"x","badv":["*.sofa.example"],"imp":[{"id":"1","banner":{"w":300,"h":250}}]}`, "advertiser_blocked", nil},
		{"domain blocked by a leading dot", `{"id":"x","badv":[".sofa.example"],"imp":[{"id":"1","banner":{"w":300,"h":250}}]}`, "advertiser_blocked", nil},
		{"domain blocked, the list's key has escapes", `{"id":"x","b\u0061dv":["sofa.example"],"imp":[{"id":"1","banner":{"w":300,"h":250}}]}`, "advertiser_blocked", nil},
		{"domain blocked by URL", `{"id":"x","badv":["https://www.Sofa.example/"],"imp":[{"id":"1","banner":{"w":300,"h":250}}]}`, "advertiser_blocked", nil},
		{"allowed categories of a taxonomy that is not ours", `{"id":"x","cattax":6,"acat":["552"],"imp":[{"id":"1","banner":{"w":300,"h":250}}]}`, "category_blocked", nil},
		{"seat empty and seats listed", `{"id":"x","wseat":[""],"imp":[{"id":"1","banner":{"w":300,"h":250}}]}`, "seat", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			camp := openCampaign(1)
			if c.change != nil {
				c.change(camp)
			}
			w := newWorld(t, camp)
			require.Equal(t, c.want, w.noBid("burl", c.request))
		})
	}
}

func TestBeforeTheLogIsReadNothingIsBid(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	w.b.ready[2].Store(false)
	require.Equal(t, "not_ready", w.noBid("burl", bannerRequest))
}

func TestRatiosAreAnsweredWithAStandardSize(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", `{"id":"x","imp":[{"id":"1","banner":{"format":[{"w":1,"h":1},{"wratio":6,"hratio":5,"wmin":320}]}}]}`).SeatBid[0].Bid[0]
	require.Equal(t, []int64{336, 280}, []int64{bid.W, bid.H})
	require.Equal(t, "size", w.noBid("burl", `{"id":"x","imp":[{"id":"1","banner":{"format":[{"wratio":7,"hratio":5,"wmin":300}]}}]}`))
}

// TestFieldsThatRefuseNothing: these say how the ad will stand, or allow what
// our ads do not need.
func TestFieldsThatRefuseNothing(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	for _, imp := range []string{
		`"instl":1,"banner":{"w":300,"h":250,"pos":7,"topframe":1,"expdir":[1],"api":[3,5,6],"vcm":1,"btype":[1,3,4]}`,
		`"rwdd":1,"clickbrowser":1,"exp":30,"ssai":2,"banner":{"w":300,"h":250,"mimes":["text/html","image/png"]}`,
		`"video":{"mimes":["video/mp4"],"startdelay":-2,"placement":1,"plcmt":2,"pos":1,"api":[1,2,7],"playbackmethod":[6],"playbackend":1,"maxextended":-1}`,
		`"video":{"mimes":["VIDEO/MP4"],"podid":"p","podseq":1,"slotinpod":1,"maxseq":3,"poddur":60,"skip":1,"skipmin":30,"skipafter":3}`,
		`"qty":{"multiplier":1},"banner":{"w":300,"h":250},"metric":[{"type":"viewability","value":0.1}]`,
	} {
		w.bid("burl", `{"id":"x","wlang":["pl"],"wlangb":["de"],"bapp":["com.sofa"],"bcat":["IAB25","IAB1"],"cattax":2,"allimps":1,"imp":[{"id":"1",`+imp+`}]}`)
	}
	require.Equal(t, "category_blocked", w.noBid("burl", `{"id":"x","cattax":2,"bcat":["IAB10"],"imp":[{"id":"1","banner":{"w":300,"h":250}}]}`),
		"a code of ours under the wrong taxonomy is believed: many exchanges mix them up")
}

func TestAVideoIsSkippableWhereItMayBe(t *testing.T) {
	c := openCampaign(1)
	c.Creatives[2].Video.SkipAfterMS = 5000
	c.Creatives[2].Attr = []int{16}
	w := newWorld(t, c)
	for fields, offset := range map[string]string{
		`"skip":1`: "00:00:05", `"linearity":1`: "00:00:05", `"skip":1,"skipafter":8`: "00:00:08", `"skip":1,"skipmin":14`: "00:00:05",
		`"skip":0`: "", `"skip":1,"skipmin":15`: "", `"battr":[16]`: "", `"skipafter":15`: "", `"protocols":[2]`: "",
	} {
		bid := w.bid("burl", `{"id":"x","imp":[{"id":"1","video":{"mimes":["video/mp4"],`+fields+`}}]}`).SeatBid[0].Bid[0]
		if offset == "" {
			require.NotContains(t, bid.AdM, "skipoffset", fields)
			require.Empty(t, bid.Attr, fields)
			continue
		}
		require.Contains(t, bid.AdM, `skipoffset="`+offset+`"`, fields)
		require.EqualValues(t, 16, bid.Attr[0], "the bid says that it is skippable")
	}
}

func TestExpIsAsLongAsTheHold(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	for exp, want := range map[int]int64{0: 120, 60: 120, 3600: 3600} {
		bid := w.bid("burl", fmt.Sprintf(`{"id":"x","imp":[{"id":"1","exp":%d,"banner":{"w":300,"h":250}}]}`, exp)).SeatBid[0].Bid[0]
		require.Equal(t, want, bid.Exp)
	}
}

func TestWhoRendersTheDSANotice(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	for request, want := range map[string]string{
		`"regs":{"dsa":{"dsarequired":2,"pubrender":0}},"imp":[{"id":"1","banner":{"w":300,"h":250}}]`:      `"adrender":1`,
		`"regs":{"dsa":{"dsarequired":2,"pubrender":2}},"imp":[{"id":"1","banner":{"w":300,"h":250}}]`:      `"adrender":0`,
		`"regs":{"dsa":{"dsarequired":2,"pubrender":1}},"imp":[{"id":"1","video":{"mimes":["video/mp4"]}}]`: `"adrender":0`,
		`"regs":{"dsa":{"dsarequired":1,"pubrender":0}},"imp":[{"id":"1","video":{"mimes":["video/mp4"]}}]`: `"adrender":0`,
	} {
		require.Contains(t, string(w.bid("burl", `{"id":"x",`+request+`}`).SeatBid[0].Bid[0].Ext), want, request)
	}
}

// dealCampaign bids by its targeting at a price.
func dealCampaign(id uint32, targeting string, cpm int64) *campaigns.Campaign {
	c := openCampaign(id)
	c.Targeting, c.Bid.CPM = targeting, money.CPM(cpm*money.CPMUnit)
	return c
}

func TestDealsBesideTheOpenAuction(t *testing.T) {
	imp := func(fields string) string {
		return `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250},` + fields + `}]}`
	}
	run := dealCampaign(1, "", 12) // 3 USD
	in := dealCampaign(2, `deal in ("a")`, 8)
	other := dealCampaign(3, "", 6)
	cases := []struct {
		name, request string
		camps         []*campaigns.Campaign
		want          string // campaign:deal …, or why not
	}{
		{"a cheaper deal is taken", imp(`"bidfloor":1,"pmp":{"deals":[{"id":"a","bidfloor":0.5}]}`), []*campaigns.Campaign{run}, "1:a"},
		{"as dear as the open auction", imp(`"bidfloor":1,"pmp":{"deals":[{"id":"a","bidfloor":1}]}`), []*campaigns.Campaign{run}, "1:a"},
		{"a dearer deal is left", imp(`"bidfloor":1,"pmp":{"deals":[{"id":"a","bidfloor":1.01}]}`), []*campaigns.Campaign{run}, "1:"},
		{"the open floor is too high", imp(`"bidfloor":9,"pmp":{"deals":[{"id":"a","bidfloor":2}]}`), []*campaigns.Campaign{run}, "1:a"},
		{"both floors are too high", imp(`"bidfloor":9,"pmp":{"deals":[{"id":"a","bidfloor":8}]}`), []*campaigns.Campaign{run}, "floor"},
		{"the cheapest of several", imp(`"pmp":{"private_auction":1,"deals":[{"id":"a","bidfloor":2},{"id":"b","bidfloor":4,"bidfloorcur":"PLN"},{"id":"c","bidfloor":1}]}`), []*campaigns.Campaign{run}, "1:b"},
		{"what it targets, though dearer", imp(`"bidfloor":0.1,"pmp":{"deals":[{"id":"b"},{"id":"a","bidfloor":2}]}`), []*campaigns.Campaign{in}, "2:a"},
		{"what it targets, in a private auction", imp(`"pmp":{"private_auction":1,"deals":[{"id":"b"},{"id":"a","bidfloor":2}]}`), []*campaigns.Campaign{in}, "2:a"},
		{"never openly for a deal that is too dear", imp(`"pmp":{"deals":[{"id":"a","bidfloor":2.01}]}`), []*campaigns.Campaign{in}, "deal_only"},
		{"not the deal, not the campaign", imp(`"pmp":{"deals":[{"id":"b"}]}`), []*campaigns.Campaign{in}, "no_campaign"},
		{"one in the deal, one openly", imp(`"pmp":{"deals":[{"id":"a","bidfloor":2}]}`), []*campaigns.Campaign{run, in, other}, "1: 2:a"},
		{"one open bid only", imp(`"bidfloor":0.1`), []*campaigns.Campaign{run, other}, "1:"},
		{"one bid per deal", imp(`"pmp":{"private_auction":1,"deals":[{"id":"a"}]}`), []*campaigns.Campaign{run, in, other}, "1:a"},
		{"a deal without an id", imp(`"pmp":{"private_auction":1,"deals":[{"bidfloor":0.1}]}`), []*campaigns.Campaign{run}, "deal_only"},
		{"a deal in a currency without a rate", imp(`"pmp":{"private_auction":1,"deals":[{"id":"a","bidfloor":0.1,"bidfloorcur":"XXX"}]}`), []*campaigns.Campaign{run}, "deal_only"},
		{"a deal's own seat", imp(`"pmp":{"private_auction":1,"deals":[{"id":"a","wseat":["zz","seat-1"]}]}`), []*campaigns.Campaign{run}, "1:a"},
		{"a deal's domains", imp(`"pmp":{"private_auction":1,"deals":[{"id":"a","wadomain":["example"]},{"id":"b","wadomain":["Sofa.example"]}]}`), []*campaigns.Campaign{run}, "1:b"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.camps...)
			status, _, h := w.post("burl", c.request)
			if status == 204 {
				require.Equal(t, c.want, h.Get("X-Grosz-Nobid"))
				return
			}
			require.Equal(t, c.want, lanes(w.bid("burl", c.request)))
		})
	}
}

// lanes is campaign:deal of each bid.
func lanes(r openrtb2.BidResponse) string {
	out := make([]string, 0, 4)
	for _, b := range r.SeatBid[0].Bid {
		out = append(out, b.CID+":"+b.DealID)
	}
	return strings.Join(out, " ")
}

func TestSeveralOpenBidsWhereTheExchangeTakesThem(t *testing.T) {
	w := newWorld(t, dealCampaign(1, "", 12), dealCampaign(2, "", 8), dealCampaign(3, "", 6))
	w.b.exchanges["burl"].openBids = 2
	r := w.bid("burl", `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250},"video":{"mimes":["video/mp4"]}}]}`)
	require.Equal(t, "1: 2:", lanes(r), "the dearest, each campaign once")
	w.b.exchanges["burl"].openBids = 5
	r = w.bid("burl", `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250},"video":{"mimes":["video/mp4"]}}]}`)
	require.Equal(t, "1: 2: 3:", lanes(r))
}

func TestADealsVideoFloors(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	deal := func(fields string) string {
		return `{"id":"x","imp":[{"id":"1","bidfloor":99,"video":{"mimes":["video/mp4"],"mincpmpersec":9,"durfloors":[{"bidfloor":99}]},
		  "pmp":{"private_auction":1,"deals":[{"id":"d",` + fields + `}]}}]}`
	}
	w.bid("burl", deal(`"bidfloor":3`))
	w.bid("burl", deal(`"bidfloor":9,"durfloors":[{"mindur":16,"bidfloor":9},{"maxdur":15,"bidfloor":3}]`))
	w.bid("burl", deal(`"mincpmpersec":0.2`))
	for _, fields := range []string{`"bidfloor":3.01`, `"bidfloor":1,"durfloors":[{"maxdur":15,"bidfloor":3.01}]`, `"mincpmpersec":0.201`} {
		require.Equal(t, "deal_only", w.noBid("burl", deal(fields)))
	}
}
