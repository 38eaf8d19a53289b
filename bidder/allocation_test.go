package bidder

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/creatives"
)

// bidOnce runs one request through all stages, as bidRequest does, and lets
// its holds go.
func (w *world) bidOnce(c *bidContext, body []byte) NoBidReason {
	c.state, c.exchange, c.start, c.nowMS = w.b.state.Load(), w.b.exchanges["burl"], time.Now(), w.clock.NowMS()
	if err := c.view.Parse(body); err != nil {
		w.t.Fatal(err)
	}
	r := w.b.bid(c)
	if r == ReasonNone && len(c.out) == 0 {
		w.t.Fatal("a bid without an answer")
	}
	w.b.letGo(c)
	c.reset()
	return r
}

// TestABidOfApprovedCreativesDoesNotAllocate is the same where an exchange has
// to have approved them, and for uploaded files.
func TestABidOfApprovedCreativesDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		return
	}
	for name, camp := range map[string]*campaigns.Campaign{"products": openCampaign(5), "files": staticCampaign(5)} {
		w := newWorld(t, camp)
		w.b.exchangeNamed(t, "burl").approvalOnly = true
		var crids []string
		for i := range camp.Creatives {
			for _, f := range creatives.Forms(7, &camp.Creatives[i]) {
				if f.Template != creatives.TemplateGrid { // another takes its place
					crids = append(crids, f.CRID)
				}
			}
		}
		w.approve("burl", crids...)
		c := newContext([32]byte{1})
		for _, media := range []string{"banner", "video"} {
			for range 200 {
				require.Equal(t, ReasonNone, w.bidOnce(c, bidBodies[media]), "%s %s", name, media)
			}
			require.LessOrEqual(t, testing.AllocsPerRun(500, func() { w.bidOnce(c, bidBodies[media]) }), 0.5, "%s %s", name, media)
		}
	}
}

// many is a market of n campaigns of which one in fifty is for the page.
func many(n int) []*campaigns.Campaign {
	out := make([]*campaigns.Campaign, 0, n)
	for i := range n {
		c := openCampaign(uint32(i + 1))
		c.Bid.CPM += 1000
		if i%50 != 0 {
			c.Targeting = `domain in ("other.example") and not category in ("IAB25")`
		}
		out = append(out, c)
	}
	return out
}

var bidBodies = map[string][]byte{
	"banner": []byte(bannerRequest),
	"video":  []byte(`{"id":"v","imp":[{"id":"1","video":{"mimes":["video/mp4"],"minduration":5,"maxduration":30,"protocols":[2,3,7]}}],"site":{"domain":"news.example"}}`),
	"native": []byte(`{"id":"n","imp":[{"id":"1","native":{"request":"{\"ver\":\"1.2\",\"assets\":[{\"id\":1,\"required\":1,\"title\":{\"len\":40}},{\"id\":2,\"required\":1,\"img\":{\"type\":3,\"wmin\":300,\"hmin\":200}}]}"}}]}`),
}

// TestABidDoesNotAllocate holds the hot path to its budget: nothing at
// steady state, token, creative and log record included.
func TestABidDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Log("pools drop things at random under the race detector; not measured")
		return
	}
	w := newWorld(t, many(100)...)
	c := newContext([32]byte{1})
	for name, body := range bidBodies {
		for range 200 { // grow what grows
			require.Equal(t, ReasonNone, w.bidOnce(c, body))
		}
		allocs := testing.AllocsPerRun(500, func() { w.bidOnce(c, body) })
		require.LessOrEqual(t, allocs, 0.5, "%s: the log's buffers may grow now and then, nothing else", name)
	}
}

func BenchmarkBid(b *testing.B) {
	for name, body := range bidBodies {
		for _, n := range []int{100, 10_000} {
			b.Run(name+"/campaigns="+map[int]string{100: "100", 10_000: "10k"}[n], func(b *testing.B) {
				w := newWorld(b, many(n)...)
				c := newContext([32]byte{1})
				body := bytes.Clone(body)
				for b.Loop() {
					if w.bidOnce(c, body) != ReasonNone {
						b.Fatal("no bid")
					}
				}
				b.ReportAllocs()
			})
		}
	}
}
