package bidder

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/events"
)

// What video players call, by the impression's token: &e=start and so on, or
// &code=… of VAST 4.3 § 2.3.6.3.
const (
	pathVideoTrack = "/v/track"
	pathVideoError = "/v/error"
)

// videoEvents are the tracking events that our VAST asks for; errors are one
// more kind.
var videoEvents = [...]string{"start", "firstQuartile", "midpoint", "thirdQuartile", "complete", "error"}

// videoCounts counts reports of players by kind.
type videoCounts [len(videoEvents)]atomic.Uint64

func (c *videoCounts) write(w io.Writer) {
	for i := range c {
		if n := c[i].Load(); n > 0 {
			fmt.Fprintf(w, "grosz_video_events_total{event=%q} %d\n", videoEvents[i], n)
		}
	}
}

// video takes a player's report of how far it came. Each is kept once per bid;
// they inform and move no money. A player is answered in any case: what cannot
// be kept is not asked for again.
func (b *Bidder) video(ctx *fasthttp.RequestCtx, path string) {
	defer answerNotice(ctx, events.TypeVideo)
	var tok events.Token
	now := b.clock.NowMS()
	args := ctx.QueryArgs()
	if err := b.keys.Verify(&tok, args.Peek("t"), now, events.ForImpression); err != nil {
		b.reject(events.TypeVideo, &tok, err, args.Peek("t"), now)
		return
	}
	what, kind := string(args.Peek("e")), len(videoEvents)-1
	if path == pathVideoError {
		what = "error"
		if code, err := strconv.Atoi(string(args.Peek("code"))); err == nil && code >= 100 && code <= 999 {
			what += "_" + strconv.Itoa(code)
		}
	} else if kind = slices.Index(videoEvents[:kind], what); kind < 0 {
		return // not asked for by our VAST
	}
	e := b.eventOf(&tok, events.TypeVideo, now)
	e.Reason = what
	e.EventID = events.EventID(tok.BidID, events.Type("video_"+what), 0)
	if b.repeats.has(e.EventID) {
		b.metrics.repeated.Inc()
		return
	}
	if err := b.appendEvent(&e); err != nil {
		b.log.Debug("video event not kept", "err", err)
		return
	}
	b.repeats.add(e.EventID, 0)
	b.played[kind].Add(1)
}
