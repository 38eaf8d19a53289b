package bidder

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/prebid/openrtb/v20/openrtb2"
	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

func TestABannerBidHasAllThatAnExchangeAsksFor(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	r := w.bid("burl", bannerRequest)
	require.Equal(t, "r1", r.ID)
	require.Equal(t, "USD", r.Cur)
	require.Equal(t, "seat-1", r.SeatBid[0].Seat)
	bid := r.SeatBid[0].Bid[0]
	require.Equal(t, "1", bid.ImpID)
	require.InDelta(t, 3.0, bid.Price, 0, "12 PLN are 3 USD")
	require.Equal(t, openrtb2.MarkupBanner, bid.MType)
	require.Equal(t, []string{"sofa.example"}, bid.ADomain)
	require.Equal(t, []string{"IAB10-6"}, bid.Cat)
	require.Equal(t, int64(300), bid.W)
	require.Equal(t, int64(250), bid.H)
	require.NotEmpty(t, bid.CrID)
	require.Equal(t, "1", bid.CID)
	require.Contains(t, bid.NURL, "http://bid.example/n/win?t=")
	require.Contains(t, bid.BURL, "${AUCTION_PRICE}")
	require.Contains(t, bid.LURL, "${AUCTION_LOSS}")
	require.Contains(t, bid.AdM, "/i?t=")
	require.Contains(t, bid.AdM, "${AUCTION_PRICE}")
	require.NotContains(t, bid.AdM, "Co <b>", "the shop's name is escaped")
	again := w.bid("burl", bannerRequest).SeatBid[0].Bid[0]
	require.Equal(t, bid.CrID, again.CrID)
	require.NotEqual(t, bid.ID, again.ID)
}

func TestVideoAndNativeAreBidOn(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	video := w.bid("burl", `{"id":"v","imp":[{"id":"1","video":{"mimes":["video/mp4"],"minduration":5,"maxduration":30,"protocols":[2,3,7]}}]}`).SeatBid[0].Bid[0]
	require.Equal(t, openrtb2.MarkupVideo, video.MType)
	require.Contains(t, video.AdM, `<VAST version="4.0"`)
	require.Equal(t, int64(15), video.Dur)
	require.Contains(t, video.AdM, "https://bid.example/assets/spot15.mp4")

	native := `{"ver":"1.2","assets":[{"id":1,"required":1,"title":{"len":40}},{"id":2,"required":1,"img":{"type":3,"wmin":300,"hmin":200}},{"id":3,"data":{"type":1}}]}`
	text, err := json.Marshal(native)
	require.NoError(t, err)
	nat := w.bid("burl", `{"id":"n","imp":[{"id":"1","native":{"request":`+string(text)+`,"ver":"1.2"}}]}`).SeatBid[0].Bid[0]
	require.Equal(t, openrtb2.MarkupNative, nat.MType)
	require.True(t, json.Valid([]byte(nat.AdM)), nat.AdM)
	require.Contains(t, nat.AdM, `"assets"`)
}

func TestSecureImpsGetHTTPSOnly(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	for _, media := range []string{`"banner":{"w":300,"h":250}`, `"video":{"mimes":["video/mp4"],"protocols":[3]}`} {
		bid := w.bid("burl", `{"id":"s","imp":[{"id":"1","secure":1,`+media+`}]}`).SeatBid[0].Bid[0]
		require.NotContains(t, bid.AdM, "http://")
		require.Contains(t, bid.AdM, "https://bid.example/i?t=")
	}
}

func TestWhatIsRefusedSaysWhy(t *testing.T) {
	imp := func(media string) string { return `{"id":"x","imp":[{"id":"1",` + media + `}]}` }
	with := func(fields string) string {
		return `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250}}],` + fields + `}`
	}
	cases := []struct{ name, request, want string }{
		{"no imp", `{"id":"x"}`, "no_imp"},
		{"floor above the value", imp(`"banner":{"w":300,"h":250},"bidfloor":3.01`), "floor"},
		{"floor in another currency", imp(`"banner":{"w":300,"h":250},"bidfloor":12.01,"bidfloorcur":"PLN"`), "floor"},
		{"floor in an unknown currency", imp(`"banner":{"w":300,"h":250},"bidfloor":0.01,"bidfloorcur":"XXX"`), "currency"},
		{"bid currency unknown", with(`"cur":["JPY"]`), "currency"},
		{"size", imp(`"banner":{"w":123,"h":45}`), "size"},
		{"no size", imp(`"banner":{"pos":1}`), "size"},
		{"banner type", imp(`"banner":{"w":300,"h":250,"btype":[2]}`), "banner_type"},
		{"banner mimes", imp(`"banner":{"w":300,"h":250,"mimes":["image/gif"]}`), "mime"},
		{"blocked domain", with(`"badv":["SOFA.example"]`), "advertiser_blocked"},
		{"blocked category", with(`"bcat":["IAB10"]`), "category_blocked"},
		{"category not allowed", with(`"acat":["IAB1"]`), "category_blocked"},
		{"language", with(`"wlang":["de"]`), "language"},
		{"seat not listed", with(`"wseat":["other"]`), "seat"},
		{"seat blocked", with(`"bseat":["seat-1"]`), "seat"},
		{"dooh", with(`"dooh":{"id":"1"}`), "dooh"},
		{"private auction without a deal", imp(`"banner":{"w":300,"h":250},"pmp":{"private_auction":1}`), "deal_only"},
		{"private auction, dear deal", imp(`"banner":{"w":300,"h":250},"pmp":{"private_auction":1,"deals":[{"id":"d","bidfloor":9}]}`), "deal_only"},
		{"video too long", imp(`"video":{"mimes":["video/mp4"],"maxduration":10}`), "duration"},
		{"video required durations", imp(`"video":{"mimes":["video/mp4"],"rqddurs":[10,30]}`), "duration"},
		{"video mime", imp(`"video":{"mimes":["video/webm"]}`), "mime"},
		{"video wrapper only", imp(`"video":{"mimes":["video/mp4"],"protocols":[4,5]}`), "protocol"},
		{"video nonlinear", imp(`"video":{"mimes":["video/mp4"],"linearity":2}`), "linearity"},
		{"video streaming only", imp(`"video":{"mimes":["video/mp4"],"delivery":[1]}`), "delivery"},
		{"native not JSON", imp(`"native":{"request":"nope"}`), "native_malformed"},
		{"native without request", imp(`"native":{"ver":"1.2"}`), "native_malformed"},
		{"native asset without id", imp(`"native":{"request":"{\"assets\":[{\"required\":1,\"title\":{\"len\":9}}]}"}`), "native_malformed"},
		{"native image of a type we lack", imp(`"native":{"request":"{\"assets\":[{\"id\":1,\"required\":1,\"img\":{\"type\":3,\"mimes\":[\"image/png\"]}}]}"}`), "native_asset"},
		{"native asset we lack", imp(`"native":{"request":"{\"assets\":[{\"id\":1,\"required\":1,\"data\":{\"type\":5}}]}"}`), "native_asset"},
		{"audio", imp(`"audio":{"mimes":["audio/mp4"]}`), "media_not_taken"},
		{"imp without id", `{"id":"x","imp":[{"banner":{"w":300,"h":250}}]}`, "malformed"},
		{"no time left", with(`"tmax":5`), "no_time"},
	}
	w := newWorld(t, openCampaign(1))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			require.Equal(t, c.want, w.noBid("burl", c.request))
		})
	}
}

func TestFloorsThatAreJustMet(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	for _, floor := range []string{`"bidfloor":3`, `"bidfloor":12,"bidfloorcur":"PLN"`, `"bidfloor":-1`, `"bidfloor":"2.5"`} {
		w.bid("burl", `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250},`+floor+`}]}`)
	}
}

func TestADealIsNamedAndHonoured(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", `{"id":"x","imp":[{"id":"1","bidfloor":99,"banner":{"w":300,"h":250},"pmp":{"private_auction":1,"deals":[
	  {"id":"other-seat","wseat":["zz"]},{"id":"other-domain","wadomain":["x.example"]},{"id":"fixed","bidfloor":1.25,"at":3}]}}]}`).SeatBid[0].Bid[0]
	require.Equal(t, "fixed", bid.DealID)
	require.InDelta(t, 1.25, bid.Price, 0, "at 3: the deal's floor is the price")
}

func TestEveryImpIsAnsweredOnItsOwn(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	r := w.bid("burl", `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250}},{"id":"2","banner":{"w":1,"h":1}},
	  {"id":"3","banner":{"w":1,"h":1},"video":{"mimes":["video/mp4"]}},{"id":"1","banner":{"w":300,"h":250}}]}`)
	var ids []string
	for _, b := range r.SeatBid[0].Bid {
		ids = append(ids, b.ImpID)
	}
	require.Equal(t, []string{"1", "3"}, ids, "the second imp has no size, the last one's id is taken")
}

func TestTheDearestCampaignThatMayWins(t *testing.T) {
	cheap, dear, paused := openCampaign(1), openCampaign(2), openCampaign(3)
	dear.Bid.CPM, paused.Bid.CPM, paused.Status = 20_000_000, 90_000_000, campaigns.StatusPaused
	dear.EndMS = noon + 1000
	w := newWorld(t, cheap, dear, paused)
	require.Equal(t, "2", w.bid("burl", bannerRequest).SeatBid[0].Bid[0].CID)
	w.clock.Set(noon + 1000)
	require.Equal(t, "1", w.bid("burl", bannerRequest).SeatBid[0].Bid[0].CID, "the other has ended")
}

func TestABudgetIsHeldByOpenBidsAndNeverExceeded(t *testing.T) {
	c := openCampaign(1)
	// One impression takes 0.012 PLN and the fee of 10 %: 0.0132.
	c.Budget.Total = 3 * 13_200_000
	w := newWorld(t, c)
	for range 3 {
		w.bid("burl", bannerRequest)
	}
	require.Equal(t, "budget", w.noBid("burl", bannerRequest))
	w.clock.Advance(121e9) // the holds have expired
	for range 64 {
		w.b.book.Sweep(w.clock.NowMS())
	}
	w.bid("burl", bannerRequest)
}

func TestTestRequestsAreBidOnWithoutAHold(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	w.bid("burl", strings.Replace(bannerRequest, `"at":2`, `"at":2,"test":1`, 1))
	require.Zero(t, w.b.book.Stats().Holds)
}

func TestDSAIsAnswered(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	bid := w.bid("burl", `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250}}],"regs":{"ext":{"dsa":{"dsarequired":2}}}}`).SeatBid[0].Bid[0]
	require.Contains(t, string(bid.Ext), `"paid":"Sofa`)
	require.NotContains(t, string(bid.Ext), "transparency")
	bid = w.bid("burl", `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250}}],"regs":{"ext":{"dsa":{"dsarequired":3,"datatopub":2}}}}`).SeatBid[0].Bid[0]
	require.Contains(t, string(bid.Ext), `"transparency":[{"domain":"bid.example","dsaparams":[2]}]`)
}

func TestWhatIsNotARequest(t *testing.T) {
	w := newWorld(t, openCampaign(1))
	for _, body := range []string{"", "x", "[]", `{"id":`, `{"id":"x"}}`, `{"imp":[{"id":"1"}]}`, strings.Repeat(`{"a":`, 1000)} {
		status, _, _ := w.post("burl", body)
		require.Equal(t, 400, status, "%.20s", body)
	}
	status, _, _ := w.post("nobody", bannerRequest)
	require.Equal(t, 404, status)
	require.Equal(t, 405, w.get("http://bid.example/openrtb2/burl").StatusCode)
}
