package certify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/check"
)

// run is one certification.
type run struct {
	cfg     Config
	rec     *recorder
	wire    *wire
	client  *http.Client // of notices
	id      string       // of the run, in every request's id
	sent    int
	bidIDs  map[string]string // of bid → its request
	booked  []booking         // what the books must say
	refused []refusal
}

// Run certifies the bidder at cfg.URL. The error is for what kept it from
// running, such as a bidder that cannot be reached; what the bidder did wrong
// is in the report, and Report.Err's.
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg.defaults()
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	u, err := httpURL(cfg.URL)
	if err != nil {
		return Report{}, err
	}
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	r := &run{
		cfg: cfg, rec: newRecorder(cfg.URL), wire: &wire{url: u, timeout: cfg.Timeout}, id: hex.EncodeToString(id[:]),
		bidIDs: map[string]string{},
	}
	r.client = noticeClient(u, cfg.Timeout)
	defer r.wire.close()
	defer r.client.CloseIdleConnections()
	if err := r.wire.dial(ctx); err != nil {
		return Report{}, fmt.Errorf("certify: %w", err)
	}
	for _, stage := range []func(context.Context) error{r.samples, r.learn, r.timing, r.transport, r.notices, r.ledger, r.alive} {
		if err := stage(ctx); err != nil {
			return Report{}, err
		}
		if err := ctx.Err(); err != nil {
			return Report{}, fmt.Errorf("certify: %w", err)
		}
	}
	if len(r.rec.unknown) > 0 {
		return Report{}, fmt.Errorf("certify: no such rules: %s", strings.Join(r.rec.unknown, ", "))
	}
	return r.rec.finish(), nil
}

func (r *run) samples(ctx context.Context) error {
	for _, s := range allSamples() {
		r.play(ctx, &s)
		if ctx.Err() != nil {
			return nil // Run tells
		}
	}
	return nil
}

// play sends a sample and records what its answer shows.
func (r *run) play(ctx context.Context, s *sample) check.Result {
	body := r.body(s.req)
	ev := evidence{s.name, string(body)}
	res, ok := r.judge(ctx, ev, body)
	if !ok {
		return res
	}
	bids := len(res.Bids)
	switch {
	case s.want == wantNone && bids > 0:
		r.rec.fail(s.shows[0], ev, "bid %s on what cannot be bid on", describe(res.Bids[0]))
	case len(res.Violations) > 0: // recorded by judge, under their rules
		for _, name := range s.shows {
			if strings.Contains(name, ".") {
				r.rec.fail(name, ev, "the answer breaks %s", res.Violations[0])
			}
		}
	case s.want == wantBid && bids == 0:
		for _, name := range s.shows {
			r.rec.unseen(name, ev, "no bid on it")
		}
	case bids > 0:
		r.passAll(s.shows, ev, "bid "+describe(res.Bids[0]))
	default:
		r.passAll(s.shows, ev, "no bid, 204")
	}
	return res
}

func (r *run) passAll(names []string, ev evidence, reason string) {
	for _, name := range names {
		r.rec.pass(name, ev, "%s", reason)
	}
}

// judge sends a body and has the answer checked; false if none came.
func (r *run) judge(ctx context.Context, ev evidence, body []byte) (check.Result, bool) {
	r.rec.report.Requests++
	a, took, err := r.wire.post(ctx, body)
	if ctx.Err() != nil {
		return check.Result{}, false
	}
	if err != nil {
		r.rec.fail(string(check.RuleStatus), ev, "no answer: %v", err)
		return check.Result{}, false
	}
	return r.judged(ev, body, a, took), true
}

// judged checks one answer and records every rule that it shows.
func (r *run) judged(ev evidence, body []byte, a check.Answer, took time.Duration) check.Result {
	res := check.Answered(body, a, r.cfg.Check)
	r.rec.report.Bids += len(res.Bids)
	broken := map[string]bool{}
	for _, v := range res.Violations {
		r.rec.fail(string(v.Rule), ev, "%s", v.Msg)
		broken[string(v.Rule)] = true
	}
	for i := range res.Bids {
		id := res.Bids[i].ID
		if first, again := r.bidIDs[id]; again && id != "" && first != ev.request {
			r.rec.fail(string(check.RuleBidID), ev, "bid id %q was another answer's already", id)
			broken[string(check.RuleBidID)] = true
		}
		r.bidIDs[id] = ev.request
	}
	if a.Status == http.StatusNoContent {
		r.rec.noBid(took)
	}
	for _, name := range shown(a, res) {
		if !broken[name] {
			r.rec.passAs(byTheWay, name, ev, "status %d, %d bids", a.Status, len(res.Bids))
		}
	}
	return res
}

// shown are the rules that any answer, and any bid of a media type, shows.
func shown(a check.Answer, res check.Result) []string {
	out := rules(check.RuleStatus, check.RuleNoBid)
	if a.Status == http.StatusNoContent {
		return append(out, string(check.RuleEmpty204))
	}
	if len(res.Bids) == 0 {
		return out
	}
	out = append(out, rules(check.RuleContentType, check.RuleUTF8, check.RuleJSON, check.RuleResponseID, check.RuleCurrency,
		check.RuleBidID, check.RuleImpID, check.RulePrice, check.RuleCrid, check.RuleCID, check.RuleADomain, check.RuleMType,
		check.RuleMarkup, check.RuleURL, check.RuleMacro, check.RuleTracker, check.RuleOneBid)...)
	for i := range res.Bids {
		switch b := &res.Bids[i]; b.MType {
		case 1:
			out = append(out, rules(check.RuleSize)...)
		case 2:
			out = append(out, rules(check.RuleVAST, check.RuleProtocol, check.RuleDuration)...)
		case 4:
			out = append(out, rules(check.RuleNative, check.RuleAsset)...)
		}
		if res.Bids[i].Exp > 0 {
			out = append(out, string(check.RuleExp))
		}
	}
	return out
}

// describe is a bid in a few words.
func describe(b check.Bid) string {
	kind := map[int]string{1: "banner", 2: "video", 3: "audio", 4: "native"}[int(b.MType)]
	domain := ""
	if len(b.ADomain) > 0 {
		domain = " of " + b.ADomain[0]
	}
	s := kind + domain + " at " + b.Price.String()
	if b.DealID != "" {
		s += " on deal " + b.DealID
	}
	return oneLine(s)
}

// noticesTo is where a notice of the bidder's is sent.
func (r *run) noticesTo(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("notice URL: %w", err)
	}
	if r.cfg.NoticesTo != "" {
		to, err := httpURL(r.cfg.NoticesTo)
		if err != nil {
			return nil, err
		}
		u.Scheme, u.Host = to.Scheme, to.Host
	}
	return u, nil
}
