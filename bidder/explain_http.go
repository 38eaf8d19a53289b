package bidder

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/campaigns"
)

// Routes of the bidder's listener for whoever has a key; see ExplainHandler.
const (
	PathExplain = "/internal/explain"
	PathSamples = "/internal/samples"
)

// ExplainAPI serves explanations and samples.
type ExplainAPI struct {
	Bidder *Bidder
	// AdminKeySHA256 is the hash of the administrator's key, hex; empty means
	// that there is no such key.
	AdminKeySHA256 string
	// AdminKey is asked for it where it is empty; may be nil.
	AdminKey func() string
	// Samples may be nil.
	Samples *Sampler
}

// asker is whose key a request carries.
type asker struct {
	admin bool
	shop  uint32
}

// Handler serves both routes:
//
//	POST /internal/explain?exchange=X[&shop=N][&limit=N]   an Explanation
//	GET  /internal/samples[?replay=1]                      the samples
//
// The key comes as `Authorization: Bearer KEY`. A shop's key, with scope read
// or write, opens explanations of its own campaigns only; samples are the
// administrator's. One explanation is made at a time: it looks at every
// campaign, beside the bids.
func (a *ExplainAPI) Handler() fasthttp.RequestHandler {
	busy := make(chan struct{}, 1)
	return func(ctx *fasthttp.RequestCtx) {
		who, ok := a.authorise(ctx, "read", "write")
		if !ok {
			ctx.Response.Header.Set("WWW-Authenticate", "Bearer")
			problem(ctx, fasthttp.StatusUnauthorized, "the administrator's key is needed, or a shop's with scope read")
			return
		}
		select {
		case busy <- struct{}{}:
			defer func() { <-busy }()
		default:
			ctx.Response.Header.Set("Retry-After", "1")
			problem(ctx, fasthttp.StatusTooManyRequests, "another explanation is being made")
			return
		}
		ctx.Response.Header.Set("Cache-Control", "no-store")
		switch p := string(ctx.Path()); {
		case p == PathExplain && ctx.IsPost():
			a.explain(ctx, who)
		case p == PathSamples && ctx.IsGet():
			a.samples(ctx, who)
		case p == PathExplain || p == PathSamples:
			problem(ctx, fasthttp.StatusMethodNotAllowed, "POST "+PathExplain+", GET "+PathSamples)
		default:
			problem(ctx, fasthttp.StatusNotFound, "no such route")
		}
	}
}

// authorise finds whose key it is, of a shop one with any of the scopes. Keys are compared by their hashes, which
// tell a thief of time nothing.
func (a *ExplainAPI) authorise(ctx *fasthttp.RequestCtx, scopes ...string) (asker, bool) {
	key, ok := strings.CutPrefix(string(ctx.Request.Header.Peek("Authorization")), "Bearer ")
	if !ok || key == "" || len(key) > 200 {
		return asker{}, false
	}
	sum := sha256.Sum256([]byte(key))
	admin := a.AdminKeySHA256
	if admin == "" && a.AdminKey != nil {
		admin = a.AdminKey()
	}
	if sameHash(admin, sum) {
		return asker{admin: true}, true
	}
	var who asker
	now := a.Bidder.clock.NowMS()
	a.Bidder.state.Load().Snapshot.EachShop(func(s *campaigns.CompiledShop) {
		for i := range s.Keys {
			k := &s.Keys[i]
			revoked := k.RevokedMS > 0 && k.RevokedMS <= now
			if !revoked && sameHash(k.SHA256, sum) && slices.ContainsFunc(k.Scopes, func(s string) bool { return slices.Contains(scopes, s) }) {
				who.shop = s.ID
			}
		}
	})
	return who, who.shop != 0
}

func sameHash(text string, sum [32]byte) bool {
	want, err := hex.DecodeString(text)
	return err == nil && subtle.ConstantTimeCompare(want, sum[:]) == 1
}

func (a *ExplainAPI) explain(ctx *fasthttp.RequestCtx, who asker) {
	q := ctx.QueryArgs()
	opt := ExplainOptions{Shop: who.shop}
	if s := string(q.Peek("shop")); s != "" {
		id, err := strconv.ParseUint(s, 10, 32)
		if err != nil || id == 0 || (!who.admin && uint32(id) != who.shop) {
			problem(ctx, fasthttp.StatusForbidden, fmt.Sprintf("shop %q is not the key's", clip(s, 20)))
			return
		}
		opt.Shop = uint32(id)
	}
	if s := string(q.Peek("limit")); s != "" {
		var err error
		if opt.Limit, err = strconv.Atoi(s); err != nil || opt.Limit < 1 {
			problem(ctx, fasthttp.StatusBadRequest, errNoSuchLimit.Error())
			return
		}
	}
	body, err := a.body(ctx)
	if err != nil {
		problem(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	e, err := a.Bidder.ExplainWith(string(q.Peek("exchange")), body, opt)
	switch {
	case err == nil:
		writeJSON(ctx, fasthttp.StatusOK, e)
	case errors.Is(err, ErrNoExchange), errors.Is(err, ErrNoShop):
		problem(ctx, fasthttp.StatusNotFound, err.Error())
	case errors.Is(err, ErrNotRequest), errors.Is(err, errNoSuchLimit):
		problem(ctx, fasthttp.StatusBadRequest, err.Error())
	default:
		problem(ctx, fasthttp.StatusInternalServerError, err.Error())
	}
}

// body is the request's, inflated as a bid request's would be.
func (a *ExplainAPI) body(ctx *fasthttp.RequestCtx) ([]byte, error) {
	c := a.Bidder.contexts.Get().(*bidContext)
	defer a.Bidder.contexts.Put(c)
	body, err := a.Bidder.body(ctx, c)
	return append([]byte(nil), body...), err
}

// SampleReport is one sample as PathSamples shows it.
type SampleReport struct {
	Exchange string         `json:"exchange"`
	TimeMS   int64          `json:"time_ms"`
	Version  int64          `json:"config_version"`
	Model    int64          `json:"model,omitempty"` // version, ms UTC
	Seed     string         `json:"seed"`
	Request  string         `json:"request"`
	Answer   string         `json:"response,omitempty"`
	Reason   string         `json:"no_bid,omitempty"`
	Profiles []ProfileFacts `json:"profiles,omitempty"`
	Counts   []SampledCount `json:"counts,omitempty"`
	// Replay is "same", "different" or why it could not be done; empty when it
	// was not asked for.
	Replay string `json:"replay,omitempty"`
	// Now is the answer of a replay that came out differently.
	Now string `json:"now,omitempty"`
}

func (a *ExplainAPI) samples(ctx *fasthttp.RequestCtx, who asker) {
	if !who.admin {
		problem(ctx, fasthttp.StatusForbidden, "samples are for the administrator")
		return
	}
	out := []SampleReport{}
	for _, s := range a.Samples.All(a.Bidder.clock.NowMS()) {
		r := SampleReport{
			Exchange: s.Exchange, TimeMS: s.TimeMS, Version: s.Version, Model: s.Model, Seed: hex.EncodeToString(s.Seed[:]),
			Request: string(s.Request), Answer: string(s.Answer), Counts: s.Counts,
		}
		if s.Reason != ReasonNone {
			r.Reason = s.Reason.String()
		}
		for i := range s.Profiles {
			r.Profiles = append(r.Profiles, profileFacts(&s.Profiles[i]))
		}
		if string(ctx.QueryArgs().Peek("replay")) == "1" {
			a.replay(s, &r)
		}
		out = append(out, r)
	}
	writeJSON(ctx, fasthttp.StatusOK, map[string]any{"samples": out})
}

func (a *ExplainAPI) replay(s *Sample, r *SampleReport) {
	got, err := a.Bidder.Replay(s)
	switch {
	case err != nil:
		r.Replay = err.Error()
	case got.Same:
		r.Replay = "same"
	default:
		r.Replay, r.Now = "different", string(got.Answer)
		if got.Answer == nil {
			r.Now = got.Reason.String()
		}
	}
}
