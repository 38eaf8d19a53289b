package storm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/pacing"
)

// Audit says where the books are.
type Audit struct {
	Brokers    []string
	ClickHouse string // host:port of the HTTP interface
	Password   string // of its user default
	// Wait bounds how long the books may stand still before they are given up.
	Wait time.Duration
	Log  *slog.Logger
}

// Result is what an audit found equal.
type Result struct {
	Settled, Duplicates, NotSettling, Rejections int
	Spend                                        []string // per exchange: amount and currency
	Ambiguous                                    int      // bids of which the log took one of several prices
	Conflicts                                    string   // rows of grosz.conflicts, of which so many a second are kept
	log                                          *logBooks
}

// errWrong begins what the audit finds.
var errWrong = errors.New("the books are wrong")

// Check waits until as many bids are settled in ClickHouse as were billed, and
// then compares log, truth and ClickHouse bid by bid, and the sums of
// grosz.cost_per_order. Its error says what differs.
func (p *Plan) Check(ctx context.Context, a Audit) (Result, error) {
	truth := 0
	for i := range p.bids {
		if len(p.bids[i].amounts) > 0 {
			truth++
		}
	}
	if err := a.arrived(ctx, truth); err != nil {
		return Result{}, err
	}
	log, err := readLog(ctx, a.Brokers, a.Log)
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Settled: len(log.bids), Duplicates: log.settling - len(log.bids), NotSettling: log.notSettling, Rejections: log.rejections,
		Ambiguous: p.Counts.Ambiguous, log: log,
	}
	if err := p.checkLog(log, truth); err != nil {
		return r, err
	}
	if err := a.checkSettlements(ctx, log); err != nil {
		return r, err
	}
	if r.Spend, err = a.checkSums(ctx, log); err != nil {
		return r, err
	}
	return r, a.query(ctx, "SELECT count() FROM grosz.conflicts", func(row []string) error { r.Conflicts = row[0]; return nil })
}

// arrived waits until ClickHouse has settled n bids.
func (a *Audit) arrived(ctx context.Context, n int) error {
	last, since := "", time.Now()
	for {
		var got string
		err := a.query(ctx, "SELECT count() FROM grosz.settlements", func(row []string) error { got = row[0]; return nil })
		if err == nil && got == fmt.Sprint(n) {
			return nil
		}
		if got != last {
			last, since = got, time.Now()
		}
		if time.Since(since) > a.Wait {
			return errors.Join(err, fmt.Errorf("%w: ClickHouse stands at %s settled bids, %d were billed", errWrong, got, n))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// checkLog holds the log against the truth.
func (p *Plan) checkLog(log *logBooks, truth int) error {
	if len(log.bids) != truth {
		return fmt.Errorf("%w: the log settles %d bids, %d were billed", errWrong, len(log.bids), truth)
	}
	for i := range p.bids {
		b := &p.bids[i]
		got, ok := log.bids[b.tok.BidID]
		if ok != (len(b.amounts) > 0) {
			return fmt.Errorf("%w: bid %s: settled %t, billed %t", errWrong, b.tok.BidID, ok, !ok)
		}
		if !ok {
			continue
		}
		said := false
		for _, amount := range b.amounts {
			cost, fee := shopCost(amount, int64(b.tok.Rate), int64(b.tok.FeeBPS))
			want := settled{amount, cost, fee, exchanges()[b.exchange].name, exchanges()[b.exchange].currency, b.tok.CampaignID}
			said = said || got == want
		}
		if !said {
			return fmt.Errorf("%w: bid %s: the log has %+v, the notices said %v", errWrong, b.tok.BidID, got, b.amounts)
		}
	}
	return nil
}

// checkSettlements holds grosz.settlements against the log.
func (a *Audit) checkSettlements(ctx context.Context, log *logBooks) error {
	rows := 0
	err := a.query(ctx, "SELECT hex(bid), amount, shop_amount, shop_fee, exchange, currency, campaign FROM grosz.settlements", func(row []string) error {
		rows++
		var id events.ID
		if err := id.UnmarshalText([]byte(strings.ToLower(row[0]))); err != nil {
			return err
		}
		var got settled
		for i, to := range []*int64{&got.amount, &got.cost, &got.fee} {
			if err := parseNano(row[1+i], to); err != nil {
				return err
			}
		}
		got.exchange, got.currency = row[4], row[5]
		if _, err := fmt.Sscan(row[6], &got.campaign); err != nil {
			return err
		}
		if want := log.bids[id]; got != want {
			return fmt.Errorf("%w: bid %s: ClickHouse has %+v, the log %+v", errWrong, id, got, want)
		}
		return nil
	})
	if err == nil && rows != len(log.bids) {
		err = fmt.Errorf("%w: ClickHouse has %d settlements, the log %d", errWrong, rows, len(log.bids))
	}
	return err
}

// checkSums holds grosz.cost_per_order against the log, exchange by exchange.
func (a *Audit) checkSums(ctx context.Context, log *logBooks) ([]string, error) {
	type sums struct{ amount, cost, fee big.Int }
	want := make(map[string]*sums)
	for _, s := range log.bids {
		k := s.exchange + " " + s.currency
		if want[k] == nil {
			want[k] = new(sums)
		}
		for _, add := range []struct {
			to *big.Int
			n  int64
		}{{&want[k].amount, s.amount}, {&want[k].cost, s.cost}, {&want[k].fee, s.fee}} {
			add.to.Add(add.to, big.NewInt(add.n))
		}
	}
	var out []string
	err := a.query(ctx, `SELECT exchange, currency, toString(sum(spend)), toString(sum(shop_spend)), toString(sum(shop_fee)) FROM grosz.cost_per_order
		GROUP BY exchange, currency HAVING sum(spend) != 0 ORDER BY exchange, currency`, func(row []string) error {
		k := row[0] + " " + row[1]
		w := want[k]
		if w == nil || row[2] != decimal(&w.amount) || row[3] != decimal(&w.cost) || row[4] != decimal(&w.fee) {
			return fmt.Errorf("%w: cost_per_order has %v, the log %+v", errWrong, row, w)
		}
		out = append(out, fmt.Sprintf("%s: %s %s", row[0], row[2], row[1]))
		delete(want, k)
		return nil
	})
	if err == nil && len(want) > 0 {
		err = fmt.Errorf("%w: cost_per_order lacks %d exchanges", errWrong, len(want))
	}
	return out, err
}

// CheckBook holds a bidder's checkpoint against the log, campaign by campaign.
func (r *Result) CheckBook(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("a bidder's book: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("a bidder's book: %w", err)
	}
	whole, err := pacing.OpenSealed(f, info.Size())
	if err != nil {
		return fmt.Errorf("a bidder's book: %w", err)
	}
	book := pacing.NewBook(pacing.Config{})
	if _, err := book.Restore(whole); err != nil {
		return fmt.Errorf("a bidder's book: %w", err)
	}
	want := make(map[uint32]int64)
	for _, s := range r.log.bids {
		want[s.campaign] += s.cost + s.fee
	}
	for campaign, sum := range want {
		s := book.Account(campaign).State(0)
		if int64(s.Settled) != sum || s.Used != s.Settled {
			return fmt.Errorf("%w: campaign %d in %s: settled %s, used %s; the log has %d nano-units", errWrong, campaign, path, s.Settled, s.Used, sum)
		}
	}
	return nil
}

// query hands every row, as text, to fn.
func (a *Audit) query(ctx context.Context, sql string, fn func(row []string) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.ClickHouse+"/?default_format=TabSeparated", strings.NewReader(sql))
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	req.SetBasicAuth("default", a.Password)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
		return fmt.Errorf("ask ClickHouse: %s: %s", res.Status, text)
	}
	sc := bufio.NewScanner(res.Body)
	for sc.Scan() {
		if err := fn(strings.Split(sc.Text(), "\t")); err != nil {
			return err
		}
	}
	return sc.Err()
}
