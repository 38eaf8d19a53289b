package bidder

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"context"
	"net"

	"github.com/grosz/grosz/bidder/openrtb"
	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/match"
	"github.com/grosz/grosz/segments/suppress"
)

// peopleWorld is a world with a match table, a suppression list, and a client
// that speaks to the sync handlers.
type peopleWorld struct {
	*world
	p       *people
	matches *match.Table
	list    *suppress.List
	out     []events.Erasure
	full    bool // the log takes nothing
	client  *http.Client
}

func newPeopleWorld(t *testing.T, camps ...*campaigns.Campaign) *peopleWorld {
	w := &peopleWorld{world: shopWorld(t, camps...)}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	dir := t.TempDir()
	var err error
	w.matches, err = match.Open(match.Config{Path: filepath.Join(dir, "match.log")}, w.clock, log)
	require.NoError(t, err)
	w.list, err = suppress.Open(suppress.Config{Path: filepath.Join(dir, "erased.log")}, noon, log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.matches.Close()); require.NoError(t, w.list.Close()) })
	w.p, err = newPeople(w.b, w.config())
	require.NoError(t, err)
	w.p.ready.Store(true)
	l := fasthttputil.NewInmemoryListener()
	srv := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		if x, ok := strings.CutPrefix(string(ctx.Path()), pathSync); ok {
			w.p.sync(ctx, x)
			return
		}
		w.p.optOut(ctx)
	}}
	go srv.Serve(l)
	t.Cleanup(func() { l.Close() })
	w.client = &http.Client{
		Timeout:       30 * time.Second,
		Transport:     &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return l.Dial() }},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w
}

func (w *peopleWorld) config() PeopleConfig {
	return PeopleConfig{
		Sync: map[string]SyncConfig{
			"burl": {
				URL:           "https://x.example/sync?dsp=1&u=${UID}&gdpr=${GDPR}&c=${GDPR_CONSENT}&us=${US_PRIVACY}",
				RedirectHosts: []string{"sync.x.example"}, EIDSources: []string{"id.example", "second.example"},
			},
			"slow": {QPS: 2},
		},
		Matches: w.matches, Suppress: w.list,
		Emit: func(e *events.Erasure) error {
			if w.full {
				return io.ErrShortWrite
			}
			w.out = append(w.out, *e)
			return nil
		},
	}
}

// call sends a request; head are pairs of header fields.
func (w *peopleWorld) call(method, path string, head ...string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://bid.example"+path, nil)
	require.NoError(w.t, err)
	for i := 0; i < len(head); i += 2 {
		req.Header.Add(head[i], head[i+1])
	}
	res, err := w.client.Do(req)
	require.NoError(w.t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	require.NoError(w.t, res.Body.Close())
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	return res
}

func cookieOf(res *http.Response, name string) *http.Cookie {
	for _, c := range res.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

const ours = "Cookie"

var ourCookie = cookieName + "=" + uid

func TestSyncLeadsToTheExchangeWithOurID(t *testing.T) {
	w := newPeopleWorld(t)
	w.p.cfg.Allowed = func(string, Consent) bool { return true }
	res := w.call("GET", "/sync/burl?gdpr=0&us_privacy=1YNN%26u%3Devil")
	require.Equal(t, 302, res.StatusCode)
	c := cookieOf(res, cookieName)
	require.NotNil(t, c, "a new browser gets an id")
	require.True(t, c.HttpOnly)
	u, err := url.Parse(res.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "x.example", u.Host)
	require.Equal(t, []string{c.Value}, u.Query()["u"], "what callers say is escaped")
	require.Equal(t, "1YNN&u=evil", u.Query().Get("us"))
	require.Equal(t, "0", u.Query().Get("gdpr"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	require.Nil(t, cookieOf(w.call("GET", "/sync/burl", ours, ourCookie), cookieName), "known already")
	require.Contains(t, w.call("GET", "/sync/burl", ours, ourCookie).Header.Get("Location"), "u="+uid+"&")
	require.Equal(t, 404, w.call("GET", "/sync/nobody").StatusCode)
	require.Equal(t, 405, w.call("POST", "/sync/burl").StatusCode)
	require.Equal(t, 200, w.call("GET", "/sync/slow").StatusCode, "no pixel of theirs: a pixel of ours")
}

func TestTheirIDIsMatchedWithOurs(t *testing.T) {
	w := newPeopleWorld(t)
	res := w.call("GET", "/sync/burl?uid=their-7&redir="+url.QueryEscape("https://sync.x.example/done?u=${UID}&next=1"), ours, ourCookie)
	require.Equal(t, 302, res.StatusCode)
	require.Equal(t, "https://sync.x.example/done?u="+uid+"&next=1", res.Header.Get("Location"))
	u, ok := w.matches.Lookup("burl", "their-7", noon)
	require.True(t, ok)
	require.Equal(t, personKey(t), u)
	res = w.call("GET", "/sync/burl?uid=their-8", ours, ourCookie)
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "image/gif", res.Header.Get("Content-Type"))
	require.Equal(t, 2, w.matches.Stats().Entries)
	require.Equal(t, 400, w.call("GET", "/sync/burl?uid="+strings.Repeat("a", 257), ours, ourCookie).StatusCode)
}

// TestSyncIsNoOpenRedirect: nothing but https to a listed host, however it is
// written.
func TestSyncIsNoOpenRedirect(t *testing.T) {
	w := newPeopleWorld(t)
	for _, redir := range []string{
		"https://evil.example/", "http://sync.x.example/", "//sync.x.example/", "https://sync.x.example.evil.example/", "https://evil.example/sync.x.example",
		"https://sync.x.example@evil.example/", "https://user:pw@sync.x.example/", `https://evil.example\@sync.x.example/`, `https:\\sync.x.example`,
		"https://sync.x.example\\.evil.example/", "javascript:alert(1)", "https:sync.x.example", "https://sync.x.example:8443/", "https://a.sync.x.example/",
		"https://${UID}/", "https://sync.x.example\t/", "https://sync.x.example/\r\nSet-Cookie: a=b", "data:text/html,x", "/local", "https://", "%",
		"https://sync.x.example%2eevil.example/", "https://ѕync.x.example/", "https://sync.x.example/" + strings.Repeat("a", maxSyncURL),
	} {
		res := w.call("GET", "/sync/burl?uid=t&redir="+url.QueryEscape(redir), ours, ourCookie)
		require.Equal(t, 400, res.StatusCode, redir)
		require.Empty(t, res.Header.Get("Location"), redir)
	}
	require.Zero(t, w.matches.Stats().Entries)
	for _, redir := range []string{"https://sync.x.example/", "https://SYNC.x.example:443/a?b=c#d"} {
		require.Equal(t, 302, w.call("GET", "/sync/burl?redir="+url.QueryEscape(redir), ours, ourCookie).StatusCode, redir)
	}
}

func FuzzRedirect(f *testing.F) {
	r, err := newSyncRoute("x", SyncConfig{RedirectHosts: []string{"sync.x.example"}})
	require.NoError(f, err)
	for _, s := range []string{"https://sync.x.example/", "https://sync.x.example@evil/", "https://evil#@sync.x.example", "https://sync.x.example?a\\@b", "hTTps://sync.x.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !r.leads(s) {
			return
		}
		// The plainest reading: what stands between // and the path is the host.
		rest, ok := strings.CutPrefix(strings.ToLower(s), "https://")
		if !ok {
			t.Fatalf("%q is not https", s)
		}
		host := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz0123456789.-"))]
		if tail := rest[len(host):]; host != "sync.x.example" || tail != "" && !strings.ContainsAny(tail[:1], "/?#:") {
			t.Fatalf("%q leads to %q", s, host)
		}
	})
}

func TestSyncAsksFirst(t *testing.T) {
	w := newPeopleWorld(t)
	for _, c := range []struct {
		name, query string
		head        []string
		ok          bool
	}{
		{"nothing said", "", nil, true},
		{"GDPR does not apply", "gdpr=0&gdpr_consent=CPx", nil, true},
		{"GDPR applies", "gdpr=1&gdpr_consent=CPx", nil, false},
		{"a consent string alone", "gdpr_consent=CPx", nil, false},
		{"no sale opted out", "us_privacy=1YNN", nil, true},
		{"sale opted out", "us_privacy=1YYN", nil, false},
		{"no section applies", "gpp=DBAA&gpp_sid=-1", nil, true},
		{"a section applies", "gpp=DBAA&gpp_sid=7", nil, false},
		{"GPP of no sections", "gpp=DBAA", nil, true},
		{"GPP that cannot be read", "gpp=D", nil, false},
		{"sections that cannot be read", "gpp=DBAA&gpp_sid=eu", nil, false},
		{"sections in another way", "gpp=DBAA&gpp_sid=7_8", nil, false},
		{"GDPR neither yes nor no", "gdpr=true", nil, false},
		{"a US string that is none", "us_privacy=1Y", nil, false},
		{"global privacy control", "", []string{"Sec-GPC", "1"}, false},
		{"do not track", "", []string{"DNT", "1"}, false},
		{"opted out", "", []string{"Cookie", optOutCookie + "=1"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.matches.Stats().Entries
			res := w.call("GET", "/sync/burl?uid="+url.QueryEscape(c.name)+"&"+c.query, c.head...)
			require.Equal(t, 200, res.StatusCode)
			require.Equal(t, c.ok, len(res.Cookies()) == 1)
			require.Equal(t, c.ok, w.matches.Stats().Entries == before+1)
			res = w.call("GET", "/sync/burl?"+c.query, c.head...)
			require.Equal(t, c.ok, res.Header.Get("Location") != "", "our id goes nowhere")
		})
	}
	w.b.exchanges["burl"].privacy.MayProfile = false
	require.Empty(t, w.call("GET", "/sync/burl").Cookies(), "the exchange's terms forbid it")
	asked := Consent{}
	w.p.cfg.Allowed = func(_ string, c Consent) bool { asked = c; return true }
	w.call("GET", "/sync/burl?gdpr=1&gdpr_consent=CPx&us_privacy=1YYN&gpp=D&gpp_sid=2")
	require.Equal(t, Consent{GDPR: "1", GDPRConsent: "CPx", USPrivacy: "1YYN", GPP: "D", GPPSID: "2"}, asked)
}

func TestSyncIsBounded(t *testing.T) {
	w := newPeopleWorld(t)
	codes := map[int]int{}
	for range 5 {
		codes[w.call("GET", "/sync/slow").StatusCode]++
	}
	require.Equal(t, map[int]int{200: 2, 429: 3}, codes)
	require.Equal(t, "1", w.call("GET", "/sync/slow").Header.Get("Retry-After"))
	w.clock.Advance(time.Second)
	require.Equal(t, 200, w.call("GET", "/sync/slow").StatusCode)
	require.Equal(t, 302, w.call("GET", "/sync/burl").StatusCode, "each exchange has its own bound")
}

func TestSyncConfigSaysAllThatIsWrong(t *testing.T) {
	_, err := newSyncRoute("x", SyncConfig{URL: "http://x.example/", RedirectHosts: []string{"https://a", "A.example", ""}, QPS: -1})
	for _, part := range []string{`exchange "x"`, "an https URL", `"https://a"`, `"A.example"`, `""`, "sync.qps"} {
		require.ErrorContains(t, err, part)
	}
	_, err = newSyncRoute("x", SyncConfig{URL: "https://x.example/"})
	require.ErrorContains(t, err, "${UID}")
	_, err = newSyncRoute("x", SyncConfig{URL: "https://${UID}.example/"})
	require.ErrorContains(t, err, "an https URL", "a host must not come from a macro")
	_, err = newSyncRoute("x", SyncConfig{URL: "http://127.0.0.1:8/?u=${UID}"})
	require.NoError(t, err)
}

func TestWhoAPersonIs(t *testing.T) {
	w := newPeopleWorld(t)
	const ifa = "6D92078A-8246-4BA4-AE5B-76104861E7DC"
	put := func(id string, n byte) segments.UserKey {
		u := segments.UserKey{n}
		require.NoError(t, w.matches.Put("burl", id, u, noon))
		return u
	}
	byBuyer, byID := put("b-77", 1), put("u-1", 2)
	eids := []openrtb.EID{
		{Source: "other.example", UIDs: []openrtb.UID{{ID: "no"}}},
		{Source: "second.example", UIDs: []openrtb.UID{{ID: "s"}}},
		{Source: "id.example", UIDs: []openrtb.UID{{}, {ID: "e"}}},
	}
	for _, c := range []struct {
		name, exchange string
		buyer, id, ifa string
		eids           []openrtb.EID
		want           segments.UserKey
	}{
		{"our own id", "burl", uid, "u-1", ifa, eids, personKey(t)},
		{"theirs, as buyeruid", "burl", "b-77", "u-1", ifa, eids, byBuyer},
		{"theirs, as user.id", "burl", "b-78", "u-1", ifa, eids, byID},
		{"the preferred source", "burl", "", "u-2", ifa, eids, segments.UserFromEID("id.example", "e")},
		{"the second source", "burl", "", "", ifa, eids[:2], segments.UserFromEID("second.example", "s")},
		{"no source that is believed", "burl", "", "", ifa, eids[:1], segments.UserFromIFA(ifa)},
		{"another exchange's id", "nurl", "b-77", "u-1", "", eids, segments.UserFromExchange("nurl", "b-77")},
		{"nobody", "burl", "", "u-9", "00000000-0000-0000-0000-000000000000", nil, segments.UserKey{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v openrtb.Request
			v.User.BuyerUID, v.User.ID, v.User.EIDs, v.Device.IFA = c.buyer, c.id, c.eids, c.ifa
			got, out := w.p.user(c.exchange, &v, noon)
			require.Equal(t, c.want, got)
			require.False(t, out)
			require.Zero(t, testing.AllocsPerRun(100, func() { w.p.user(c.exchange, &v, noon) }))
		})
	}
	_, err := w.list.Add(personKey(t), noon, true)
	require.NoError(t, err)
	var v openrtb.Request
	v.User.BuyerUID = uid
	got, out := w.p.user("burl", &v, noon)
	require.True(t, got.IsZero())
	require.True(t, out, "an exchange still sends the id of one who opted out")
}

func TestOptingOutErasesEverywhere(t *testing.T) {
	w := newPeopleWorld(t, openCampaign(1))
	res := w.call("GET", "/optout")
	page, _ := io.ReadAll(res.Body)
	require.Contains(t, string(page), `<form method="post" action="/optout">`)
	require.Contains(t, res.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")

	for i, product := range []string{"a", "b"} {
		w.send(7, shopKey, `{"events":[{"id":"`+strconv.Itoa(i)+`","type":"product_view","user":{"uid":"`+uid+`"},"product":"`+product+`"}]}`)
	}
	old := w.shopSpooled()
	require.NoError(t, w.matches.Put("burl", "their-7", personKey(t), noon))
	w.b.frequency.Add(bidUser(t, w.world, personKey(t)), 1, noon)
	w.b.frequency.Add(5, 1, noon)
	require.Equal(t, 1, w.b.Profiles().Stats().Profiles)

	res = w.call("POST", "/optout", ours, ourCookie, "Origin", "https://evil.example")
	require.Equal(t, 403, res.StatusCode)
	require.Empty(t, res.Cookies())
	require.Equal(t, 403, w.call("POST", "/optout", ours, ourCookie, "Origin", "null").StatusCode)
	require.Equal(t, 405, w.call("PUT", "/optout").StatusCode)
	w.full = true
	require.Equal(t, 503, w.call("POST", "/optout", ours, ourCookie).StatusCode)
	require.Equal(t, 1, w.b.Profiles().Stats().Profiles, "not before it is durable")
	w.full = false
	res = w.call("POST", "/optout", ours, ourCookie, "Origin", "http://bid.example")
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "1", cookieOf(res, optOutCookie).Value)
	require.True(t, cookieOf(res, cookieName).Expires.Before(time.Now()), "the id is deleted")
	page, _ = io.ReadAll(res.Body)
	require.Len(t, w.out, 2)
	erase, receipt := w.out[0], w.out[1]
	require.Contains(t, string(page), erase.EventID.String())
	require.Equal(t, events.TypeErase, erase.Type)
	require.True(t, erase.OptOut)
	require.Equal(t, personKey(t), erase.UID)
	require.Equal(t, erase.EventID, receipt.EraseID)
	require.Equal(t, []int64{1, 1, 1}, []int64{receipt.Profiles, receipt.Frequency, receipt.Matches})

	require.Zero(t, w.b.Profiles().Stats().Profiles)
	_, ok := w.matches.Lookup("burl", "their-7", noon)
	require.False(t, ok)
	require.Zero(t, w.b.frequency.Count(bidUser(t, w.world, personKey(t)), 1, 0))
	require.Equal(t, 1, w.b.frequency.Count(5, 1, 0), "others stay")
	for i := range old { // a replay
		require.True(t, w.p.suppressed(&old[i]))
	}
	require.Equal(t, 200, w.call("GET", "/sync/burl", ours, ourCookie).StatusCode, "an old cookie is not used any more")
	require.NoError(t, w.p.apply(&erase), "the log says it again")
	require.Equal(t, 200, w.call("POST", "/optout", ours, ourCookie).StatusCode)
	require.Len(t, w.out, 2, "one erasure, one receipt")
	require.Equal(t, 200, w.call("POST", "/optout").StatusCode, "a browser without an id opts out by its cookie")
	require.Len(t, w.out, 2)
}

func TestOptOutsAreBounded(t *testing.T) {
	w := newPeopleWorld(t)
	codes := map[int]int{}
	for i := range 8 {
		res := w.call("POST", "/optout", "Cookie", cookieName+"=0123456789abcdef0123456789abcde"+strconv.Itoa(i))
		codes[res.StatusCode]++
		require.Equal(t, "1", cookieOf(res, optOutCookie).Value, "the browser's own choice holds at once")
	}
	require.Equal(t, map[int]int{200: optOutsPerSecond, 503: 8 - optOutsPerSecond}, codes)
}

// TestABackupBringsNobodyBack: an erasure, then the node starts from older
// checkpoints and an older match table.
func TestABackupBringsNobodyBack(t *testing.T) {
	w := newPeopleWorld(t, openCampaign(1))
	other := segments.UserKey{0xee, 15: 1}
	w.send(7, shopKey, `{"events":[{"type":"visit","user":{"uid":"`+uid+`"}},{"type":"visit","user":{"uid":"`+other.String()+`"}}]}`)
	w.shopSpooled()
	require.NoError(t, w.matches.Put("burl", "a", personKey(t), noon))
	require.NoError(t, w.matches.Put("burl", "b", other, noon))
	w.b.frequency.Add(bidUser(t, w.world, personKey(t)), 1, noon)
	w.p.ready.Store(false) // as at a start: the log's erasures are being read
	e := events.Erasure{EventID: events.EraseID(personKey(t), noon+1), Type: events.TypeErase, TimeMS: noon + 1, UID: personKey(t)}
	require.NoError(t, w.p.apply(&e))
	require.NoError(t, w.p.apply(&e))
	require.Equal(t, 2, w.b.Profiles().Stats().Profiles)
	require.NoError(t, w.p.settled())
	require.Equal(t, 1, w.b.Profiles().Stats().Profiles)
	require.Equal(t, 1, w.matches.Stats().Entries)
	require.Zero(t, w.b.frequency.Count(bidUser(t, w.world, personKey(t)), 1, 0))
	require.Len(t, w.out, 1, "a receipt is owed for what happened meanwhile")
	require.Equal(t, e.EventID, w.out[0].EraseID)
	// Without an opt-out the person may begin anew.
	w.clock.Advance(time.Minute)
	w.send(7, shopKey, `{"events":[{"type":"visit","user":{"uid":"`+uid+`"}}]}`)
	for _, ev := range w.shopSpooled() {
		require.False(t, w.p.suppressed(&ev))
	}
	require.Equal(t, 2, w.b.Profiles().Stats().Profiles)
	require.NoError(t, w.p.apply(&e), "read again at the next start")
	require.Equal(t, 2, w.b.Profiles().Stats().Profiles, "what came after stays")
}

func TestCountsThatComeAfterAnOptOutGo(t *testing.T) {
	w := newPeopleWorld(t, openCampaign(1))
	user := bidUser(t, w.world, personKey(t))
	e := events.Erasure{EventID: events.ID{1}, Type: events.TypeErase, TimeMS: noon, UID: personKey(t), OptOut: true}
	require.NoError(t, w.p.apply(&e))
	w.b.frequency.Add(user, 1, noon+5000) // a late notice
	require.Equal(t, 1, w.p.lateCounts())
	require.Zero(t, w.b.frequency.Count(user, 1, 0))
}
