package bidder

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
	"gopkg.in/yaml.v3"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/events/spool"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/intent"
)

const pathIntent = "/api/v1/intent/"

// maxWantedPerBatch bounds one request of a partner.
const maxWantedPerBatch = 10_000

// Partner is a source of licensed intent: price comparison, a publisher's
// search. The licence says which shops may use what it tells.
type Partner struct {
	Name      string  `yaml:"name"`       // in the path and in events
	KeySHA256 string  `yaml:"key_sha256"` // of its key, hex
	Licence   Licence `yaml:"licence"`
}

// Licence is what was agreed with a partner. A signal is used only while the
// licence under which it came is in force.
type Licence struct {
	ID string `yaml:"id"`
	// Shops that may use it; AllShops: every one.
	Shops    []uint32 `yaml:"shops"`
	AllShops bool     `yaml:"all_shops"`
	// Until is the last day, YYYY-MM-DD, UTC.
	Until string `yaml:"until"`

	untilMS int64
}

// ParsePartners reads the partners' file; the error lists all that is wrong.
func ParsePartners(text []byte) (map[string]*Partner, error) {
	var in struct {
		Partners []*Partner `yaml:"partners"`
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("partners: %w", err)
	}
	out := map[string]*Partner{}
	var errs []error
	for i, p := range in.Partners {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("partner %d (%s): "+format, append([]any{i + 1, p.Name}, args...)...))
		}
		if p.Name == "" || strings.ContainsAny(p.Name, "/ \t") || out[p.Name] != nil {
			bad("the name is missing, has a space or slash, or is another's")
		}
		if b, err := hex.DecodeString(p.KeySHA256); err != nil || len(b) != sha256.Size {
			bad("key_sha256 must be 64 hex digits")
		}
		if p.Licence.ID == "" {
			bad("licence.id is missing")
		}
		if p.Licence.AllShops == (len(p.Licence.Shops) > 0) {
			bad("licence: either shops or all_shops")
		}
		until, err := time.Parse(time.DateOnly, p.Licence.Until)
		if err != nil {
			bad("licence.until must be a day, YYYY-MM-DD")
		}
		p.Licence.untilMS = until.AddDate(0, 0, 1).UnixMilli()
		slices.Sort(p.Licence.Shops)
		out[p.Name] = p
	}
	return out, errors.Join(errs...)
}

// wantedIn is one signal as a partner sends it.
type wantedIn struct {
	ID       string      `json:"id"` // the partner's own; makes a repeat one
	User     userIn      `json:"user"`
	Query    string      `json:"query"`
	Category string      `json:"category"` // a name or path; instead of query
	Strength json.Number `json:"strength"` // more than 0, at most 1
	Expires  int64       `json:"expires"`  // ms UTC
	Consent  string      `json:"consent"`
}

// intentItems takes what a partner tells: POST /api/v1/intent/{partner}, JSON
// or CSV. What is accepted is durable before the answer.
func (b *Bidder) intentItems(ctx *fasthttp.RequestCtx, name string) {
	p := b.partners[name]
	switch {
	case !ctx.IsPost():
		problem(ctx, fasthttp.StatusMethodNotAllowed, "intent is sent by POST")
		return
	case p == nil || !p.opens(string(ctx.Request.Header.Peek("Authorization"))):
		problem(ctx, fasthttp.StatusUnauthorized, "no such partner, or the key is not its own")
		return
	}
	now := b.clock.NowMS()
	licence, items, err := readWanted(ctx)
	switch {
	case err != nil:
		problem(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	case licence != p.Licence.ID || now >= p.Licence.untilMS:
		problem(ctx, fasthttp.StatusForbidden, fmt.Sprintf("the licence %q is not in force for %s", clip(licence, 64), p.Name))
		return
	case len(items) == 0 || len(items) > maxWantedPerBatch:
		problem(ctx, fasthttp.StatusBadRequest, fmt.Sprintf("items: 1 to %d of them, not %d", maxWantedPerBatch, len(items)))
		return
	}
	var recs []spool.Record
	wrong := []itemError{}
	for i := range items {
		e, bad := b.wantedOf(p, &items[i], now)
		if bad != nil {
			bad.Index = i
			wrong = append(wrong, *bad)
			continue
		}
		recs = append(recs, spool.Record{Topic: kafka.SpoolIntent, Key: e.UID[:], Value: e.AppendJSON(nil)})
	}
	if len(recs) > 0 {
		if err := b.spool.Append(recs...); err != nil {
			unavailable(ctx)
			return
		}
	}
	b.metrics.wanted.Add(len(recs))
	b.metrics.wantedErrors.Add(len(wrong))
	status := fasthttp.StatusOK
	if len(recs) == 0 {
		status = fasthttp.StatusUnprocessableEntity
	}
	writeJSON(ctx, status, map[string]any{"accepted": len(recs), "errors": wrong})
}

// opens tells whether an Authorization header holds the partner's key.
func (p *Partner) opens(header string) bool {
	key, ok := strings.CutPrefix(header, "Bearer ")
	sum := sha256.Sum256([]byte(key))
	return ok && subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(strings.ToLower(p.KeySHA256))) == 1
}

// readWanted reads a body: JSON with its licence, or CSV whose licence stands
// in the query.
func readWanted(ctx *fasthttp.RequestCtx) (licence string, items []wantedIn, err error) {
	if strings.HasPrefix(string(ctx.Request.Header.ContentType()), "text/csv") {
		items, err = readWantedCSV(strings.NewReader(string(ctx.PostBody())))
		return string(ctx.QueryArgs().Peek("licence")), items, err
	}
	var in struct {
		Licence string     `json:"licence"`
		Items   []wantedIn `json:"items"`
	}
	dec := json.NewDecoder(strings.NewReader(string(ctx.PostBody())))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return "", nil, fmt.Errorf(`the body must be {"licence": …, "items": […]}: %w`, err)
	}
	return in.Licence, in.Items, nil
}

// readWantedCSV reads a table with a header; the columns are the names of the
// JSON form, uid and ifa for the person.
func readWantedCSV(r io.Reader) ([]wantedIn, error) {
	rows := csv.NewReader(r)
	head, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("the table has no header: %w", err)
	}
	for _, h := range head {
		if !slices.Contains([]string{"id", "uid", "ifa", "query", "category", "strength", "expires", "consent"}, h) {
			return nil, fmt.Errorf("no such column: %q", clip(h, 64))
		}
	}
	var items []wantedIn
	for len(items) <= maxWantedPerBatch {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the table: %w", err)
		}
		of := func(name string) string {
			if i := slices.Index(head, name); i >= 0 {
				return row[i]
			}
			return ""
		}
		expires, _ := strconv.ParseInt(of("expires"), 10, 64) // 0 is refused later
		items = append(items, wantedIn{
			ID: of("id"), User: userIn{UID: of("uid"), IFA: of("ifa")}, Query: of("query"), Category: of("category"),
			Strength: json.Number(of("strength")), Expires: expires, Consent: of("consent"),
		})
	}
	return items, nil
}

// wantedOf checks one signal.
func (b *Bidder) wantedOf(p *Partner, in *wantedIn, now int64) (*events.Wanted, *itemError) {
	bad := func(field, msg string) (*events.Wanted, *itemError) {
		return nil, &itemError{Field: field, Message: msg}
	}
	text := in.Query
	if text == "" {
		text = in.Category
	}
	if h, _ := segments.NextWord(text); h == 0 || len(text) > maxEventText || in.Query != "" && in.Category != "" {
		return bad("query", "needs a query or a category, one of them, with a word in it")
	}
	strength, err := strconv.ParseFloat(string(in.Strength), 64)
	if err != nil || !(strength > 0 && strength <= 1) {
		return bad("strength", "must be more than 0 and at most 1")
	}
	if in.Expires <= now || in.Expires > now+events.MaxIntentLife.Milliseconds() {
		return bad("expires", "must be in the future, within 30 days, in ms since 1970 UTC")
	}
	if in.Consent == "" || len(in.Consent) > 4*maxEventText {
		return bad("consent", "the proof of the person's consent is missing or too long")
	}
	if in.User.ID != "" || len(in.ID) > maxEventText {
		return bad("user", "is named by uid or ifa; an id is at most 512 bytes")
	}
	uid, wrong := userOfShop(nil, in.User)
	if wrong != nil {
		return nil, wrong
	}
	if b.people.optedOut(uid) {
		return bad("user", "this person opted out of being known here")
	}
	id := in.ID
	if id == "" {
		id = hex.EncodeToString(uid[:]) + text + strconv.FormatInt(in.Expires, 10)
	}
	return &events.Wanted{
		EventID: events.NamedID(0, "intent "+p.Name, id), Partner: p.Name, Licence: p.Licence.ID, Consent: in.Consent, ReceivedMS: now,
		ExpiresMS: in.Expires, UID: uid, Text: text, Strength: max(int64(strength*1000), 1), Node: b.cfg.Node,
	}, nil
}

// describeWanted adds what partners told of the person, for the shops that
// the licence names.
func (b *Bidder) describeWanted(c *bidContext) {
	if len(b.partners) == 0 {
		return
	}
	c.wanted = b.wanted.Lookup(c.user, c.nowMS, c.wanted)
	for i := range c.wanted {
		s := &c.wanted[i]
		p := b.partners[s.Partner]
		if p == nil || p.Licence.ID != s.Licence || c.nowMS >= p.Licence.untilMS {
			continue
		}
		c.facts.Intent.AddFor(s.Text, intent.FromPartner, float32(s.Strength)/1000, p.Licence.Shops)
	}
}

// followIntent folds what partners told into memory: all of it at each start,
// for it lives 30 days at most.
func (b *Bidder) followIntent(ctx context.Context) error {
	var dec events.Decoder
	handle := func(m kafka.Message) error {
		b.skipBad(m, events.TopicIntent, dec.Wanteds(m.Value, func(_ int, e *events.Wanted) error {
			b.applyWanted(e)
			return nil
		}))
		return nil
	}
	return b.follower(events.TopicIntent, nil, handle, func() {}).Run(ctx)
}

// applyWanted passes over what is of people who were erased since, or opted
// out.
func (b *Bidder) applyWanted(e *events.Wanted) {
	if s := b.people.cfg.Suppress; s == nil || !s.Suppressed(e.UID, max(e.ReceivedMS, 0)) {
		b.wanted.Apply(e, b.clock.NowMS())
	}
}
