package bidder

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/internal/tlsmux"
)

const pathBid = "/openrtb2/"

// Headers of an answer with bids.
var (
	contentJSON   = []byte("application/json")
	versionHeader = []byte("X-Openrtb-Version")
	version26     = []byte("2.6")
)

// Server returns the HTTP server of the bidder's listener.
func (b *Bidder) Server() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:                       b.handler(),
		NoDefaultServerHeader:         true,
		NoDefaultDate:                 true,
		NoDefaultContentType:          true,
		DisableHeaderNamesNormalizing: false,
		ReadTimeout:                   10 * time.Second, // a whole request, however slowly it drips
		WriteTimeout:                  10 * time.Second,
		IdleTimeout:                   2 * time.Minute,
		MaxRequestBodySize:            b.cfg.MaxBody,
		ReadBufferSize:                16 << 10, // a request in one read, an answer in one write
		WriteBufferSize:               16 << 10,
		Concurrency:                   16 << 10, // connections; an idle one keeps about 35 KB
		CloseOnShutdown:               true,
		ErrorHandler:                  badRequest,
		Logger:                        quietLogger{},
	}
}

// badRequest answers what is not HTTP, or too large, without a stack trace.
func badRequest(ctx *fasthttp.RequestCtx, err error) {
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.As(err, &small):
		ctx.Error("request headers are larger than 16 KiB", fasthttp.StatusRequestHeaderFieldsTooLarge)
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		ctx.Error("request body is too large", fasthttp.StatusRequestEntityTooLarge)
	case errors.As(err, &timeout) && timeout.Timeout():
		ctx.Error("request timed out", fasthttp.StatusRequestTimeout)
	default:
		ctx.Error("not a valid HTTP request", fasthttp.StatusBadRequest)
	}
	ctx.SetConnectionClose()
}

// quietLogger drops fasthttp's lines about clients that hang up.
type quietLogger struct{}

func (quietLogger) Printf(string, ...any) {}

// handler routes: bid requests first, they are the many.
func (b *Bidder) handler() fasthttp.RequestHandler {
	assets := b.assetHandler()
	api := &ExplainAPI{Bidder: b, AdminKeySHA256: b.cfg.AdminKeySHA256, AdminKey: b.cfg.AdminKey, Samples: b.samples}
	explain, forecast := api.Handler(), api.forecastHandler()
	return func(ctx *fasthttp.RequestCtx) {
		if b.draining.Load() {
			ctx.SetConnectionClose()
		}
		path := ctx.Path()
		if len(path) > len(pathBid) && string(path[:len(pathBid)]) == pathBid {
			b.bidRequest(ctx, path[len(pathBid):])
			return
		}
		if typ, ok := noticeType(string(path)); ok {
			b.notice(ctx, typ)
			return
		}
		switch p := string(path); p {
		case pathClick:
			b.click(ctx)
		case pathVideoError, pathVideoTrack:
			b.video(ctx, p)
		case pathPixel:
			b.pixelScript(ctx)
		case pathPixelEvent:
			b.pixelEvents(ctx)
		case pathPixelHello:
			b.pixelHello(ctx)
		case pathWhy:
			b.why(ctx)
		case pathHide:
			b.hide(ctx)
		case pathReview:
			b.review(ctx)
		case pathOptOut:
			b.people.optOut(ctx)
		case PathExplain, PathSamples:
			explain(ctx)
		case PathForecast:
			forecast(ctx)
		case PathErasures:
			api.erasures(ctx)
		case "/healthz":
			ctx.SetBodyString("ok\n")
		case "/readyz":
			b.readyz(ctx)
		default:
			b.other(ctx, p, assets)
		}
	}
}

func (b *Bidder) other(ctx *fasthttp.RequestCtx, path string, assets fasthttp.RequestHandler) {
	if strings.HasPrefix(path, "/assets/") {
		assets(ctx)
		return
	}
	if x, ok := strings.CutPrefix(path, pathSync); ok {
		b.people.sync(ctx, x)
		return
	}
	if name, ok := strings.CutPrefix(path, pathIntent); ok {
		b.intentItems(ctx, name)
		return
	}
	if id, ok := strings.CutPrefix(path, "/api/v1/shops/"); ok {
		if shop, campaign, ok := previewPath(id); ok {
			b.servePreview(ctx, shop, campaign)
			return
		}
		if id, ok := strings.CutSuffix(id, "/events"); ok {
			shop := b.shopOf(id)
			switch {
			case !ctx.IsPost():
				problem(ctx, fasthttp.StatusMethodNotAllowed, "shop events are sent by POST")
			case shop == nil:
				problem(ctx, fasthttp.StatusUnauthorized, "no such shop, or the key is not its own")
			default:
				b.shopEvents(ctx, shop)
			}
			return
		}
	}
	ctx.Error("not found", fasthttp.StatusNotFound)
}

func (b *Bidder) readyz(ctx *fasthttp.RequestCtx) {
	if ok, why := b.Ready(); !ok {
		ctx.Error(why, fasthttp.StatusServiceUnavailable)
		return
	}
	ctx.SetBodyString("ready\n")
}

// assetHandler serves uploaded files. fasthttp's FS cleans paths and refuses
// to leave its root.
func (b *Bidder) assetHandler() fasthttp.RequestHandler {
	if b.cfg.AssetDir == "" {
		return func(ctx *fasthttp.RequestCtx) { ctx.Error("not found", fasthttp.StatusNotFound) }
	}
	root, err := filepath.Abs(b.cfg.AssetDir)
	if err != nil {
		root = b.cfg.AssetDir
	}
	fs := &fasthttp.FS{Root: root, AcceptByteRange: true, PathRewrite: fasthttp.NewPathSlashesStripper(1)}
	h := fs.NewRequestHandler()
	return func(ctx *fasthttp.RequestCtx) {
		typ := assetType(string(ctx.Path()))
		if typ == "" {
			ctx.Error("not found", fasthttp.StatusNotFound)
			return
		}
		h(ctx)
		assetHeaders(&ctx.Response, typ)
	}
}

// assetType is the type of a file that may be served, by its name: pictures
// and videos, nothing that a browser would run.
func assetType(path string) string {
	switch filepath.Ext(path) {
	case ".png":
		return "image/png"
	case ".jpg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	case ".mp4":
		return "video/mp4"
	}
	return ""
}

// assetHeaders keep a file what it was checked to be, wherever it is opened.
func assetHeaders(r *fasthttp.Response, typ string) {
	h := &r.Header
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	if code := r.StatusCode(); code != fasthttp.StatusOK && code != fasthttp.StatusPartialContent {
		return
	}
	h.SetContentType(typ)
	h.Set("Content-Disposition", "inline")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "public, max-age=86400")
}

// bidRequest answers one bid request: 200 with bids, 204 without, 400 for
// what is no bid request.
func (b *Bidder) bidRequest(ctx *fasthttp.RequestCtx, name []byte) {
	start := b.now()
	state := b.state.Load()
	x := state.Exchanges[string(name)]
	switch {
	case x == nil:
		ctx.Error("no such exchange", fasthttp.StatusNotFound)
		return
	case !ctx.IsPost():
		ctx.Error("bid requests are sent by POST", fasthttp.StatusMethodNotAllowed)
		ctx.Response.Header.Set("Allow", "POST")
		return
	}
	if !x.authorised(ctx.Request.Header.Peek(x.authHeader), addrOf(ctx.RemoteAddr())) {
		ctx.Error("not from this exchange: its token or address is not the agreed one", fasthttp.StatusUnauthorized)
		return
	}
	x.counters.requests.Add(1)
	if !x.allowQPS(b.clock.NowMS()) || !b.gate.enter(start) {
		x.counters.noBids.Add(1)
		x.counters.reasons[ReasonOverload].Add(1)
		noBid(ctx, ReasonOverload)
		return
	}
	defer b.gate.leave()
	c := b.contexts.Get().(*bidContext)
	c.state, c.exchange, c.start, c.now, c.nowMS = state, x, start, b.now, b.clock.NowMS()
	r := b.answer(ctx, c)
	if r == ReasonNone {
		x.counters.bids.Add(1)
	} else {
		x.counters.noBids.Add(1)
		x.counters.reasons[r].Add(1)
	}
	c.reset()
	b.contexts.Put(c)
	took := b.now().Sub(start)
	b.metrics.latency.Update(took.Seconds())
	x.tallies.latency[latencyBucket(took)].n.Add(1)
}

// noBid answers 204 with an empty body, which every exchange understands.
func noBid(ctx *fasthttp.RequestCtx, r NoBidReason) {
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	if len(ctx.Request.Header.Peek("X-Grosz-Debug")) > 0 {
		ctx.Response.Header.Set("X-Grosz-Nobid", r.String())
	}
}

func (b *Bidder) answer(ctx *fasthttp.RequestCtx, c *bidContext) NoBidReason {
	body, err := b.body(ctx, c)
	if err == nil {
		err = c.view.Parse(body)
	}
	if err == nil && c.view.ID == "" {
		err = errNoID
	}
	if err != nil {
		ctx.Error("not an OpenRTB bid request: "+err.Error(), statusOf(err))
		if errors.Is(err, errEncoding) {
			ctx.Response.Header.Set("Accept-Encoding", "gzip")
		}
		return ReasonMalformed
	}
	if !b.bidding() {
		noBid(ctx, ReasonNotReady)
		return ReasonNotReady
	}
	r := b.samples.bid(b, c, body)
	b.requests.take(c, body)
	if r != ReasonNone {
		noBid(ctx, r)
		return r
	}
	h := &ctx.Response.Header
	h.SetContentTypeBytes(contentJSON)
	h.SetCanonical(versionHeader, version26)
	if len(c.out) >= gzipFrom && c.exchange.gzipAnswer(acceptsGzip(ctx.Request.Header.Peek("Accept-Encoding"))) {
		h.SetContentEncoding("gzip")
		c.packed = deflated(c.packed[:0], c.out)
		ctx.SetBody(c.packed)
		return ReasonNone
	}
	ctx.SetBody(c.out)
	return ReasonNone
}

// errNoID: § 3.2.1 requires an id, and the response must repeat it.
var errNoID = errors.New("id is missing")

// statusOf is the status for what could not be read.
func statusOf(err error) int {
	switch {
	case errors.Is(err, errInflated):
		return fasthttp.StatusRequestEntityTooLarge
	case errors.Is(err, errEncoding):
		return fasthttp.StatusUnsupportedMediaType
	}
	return fasthttp.StatusBadRequest
}

// isTLS tells whether the client came by https, also through a balancer that
// says so.
func isTLS(ctx *fasthttp.RequestCtx) bool {
	return ctx.IsTLS() || tlsmux.IsTLS(ctx.Conn()) || string(ctx.Request.Header.Peek("X-Forwarded-Proto")) == "https"
}
