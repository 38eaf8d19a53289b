package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/grosz/grosz/internal/money"
)

// Line is one billed impression, by the exchange's own auction.
type Line struct {
	BidID     string         `json:"bid"`
	RequestID string         `json:"request"`
	ImpID     string         `json:"imp"`
	Price     money.CPM      `json:"price"`
	Amount    money.Nano     `json:"amount"`
	Currency  money.Currency `json:"currency"`
	Media     string         `json:"media"`
	Campaign  string         `json:"campaign"` // bid.cid
	Domain    string         `json:"domain"`   // first adomain
	TimeMS    int64          `json:"time"`
}

// Kinds of notice.
const (
	noticeWin        = "win"
	noticeBill       = "bill"
	noticeLoss       = "loss"
	noticeImpression = "impression"
	noticeClick      = "click"
)

// notice is one URL that the bidder must hear of.
type notice struct {
	N      uint64 `json:"n"`
	Kind   string `json:"kind"`
	URL    string `json:"url"`
	TimeMS int64  `json:"time"`
	Touch  *touch `json:"touch,omitempty"`
	// UA is the shopper's browser, for what a browser calls.
	UA string `json:"ua,omitempty"`

	book  *book
	after func(location string) // once delivered; not kept over a restart
	tries int
	dueMS int64 // machine time of the next try
}

// touch is an ad's contact with a shopper. It counts from the moment when the
// bidder has heard of it, since only then can the bidder attribute to it.
type touch struct {
	Shopper  int    `json:"shopper"`
	Shop     uint32 `json:"shop"`
	Bid      string `json:"bid"`
	Campaign string `json:"campaign"`
	Click    bool   `json:"click,omitempty"`
	AtMS     int64  `json:"at,omitempty"`
	ClickID  string `json:"click_id,omitempty"`
}

// record is one line of an exchange's journal; K says which field is set.
type record struct {
	K       string  `json:"k"` // run, notice, bill, done, sum, touch
	Run     int64   `json:"run,omitempty"`
	Notice  *notice `json:"notice,omitempty"`
	Line    *Line   `json:"line,omitempty"`
	N       uint64  `json:"n,omitempty"`
	AtMS    int64   `json:"at,omitempty"`
	ClickID string  `json:"click_id,omitempty"`
	Page    bool    `json:"page,omitempty"` // a click that led to no shop
	Sum     *Total  `json:"sum,omitempty"`
	Touch   *touch  `json:"touch,omitempty"`
}

// Total is a sum of billed impressions.
type Total struct {
	Currency money.Currency `json:"currency"`
	Count    int64          `json:"count"`
	Amount   money.Nano     `json:"amount"`
}

// ExchangeInvoice is what one exchange billed.
type ExchangeInvoice struct {
	Total
	// Lines of what was billed since the journal was last rewritten; older
	// ones are in Total only.
	Lines []Line
	// Undelivered notices.
	Undelivered int
}

// Invoice is what all exchanges billed, by name.
type Invoice struct {
	Exchanges map[string]*ExchangeInvoice
}

// bookState is the fold of a journal.
type bookState struct {
	inv     ExchangeInvoice
	run     int64
	last    uint64
	pending map[uint64]*notice
	touches map[touchKey]*touch
	lines   bool // keep Lines
}

type touchKey struct {
	shopper int
	shop    uint32
	click   bool
}

func newBookState(lines bool) *bookState {
	return &bookState{pending: map[uint64]*notice{}, touches: map[touchKey]*touch{}, lines: lines}
}

func (s *bookState) apply(raw []byte) error {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	return s.take(&r)
}

func (s *bookState) take(r *record) error {
	switch {
	case r.K == "run":
		s.run = r.Run
	case r.K == "notice" && r.Notice != nil:
		s.pending[r.Notice.N] = r.Notice.copy()
		s.last = max(s.last, r.Notice.N)
	case r.K == "done":
		if n := s.pending[r.N]; n != nil && n.Touch != nil && !r.Page {
			n.Touch.AtMS, n.Touch.ClickID = r.AtMS, r.ClickID
			s.touched(n.Touch)
		}
		delete(s.pending, r.N)
		s.last = max(s.last, r.N)
	case r.K == "bill" && r.Line != nil:
		s.inv.Currency = r.Line.Currency
		s.inv.Count++
		s.inv.Amount = money.Add(s.inv.Amount, r.Line.Amount)
		if s.lines {
			s.inv.Lines = append(s.inv.Lines, *r.Line)
		}
	case r.K == "sum" && r.Sum != nil:
		s.inv.Total = *r.Sum
	case r.K == "touch" && r.Touch != nil:
		s.touched(r.Touch)
	default:
		return fmt.Errorf("unknown record %q", r.K)
	}
	return nil
}

func (s *bookState) touched(t *touch) { s.touches[touchKey{t.Shopper, t.Shop, t.Click}] = t }

// compacted are the records that say the same in less.
func (s *bookState) compacted() []any {
	out := []any{record{K: "run", Run: s.run}, record{K: "sum", Sum: &s.inv.Total}}
	for _, t := range s.touches {
		out = append(out, record{K: "touch", Touch: t})
	}
	for _, n := range s.pendingInOrder() {
		out = append(out, record{K: "notice", Notice: n})
	}
	return out
}

func (s *bookState) pendingInOrder() []*notice {
	var list []*notice
	for _, n := range s.pending {
		list = append(list, n)
	}
	sort.Slice(list, func(a, b int) bool { return list[a].N < list[b].N })
	return list
}

// copy is the notice without what is not kept.
func (n *notice) copy() *notice {
	c := &notice{N: n.N, Kind: n.Kind, URL: n.URL, TimeMS: n.TimeMS, UA: n.UA}
	if n.Touch != nil {
		t := *n.Touch
		c.Touch = &t
	}
	return c
}

// book is an exchange's journal at work, and its fold.
type book struct {
	journal *journal
	next    counter
	run     int64

	mu    sync.Mutex // held while a record is added and folded; taken before the journal's locks
	state *bookState
	limit int64
}

func bookPath(dir, exchange string) string { return filepath.Join(dir, exchange+".journal") }

// openBook reads the journal and begins a new run. From limit bytes on the
// journal is rewritten, with a sum in place of its lines.
func openBook(dir, exchange string, limit int64) (*book, error) {
	s := newBookState(false)
	j, err := openJournal(bookPath(dir, exchange), s.apply)
	if err != nil {
		return nil, err
	}
	b := &book{journal: j, state: s, run: s.run + 1, limit: limit}
	b.next.Store(s.last)
	return b, b.append(true, record{K: "run", Run: b.run})
}

// append adds records and folds them; with durable it returns once they are
// on disk.
func (b *book) append(durable bool, recs ...record) error {
	b.mu.Lock()
	var mine uint64
	var err error
	for i := range recs {
		var full bool
		if mine, full, err = b.journal.add(recs[i]); err == nil {
			err = b.state.take(&recs[i])
		}
		durable = durable || full
		if err != nil {
			break
		}
	}
	b.mu.Unlock()
	if err != nil || !durable {
		return err
	}
	if err := b.journal.sync(mine); err != nil {
		return err
	}
	return b.compact()
}

// compact rewrites a journal that has grown too long. What is pending stays,
// so the next bound is at least twice of what is left.
func (b *book) compact() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.journal.bytes() <= b.limit {
		return nil
	}
	if err := b.journal.replace(b.state.compacted()); err != nil {
		return err
	}
	b.limit = max(b.limit, 2*b.journal.bytes())
	return nil
}

func (b *book) close() error { return b.journal.close() }

// note makes notices of the book durable with line, if there is one.
func (b *book) note(line *Line, notices ...*notice) error {
	var recs []record
	if line != nil {
		recs = append(recs, record{K: "bill", Line: line})
	}
	for _, n := range notices {
		n.N, n.book = b.next.Add(1), b
		recs = append(recs, record{K: "notice", Notice: n})
	}
	return b.append(true, recs...)
}

// ReadInvoice reads what the exchanges of dir billed; they may be running.
func ReadInvoice(dir string) (Invoice, error) {
	inv := Invoice{Exchanges: map[string]*ExchangeInvoice{}}
	paths, err := filepath.Glob(bookPath(dir, "*"))
	if err != nil {
		return inv, err
	}
	for _, p := range paths {
		name := strings.TrimSuffix(filepath.Base(p), ".journal")
		if name == truthName {
			continue
		}
		s := newBookState(true)
		if err := readJournal(p, s.apply); err != nil {
			return inv, err
		}
		s.inv.Undelivered = len(s.pending)
		inv.Exchanges[name] = &s.inv
	}
	return inv, nil
}

func readJournal(path string, each func([]byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer f.Close()
	_, err = scanJournal(f, path, each)
	return err
}
