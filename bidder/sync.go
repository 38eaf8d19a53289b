package bidder

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/bidder/privacy"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
)

const (
	pathSync = "/sync/"

	maxSyncID      = 256
	maxSyncURL     = 2048
	defaultSyncQPS = 1000
)

// SyncConfig is how user ids are matched with an exchange: the key `sync` of
// its file. The empty one is none.
type SyncConfig struct {
	// URL is the exchange's own pixel, which keeps our id for user.buyeruid.
	// ${UID} in it becomes our id; ${GDPR}, ${GDPR_CONSENT}, ${US_PRIVACY},
	// ${GPP} and ${GPP_SID} what the caller said. https, http on loopback.
	URL string `yaml:"url"`
	// RedirectHosts may follow redir in calls that bring us the exchange's id:
	// host names, exactly.
	RedirectHosts []string `yaml:"redirect_hosts"`
	// QPS bounds the calls taken per second and node; default 1000.
	QPS int `yaml:"qps"`
	// EIDSources are the sources of user.eids that are believed here, in order
	// of preference.
	EIDSources []string `yaml:"eid_sources"`
}

// syncRoute is a checked SyncConfig.
type syncRoute struct {
	name  string
	url   string
	hosts []string
	eids  []string
	limit limiter
}

func newSyncRoute(exchange string, c SyncConfig) (*syncRoute, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		switch {
		case err != nil || u.Host == "" || (u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname()))):
			bad("sync.url %q: an https URL", c.URL)
		case !strings.Contains(c.URL, "${UID}"):
			bad("sync.url %q: ${UID} is not in it", c.URL)
		}
	}
	for _, h := range c.RedirectHosts {
		if h == "" || h != strings.ToLower(h) || strings.ContainsAny(h, "/:@*?#\\ ") {
			bad("sync.redirect_hosts %q: a host name in lower case, without port or path", h)
		}
	}
	if c.QPS < 0 {
		bad("sync.qps %d must not be negative", c.QPS)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("exchange %q: %w", exchange, errors.Join(errs...))
	}
	r := &syncRoute{name: exchange, url: c.URL, hosts: c.RedirectHosts, eids: c.EIDSources, limit: limiter{n: defaultSyncQPS}}
	if c.QPS > 0 {
		r.limit.n = int64(c.QPS)
	}
	return r, nil
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// MatchTable is whose browser an exchange means by its own id
// (segments/match). Lookup is on the hot path and must not allocate.
type MatchTable interface {
	Lookup(exchange, id string, nowMS int64) (segments.UserKey, bool)
	Put(exchange, id string, uid segments.UserKey, nowMS int64) error
	Forget(uid segments.UserKey, untilMS int64) (int, error)
	ForgetWhere(drop func(uid segments.UserKey, seenMS int64) bool) (int, error)
}

// SuppressionList is who asked to be forgotten (segments/suppress). OptedOut
// and Suppressed are on hot paths.
type SuppressionList interface {
	OptedOut(u segments.UserKey) bool
	Suppressed(u segments.UserKey, receivedMS int64) bool
	Add(u segments.UserKey, untilMS int64, optOut bool) (news bool, err error)
	Each(sinceMS int64, fn func(u segments.UserKey, untilMS int64, optOut bool))
}

// Consent is what a sync call says of the person's choices, and the browser's
// own signals.
type Consent struct {
	GDPR, GDPRConsent, USPrivacy, GPP, GPPSID string
	GPC, DNT                                  bool
}

// maySync tells whether the law and the exchange's terms allow matching ids:
// by the same reading as of a bid request. A flag that is neither 0 nor 1, and
// sections that cannot be read, allow nothing.
func (b *Bidder) maySync(exchange string, c Consent) bool {
	x := b.exchanges[exchange]
	if x == nil {
		return false
	}
	sig := privacy.Signals{Consent: c.GDPRConsent, USPrivacy: c.USPrivacy, GPP: c.GPP, GPC: flagOf(c.GPC), DNT: flagOf(c.DNT)}
	switch c.GDPR {
	case "":
	case "0":
		sig.GDPR = openrtb.No
	default:
		sig.GDPR = openrtb.Yes
	}
	for s := range strings.FieldsFuncSeq(c.GPPSID, func(r rune) bool { return r == ',' || r == '_' }) {
		id, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return false
		}
		sig.GPPSID = append(sig.GPPSID, int32(id))
	}
	return privacy.Decide(&sig, &x.privacy, b.clock.NowMS()).Profile
}

func flagOf(yes bool) openrtb.Flag {
	if yes {
		return openrtb.Yes
	}
	return openrtb.Absent
}

// PeopleConfig is what the handling of persons needs from outside.
type PeopleConfig struct {
	Sync     map[string]SyncConfig // by exchange
	Matches  MatchTable            // nil: no match table
	Suppress SuppressionList       // nil: no opt-outs; only in tests
	// Allowed tells whether an identifier may be kept; nil is maySync.
	Allowed func(exchange string, c Consent) bool
	// Emit makes an erasure, or a receipt, durable on its way to
	// events.TopicErasures.
	Emit func(*events.Erasure) error
}

// people is who persons are to this node: ids, opt-outs, erasure.
type people struct {
	b         *Bidder
	cfg       PeopleConfig
	routes    map[string]*syncRoute
	optOuts   limiter
	wishes    limiter     // erasures that are asked for with a key
	ready     atomic.Bool // the erasures in the log have been read
	eraseMu   sync.Mutex
	pending   []events.Erasure // news while the log was caught up with: owed a receipt
	atShops   []events.Erasure // of one shop each, read while the log was caught up with
	synced    atomic.Uint64
	refused   atomic.Uint64
	limited   atomic.Uint64
	erasures  atomic.Uint64
	eraseErrs atomic.Uint64
}

func newPeople(b *Bidder, cfg PeopleConfig) (*people, error) {
	p := &people{b: b, cfg: cfg, routes: make(map[string]*syncRoute), optOuts: limiter{n: optOutsPerSecond}, wishes: limiter{n: erasuresPerSecond}}
	if cfg.Allowed == nil {
		p.cfg.Allowed = b.maySync
	}
	var errs []error
	for name, c := range cfg.Sync {
		r, err := newSyncRoute(name, c)
		errs = append(errs, err)
		p.routes[name] = r
	}
	return p, errors.Join(errs...)
}

// sync answers /sync/{exchange}. With uid, the exchange's id of this browser,
// it notes the match and leads on to redir, if its host is listed. Without, it
// leads to the exchange's own pixel, with our id. Who opted out, or may not be
// identified, gets a transparent pixel and no cookie.
func (p *people) sync(ctx *fasthttp.RequestCtx, exchange string) {
	r := p.routes[exchange]
	if r == nil {
		say(ctx, fasthttp.StatusNotFound, "no user ids are matched with an exchange of this name")
		return
	}
	if !ctx.IsGet() {
		ctx.Response.Header.Set("Allow", "GET")
		say(ctx, fasthttp.StatusMethodNotAllowed, "sync is asked for by GET")
		return
	}
	ctx.Response.Header.Set("Cache-Control", "no-store")
	now := p.b.clock.NowMS()
	if !r.limit.allow(now) {
		p.limited.Add(1)
		ctx.Response.Header.Set("Retry-After", "1")
		say(ctx, fasthttp.StatusTooManyRequests, "too many calls in this second")
		return
	}
	args := ctx.QueryArgs()
	their, redir := string(args.Peek("uid")), string(args.Peek("redir"))
	target := r.url
	if redir != "" {
		if !r.leads(redir) {
			say(ctx, fasthttp.StatusBadRequest, "redir leads to a host that is not listed for this exchange")
			return
		}
		target = redir
	} else if their != "" {
		target = "" // they came to bring their id, and know ours or do not ask
	}
	if len(their) > maxSyncID {
		say(ctx, fasthttp.StatusBadRequest, "uid is longer than 256 bytes")
		return
	}
	consent := consentOf(ctx)
	if optedOut(ctx) || !p.cfg.Allowed(exchange, consent) || p.cookieSuppressed(ctx) {
		p.refused.Add(1)
		answerPixel(ctx)
		return
	}
	uid, _ := segments.UserFromUID(p.b.cookieUser(ctx))
	if their != "" && p.cfg.Matches != nil {
		if err := p.cfg.Matches.Put(exchange, their, uid, now); err != nil {
			p.b.log.Debug("match not kept", "err", err)
			busy(ctx)
			return
		}
		p.b.noteMatched(exchange, uid, browserOf(string(ctx.UserAgent())), now)
	}
	p.synced.Add(1)
	if target == "" {
		answerPixel(ctx)
		return
	}
	redirect(ctx, fillSync(target, uid.String(), consent))
	ctx.Response.Header.Set("Referrer-Policy", "no-referrer")
}

// leads tells whether a redirect may go there: https, to a listed host, and
// nothing that browsers read otherwise than we do.
func (r *syncRoute) leads(target string) bool {
	if len(target) > maxSyncURL || strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c == '\\' || c >= 0x7f }) {
		return false
	}
	u, err := url.Parse(target)
	if err != nil || u.User != nil || u.Opaque != "" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback(host)) {
		return false
	}
	return (u.Port() == "" || u.Port() == "443" || loopback(host)) && slices.Contains(r.hosts, host)
}

// fillSync fills our macros; what callers said is escaped.
func fillSync(target, uid string, c Consent) string {
	return strings.NewReplacer(
		"${UID}", uid, "%24%7BUID%7D", uid, "$%7BUID%7D", uid,
		"${GDPR}", url.QueryEscape(c.GDPR), "${GDPR_CONSENT}", url.QueryEscape(c.GDPRConsent),
		"${US_PRIVACY}", url.QueryEscape(c.USPrivacy), "${GPP}", url.QueryEscape(c.GPP), "${GPP_SID}", url.QueryEscape(c.GPPSID),
	).Replace(target)
}

func consentOf(ctx *fasthttp.RequestCtx) Consent {
	args, h := ctx.QueryArgs(), &ctx.Request.Header
	get := func(k string) string { return clip(string(args.Peek(k)), 4096) }
	return Consent{
		GDPR: get("gdpr"), GDPRConsent: get("gdpr_consent"), USPrivacy: get("us_privacy"), GPP: get("gpp"), GPPSID: get("gpp_sid"),
		GPC: string(h.Peek("Sec-GPC")) == "1", DNT: string(h.Peek("DNT")) == "1",
	}
}

func answerPixel(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.SetContentType("image/gif")
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.SetBody(pixelGIF)
}

// optedOut tells whether the browser carries the opt-out cookie.
func optedOut(ctx *fasthttp.RequestCtx) bool {
	return string(ctx.Request.Header.Cookie(optOutCookie)) == "1"
}

// cookieSuppressed tells whether the id in the browser's cookie is of one who
// opted out: a cookie that another browser's answer did not delete.
func (p *people) cookieSuppressed(ctx *fasthttp.RequestCtx) bool {
	uid, ok := segments.UserFromUID(string(ctx.Request.Header.Cookie(cookieName)))
	return ok && p.optedOut(uid)
}

// say answers with a text and keeps the headers and cookies that are set,
// which RequestCtx.Error does not.
func say(ctx *fasthttp.RequestCtx, status int, text string) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBodyString(text + "\n")
}

// busy asks to try again: nothing was kept.
func busy(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("Retry-After", "5")
	say(ctx, fasthttp.StatusServiceUnavailable, "not taken now, try again in a moment")
}
