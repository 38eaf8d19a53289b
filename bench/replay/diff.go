package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/prebid/openrtb/v20/openrtb2"

	"github.com/grosz/grosz/bench/check"
	"github.com/grosz/grosz/internal/money"
)

// Kinds of difference between two answers.
const (
	DiffStatus   = "status"   // of HTTP, other than bid or no bid
	DiffBid      = "bid"      // an imp is bid on by one and not by the other
	DiffReason   = "reason"   // both refuse, for different reasons
	DiffPrice    = "price"    // the bid, or its currency
	DiffCampaign = "campaign" // cid
	DiffCreative = "creative" // the family of crid: shop and creative, whatever its version
	DiffMedia    = "media"    // mtype, size or duration
	DiffDeal     = "deal"
	DiffNone     = "no answer" // from one of the two
)

// DiffReport is what two bidders answer differently. Bid ids, tokens, markup
// and creative versions are not compared: they differ from answer to answer.
type DiffReport struct {
	Sent, Same, Different int
	Kinds                 map[string]int // a request counts once for each kind
	// Shown are the first differences, at most Config.Show requests.
	Shown []Difference
	Took  time.Duration
}

// Difference is one request that is answered differently.
type Difference struct {
	File  string
	Line  int
	Parts []DiffPart
}

// DiffPart is one thing that differs.
type DiffPart struct{ Kind, Imp, Old, New string }

// Err tells whether anything is answered differently.
func (r *DiffReport) Err() error {
	if r.Different == 0 {
		return nil
	}
	return fmt.Errorf("replay: %d of %d requests are answered differently", r.Different, r.Sent)
}

// Diff sends every request to cfg.URL and to newURL, which run the old and
// the new version or configuration, and prints what they answer differently.
// Both should have the same campaigns and full budgets; what a tie or a
// budget's end decides differs between any two runs.
func Diff(ctx context.Context, cfg Config, newURL string, out io.Writer) (DiffReport, error) {
	cfg.defaults()
	errs := []error{cfg.Validate()}
	if u, err := url.Parse(newURL); err != nil || u.Host == "" {
		errs = append(errs, fmt.Errorf("replay: the new url %q is not an http(s) URL", newURL))
	}
	if err := errors.Join(errs...); err != nil {
		return DiffReport{}, err
	}
	client := &http.Client{
		Timeout:   cfg.Timeout,
		Transport: &http.Transport{MaxIdleConnsPerHost: cfg.Concurrency, DisableCompression: true},
	}
	defer client.CloseIdleConnections()
	d := &differ{old: &sender{cfg: cfg, client: client}, report: DiffReport{Kinds: map[string]int{}}}
	cfg.URL = newURL
	d.new = &sender{cfg: cfg, client: client}

	start := time.Now()
	work := make(chan line, cfg.Concurrency)
	var wg sync.WaitGroup
	for range cfg.Concurrency {
		wg.Go(func() {
			for l := range work {
				d.send(ctx, l)
			}
		})
	}
	err := d.old.feed(ctx, start, work)
	close(work)
	wg.Wait()
	d.report.Took = time.Since(start)
	if err == nil {
		err = ctx.Err()
	}
	d.report.print(out)
	return d.report, err
}

type differ struct {
	old, new *sender
	mu       sync.Mutex
	report   DiffReport
}

// send asks both at once.
func (d *differ) send(ctx context.Context, l line) {
	var newer check.Answer
	var newErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		newer, newErr = d.new.post(ctx, l.body)
	}()
	older, oldErr := d.old.post(ctx, l.body)
	<-done
	if ctx.Err() != nil {
		return // stopped by us
	}
	parts := compare(older, oldErr, newer, newErr)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report.Sent++
	if len(parts) == 0 {
		d.report.Same++
		return
	}
	d.report.Different++
	seen := map[string]bool{}
	for _, p := range parts {
		if !seen[p.Kind] {
			d.report.Kinds[p.Kind]++
		}
		seen[p.Kind] = true
	}
	if len(d.report.Shown) < d.old.cfg.Show {
		d.report.Shown = append(d.report.Shown, Difference{l.file, l.no, parts})
	}
}

// compare lists what differs between two answers.
func compare(a check.Answer, aErr error, b check.Answer, bErr error) []DiffPart {
	if (aErr == nil) != (bErr == nil) {
		return []DiffPart{{Kind: DiffNone, Old: errText(aErr), New: errText(bErr)}}
	}
	if aErr != nil {
		return nil // neither answers
	}
	aBids, aBad := bidsOf(a)
	bBids, bBad := bidsOf(b)
	if aBad != nil || bBad != nil || a.Status >= 300 || b.Status >= 300 {
		if x, y := statusText(a, aBad), statusText(b, bBad); x != y {
			return []DiffPart{{Kind: DiffStatus, Old: x, New: y}}
		}
		return nil
	}
	if len(aBids)+len(bBids) == 0 {
		x, y := a.Header.Get("X-Grosz-Nobid"), b.Header.Get("X-Grosz-Nobid")
		if x != y && x != "" && y != "" { // who does not say has not said otherwise
			return []DiffPart{{Kind: DiffReason, Old: x, New: y}}
		}
		return nil
	}
	return compareBids(aBids, bBids, a, b)
}

// compareBids pairs the bids of each imp, dearest first.
func compareBids(a, b map[string][]answeredBid, older, newer check.Answer) (parts []DiffPart) {
	imps := map[string]bool{}
	for imp := range a {
		imps[imp] = true
	}
	for imp := range b {
		imps[imp] = true
	}
	var order []string
	for imp := range imps {
		order = append(order, imp)
	}
	sort.Strings(order)
	for _, imp := range order {
		x, y := a[imp], b[imp]
		for i := range max(len(x), len(y)) {
			switch {
			case i >= len(x):
				parts = append(parts, DiffPart{DiffBid, imp, noBidText(older), y[i].String()})
			case i >= len(y):
				parts = append(parts, DiffPart{DiffBid, imp, x[i].String(), noBidText(newer)})
			default:
				parts = append(parts, x[i].differs(imp, y[i])...)
			}
		}
	}
	return parts
}

// answeredBid is what is compared of a bid.
type answeredBid struct {
	price                                   money.CPM
	currency, campaign, family, media, deal string
}

func (b answeredBid) String() string {
	return fmt.Sprintf("campaign %s at %s", b.campaign, b.money())
}

func (b answeredBid) money() string { return b.price.String() + " " + b.currency }

func (b answeredBid) differs(imp string, n answeredBid) (parts []DiffPart) {
	for _, f := range []DiffPart{
		{DiffPrice, imp, b.money(), n.money()}, {DiffCampaign, imp, b.campaign, n.campaign},
		{DiffCreative, imp, b.family, n.family}, {DiffMedia, imp, b.media, n.media}, {DiffDeal, imp, b.deal, n.deal},
	} {
		if f.Old != f.New {
			parts = append(parts, f)
		}
	}
	return parts
}

// bidsOf reads an answer's bids by imp, each imp's dearest first.
func bidsOf(a check.Answer) (map[string][]answeredBid, error) {
	if a.Status != http.StatusOK || len(a.Body) == 0 {
		return nil, nil
	}
	var r openrtb2.BidResponse
	if err := json.Unmarshal(a.Body, &r); err != nil {
		return nil, err
	}
	out := map[string][]answeredBid{}
	currency := r.Cur
	if currency == "" {
		currency = "USD"
	}
	for _, s := range r.SeatBid {
		for _, b := range s.Bid {
			out[b.ImpID] = append(out[b.ImpID], answeredBid{
				price: money.CPM(b.Price*money.CPMUnit + 0.5), currency: currency, campaign: b.CID, family: family(b.CrID), deal: b.DealID,
				media: fmt.Sprintf("mtype %d %dx%d %d s", b.MType, b.W, b.H, b.Dur),
			})
		}
	}
	for _, list := range out {
		sort.SliceStable(list, func(i, j int) bool { return list[i].price > list[j].price })
	}
	return out, nil
}

// family is a crid without what changes with size, template and version:
// s7-c1-grid-300x250-v123.1 is of the family s7-c1. Any other crid is its own.
func family(crid string) string {
	parts := strings.Split(crid, "-")
	if len(parts) >= 5 && strings.HasPrefix(parts[0], "s") && strings.HasPrefix(parts[1], "c") && strings.HasPrefix(parts[len(parts)-1], "v") {
		return parts[0] + "-" + parts[1]
	}
	return crid
}

func statusText(a check.Answer, bad error) string {
	if bad != nil {
		return fmt.Sprintf("status %d, not a bid response", a.Status)
	}
	return fmt.Sprintf("status %d", a.Status)
}

func noBidText(a check.Answer) string {
	if r := a.Header.Get("X-Grosz-Nobid"); r != "" {
		return "no bid: " + r
	}
	return "no bid"
}

func errText(err error) string {
	if err != nil {
		return err.Error()
	}
	return "an answer"
}

func (r *DiffReport) print(w io.Writer) {
	fmt.Fprintf(w, "%d requests in %.1f s: %d answered alike, %d differently\n", r.Sent, r.Took.Seconds(), r.Same, r.Different)
	table(w, "differences, by kind", r.Kinds)
	sort.Slice(r.Shown, func(a, b int) bool {
		x, y := &r.Shown[a], &r.Shown[b]
		return x.File < y.File || x.File == y.File && x.Line < y.Line
	})
	for _, d := range r.Shown {
		for _, p := range d.Parts {
			imp := ""
			if p.Imp != "" {
				imp = fmt.Sprintf(" imp %q", p.Imp)
			}
			fmt.Fprintf(w, "  %s:%d%s %s: %s → %s\n", d.File, d.Line, imp, p.Kind, p.Old, p.New)
		}
	}
	if n := r.Different - len(r.Shown); n > 0 {
		fmt.Fprintf(w, "  … and %d requests more\n", n)
	}
}
