package bidder

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/bidder/traffic"
	"github.com/grosz/grosz/events"
)

// judge tells what a click is worth: what it returns goes into the event's
// reason, and a click with a reason counts apart in every report. The person
// is led on all the same: who is suspected wrongly loses nothing.
type judge struct {
	clicks *traffic.Clicks
	lists  *traffic.Watch
	counts [traffic.Verdicts]atomic.Uint64
}

func newJudge(cfg traffic.ClicksConfig, lists *traffic.Watch) *judge {
	return &judge{clicks: traffic.NewClicks(cfg), lists: lists}
}

// click judges one whose token was verified.
func (j *judge) click(ctx *fasthttp.RequestCtx, tok *events.Token, nowMS int64) string {
	ua := string(ctx.UserAgent())
	if traffic.Library(ua) {
		ua = "" // a server's call for a person; its address is looked at still
	}
	v := j.clicks.Judge(traffic.Click{
		Bid: tok.BidID, BidMS: tok.BidMS, NowMS: nowMS, From: j.lists.Check(ua, clientAddr(ctx)),
	})
	j.counts[v].Add(1)
	return v.String()
}

// noticed notes what a notice says about whether there is anything to click.
func (j *judge) noticed(e *events.Event) {
	switch e.Type {
	case events.TypeImpression:
		j.clicks.Shown(e.BidID, e.TimeMS)
	case events.TypeLoss:
		j.clicks.Lost(e.BidID, e.TimeMS)
	}
}

func (j *judge) writeMetrics(w io.Writer) {
	for v := range j.counts {
		if n := j.counts[v].Load(); n > 0 && traffic.Verdict(v) != traffic.ClickOK {
			fmt.Fprintf(w, "grosz_clicks_judged_total{reason=%q} %d\n", traffic.Verdict(v), n)
		}
	}
	n, most := j.clicks.Remembered()
	fmt.Fprintf(w, "grosz_clicks_remembered %d\ngrosz_clicks_remembered_max %d\n", n, most)
}

// clientAddr is the address of who asks: the connection's, or behind a
// balancer in our own network the last one that the balancer wrote down. Who
// connects from a public address cannot claim another.
func clientAddr(ctx *fasthttp.RequestCtx) string {
	ap, err := netip.ParseAddrPort(ctx.RemoteAddr().String())
	if err != nil {
		return ""
	}
	addr := ap.Addr().Unmap()
	if !addr.IsPrivate() && !addr.IsLoopback() {
		return addr.String()
	}
	said := string(ctx.Request.Header.Peek("X-Forwarded-For"))
	last := strings.TrimSpace(said[strings.LastIndexByte(said, ',')+1:])
	if _, err := netip.ParseAddr(last); err == nil {
		return last
	}
	return addr.String()
}
