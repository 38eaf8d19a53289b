package plan

import (
	"cmp"
	"math"
	"slices"
	"sync"
)

// Lost estimates, by exchange, which share of the wins that are billed no
// notice tells of: what a plan has to keep free beside what is reported. Two
// sorts of evidence say so.
//
// An exchange's report is the truth: each of its lines that is our bid was
// billed, and the books know whether a notice had told of it. Where reports
// cover lately billed bids, they alone decide.
//
// Else the ads themselves tell. An impression, a view or a click reaches us from
// the person's browser, a notice from the exchange's server: neither knows of
// the other (capture and recapture; Lincoln and Petersen). Of the bids whose ad
// was seen, those that no notice settled in time are the share that is lost. It
// needs no form of prices. Where an exchange shows ads that it does not bill it
// says too much, so it is believed up to a twenty-fifth only.
//
// Safe for many goroutines; slow side. About 3 KB an exchange.
type Lost struct {
	mu        sync.Mutex
	exchanges []lostOf
}

type lostOf struct {
	shown, silent float64 // bids whose ad was seen; of them without a notice: fading
	lastMS        int64
	reports       []NoticeReport // oldest first
}

// NoticeReport is what an exchange's report says of its notices.
type NoticeReport struct {
	// Report names it: told of again, it replaces what was told before.
	Report string `json:"report"`
	FromMS int64  `json:"from"` // of the bids in it, the first
	// Billed bids of ours, and of them those that no notice had told of.
	Billed int64 `json:"billed"`
	Silent int64 `json:"silent"`
}

const (
	lostReports  = 32               // reports of an exchange that are remembered
	reportLifeMS = 60 * 24 * hourMS // after which a report says nothing of today
	reportFadeMS = 15 * 24 * hourMS // after which it counts 1/e
	reportLeast  = 500.0            // bids in reports, from which on they decide
	shownFadeMS  = 3 * 24 * hourMS  // after which a bid whose ad was seen counts 1/e
	lostPrior    = 300.0            // bids with a notice, as if they had been seen
	lostReported = 0.25             // the most that is believed of reports
	lostShown    = 0.04             // and of ads that were seen
)

// NewLost makes room for exchanges 0 to n−1; nothing is known to be lost.
func NewLost(n int) *Lost { return &Lost{exchanges: make([]lostOf, n)} }

// Shown counts a bid whose ad was seen, once its notice has come or is not
// expected any more.
func (l *Lost) Shown(exchange int, nowMS int64, noticed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &l.exchanges[exchange]
	x.fade(nowMS)
	x.shown++
	if !noticed {
		x.silent++
	}
}

// Late takes a bid back that was counted without a notice at countedMS: it has
// come after all.
func (l *Lost) Late(exchange int, nowMS, countedMS int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &l.exchanges[exchange]
	x.fade(nowMS)
	x.silent = math.Max(0, x.silent-math.Exp(-float64(max(nowMS-countedMS, 0))/shownFadeMS))
}

func (x *lostOf) fade(nowMS int64) {
	if x.lastMS != 0 && nowMS > x.lastMS {
		keep := math.Exp(-float64(nowMS-x.lastMS) / shownFadeMS)
		x.shown, x.silent = x.shown*keep, x.silent*keep
	}
	x.lastMS = max(x.lastMS, nowMS)
}

// Told takes in what a report says. The same report again replaces what it
// said before, so that reading the log twice changes nothing.
func (l *Lost) Told(exchange int, r NoticeReport) {
	if r.Billed <= 0 || r.Silent < 0 || r.Silent > r.Billed {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &l.exchanges[exchange]
	x.reports = slices.DeleteFunc(x.reports, func(old NoticeReport) bool { return old.Report == r.Report })
	x.reports = append(x.reports, r)
	slices.SortStableFunc(x.reports, func(a, b NoticeReport) int { return cmp.Compare(a.FromMS, b.FromMS) })
	if n := len(x.reports) - lostReports; n > 0 {
		x.reports = slices.Delete(x.reports, 0, n)
	}
}

// Share of what an exchange bills that no notice tells of, from 0 to 1. Where
// there is no doubt that some is, it is rather taken too high: the budget is
// not to be exceeded.
func (l *Lost) Share(exchange int, nowMS int64) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &l.exchanges[exchange]
	billed, silent := x.reported(nowMS)
	most := lostReported
	if billed < reportLeast {
		x.fade(nowMS)
		billed, silent, most = x.shown, x.silent, lostShown
	}
	n := billed + lostPrior
	share := silent / n
	if doubt := math.Sqrt(share * (1 - share) / n); share > 2*doubt {
		share += doubt
	}
	return math.Min(most, share)
}

// reported sums the reports, the older the less.
func (x *lostOf) reported(nowMS int64) (billed, silent float64) {
	for i := range x.reports {
		r := &x.reports[i]
		age := max(nowMS-r.FromMS, 0)
		if age > reportLifeMS {
			continue
		}
		w := math.Exp(-float64(age) / reportFadeMS)
		billed, silent = billed+w*float64(r.Billed), silent+w*float64(r.Silent)
	}
	return billed, silent
}

// Evidence is how many bids the share comes from, for metrics: of reports, and
// of ads that were seen, fading.
func (l *Lost) Evidence(exchange int, nowMS int64) (reported, shown float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &l.exchanges[exchange]
	reported, _ = x.reported(nowMS)
	return reported, x.shown
}

// LostState is what outlives a restart, of an exchange.
type LostState struct {
	Shown   float64        `json:"shown"`
	Silent  float64        `json:"silent"`
	LastMS  int64          `json:"last"`
	Reports []NoticeReport `json:"reports,omitempty"`
}

// State copies what is known of an exchange.
func (l *Lost) State(exchange int) LostState {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &l.exchanges[exchange]
	return LostState{Shown: x.shown, Silent: x.silent, LastMS: x.lastMS, Reports: slices.Clone(x.reports)}
}

// Restore puts back what State gave, before anything is counted.
func (l *Lost) Restore(exchange int, s LostState) {
	for _, r := range s.Reports {
		l.Told(exchange, r)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := &l.exchanges[exchange]; s.Silent >= 0 && s.Silent <= s.Shown && !math.IsInf(s.Shown, 0) {
		x.shown, x.silent, x.lastMS = s.Shown, s.Silent, s.LastMS
	}
}
