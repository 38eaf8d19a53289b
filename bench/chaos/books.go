package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/sim"
	"github.com/grosz/grosz/internal/money"
)

// Books are where the truth and what was booked can be read.
type Books struct {
	// Journals is the folder of the simulated exchanges' journals.
	Journals string
	// ClickHouse is host:port of its HTTP interface, past any Proxy; Password
	// that of the user default.
	ClickHouse, Password string
	// Budgets are the totals that campaigns may spend, by id.
	Budgets map[uint32]money.Nano
}

// ErrBooks begins what is wrong with the books.
var ErrBooks = errors.New("the books are wrong")

// Insist asks until the books answer, at most for so long: what is wrong with
// them is told at once, but a database that was just killed, or is busy, may
// not be able to say anything yet.
func Insist(ctx context.Context, most time.Duration, ask func(context.Context) error) error {
	for end := time.Now().Add(most); ; {
		err := ask(ctx)
		if err == nil || errors.Is(err, ErrBooks) || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
		sleep(ctx, 200*time.Millisecond)
	}
}

// query hands each row to fn, as text.
func (b *Books) query(ctx context.Context, sql string, fn func(row []string) error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.ClickHouse+"/?default_format=TabSeparated", strings.NewReader(sql))
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	req.SetBasicAuth("default", b.Password)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 500))
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

// Settled counts the bids that ClickHouse has settled.
func (b *Books) Settled(ctx context.Context) (n int64, err error) {
	err = b.query(ctx, "SELECT count() FROM grosz.settlements", func(row []string) (err error) {
		n, err = strconv.ParseInt(row[0], 10, 64)
		return err
	})
	return n, err
}

// billed counts what the exchanges have billed so far.
func (b *Books) billed() (n int64, err error) {
	inv, err := sim.ReadInvoice(b.Journals)
	for _, x := range inv.Exchanges {
		n += x.Count
	}
	return n, err
}

// spent is what one exchange is owed by the reports.
type spent struct {
	currency string
	amount   money.Nano
	count    int64
}

func (b *Books) spent(ctx context.Context) (map[string]spent, error) {
	out := map[string]spent{}
	return out, b.query(ctx, "SELECT exchange, currency, toString(sum(amount)), count(), uniqExact(bid) FROM grosz.settlements GROUP BY exchange, currency", func(row []string) error {
		amount, err := money.ParseNano(row[2])
		if err != nil {
			return err
		}
		if row[3] != row[4] {
			return fmt.Errorf("%w: %s has %s settlements of %s bids", ErrBooks, row[0], row[3], row[4])
		}
		n, err := strconv.ParseInt(row[3], 10, 64)
		if _, twice := out[row[0]]; twice {
			return fmt.Errorf("%w: %s settles in two currencies", ErrBooks, row[0])
		}
		out[row[0]] = spent{row[1], amount, n}
		return err
	})
}

// NotAbove is what must hold at every moment: no bid is settled twice, the
// reports owe no exchange more than it has billed, nor more bids, and no
// campaign has been billed more than its budget. The journals are read after the reports: they only grow.
func (b *Books) NotAbove(ctx context.Context) error {
	got, err := b.spent(ctx)
	if err != nil {
		return err
	}
	inv, err := sim.ReadInvoice(b.Journals)
	if err != nil {
		return err
	}
	for name, s := range got {
		x := inv.Exchanges[name]
		if x == nil {
			return fmt.Errorf("%w: %s is owed %s %s and has billed nothing", ErrBooks, name, s.amount, s.currency)
		}
		if s.currency != x.Currency.String() || s.count > x.Count || s.amount > x.Amount {
			return fmt.Errorf("%w: %s is owed %s %s for %d bids, but has billed %s %s for %d", ErrBooks, name, s.amount, s.currency, s.count, x.Amount, x.Currency, x.Count)
		}
	}
	return b.budgets(ctx)
}

// budgets holds what the ledger billed to shops against the campaigns' totals.
func (b *Books) budgets(ctx context.Context) error {
	for id, total := range b.Budgets {
		err := b.query(ctx, fmt.Sprintf("SELECT toString(sum(amount)) FROM grosz.ledger FINAL WHERE from_account = 'balance' AND campaign_id = %d", id), func(row []string) error {
			billed, err := money.ParseNano(row[0])
			if err == nil && billed > total {
				err = fmt.Errorf("%w: campaign %d was billed %s of a budget of %s", ErrBooks, id, billed, total)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Billed is what the ledger billed of one budget, and what the house paid
// beyond it.
func (b *Books) Billed(ctx context.Context, campaign uint32) (billed, house money.Nano, err error) {
	err = b.query(ctx, fmt.Sprintf("SELECT toString(sumIf(amount, from_account = 'balance')), toString(sumIf(amount, from_account = 'house')) FROM grosz.ledger FINAL WHERE campaign_id = %d", campaign), func(row []string) (err error) {
		if billed, err = money.ParseNano(row[0]); err == nil {
			house, err = money.ParseNano(row[1])
		}
		return err
	})
	return billed, house, err
}

// Equal is what must hold in the end: every exchange is owed exactly what it
// has billed, bid by bid, the ledger and the reports by hour and by day say the
// same, and every order is there once.
func (b *Books) Equal(ctx context.Context) error {
	inv, err := sim.ReadInvoice(b.Journals)
	if err != nil {
		return err
	}
	got, err := b.spent(ctx)
	if err != nil {
		return err
	}
	for name, x := range inv.Exchanges {
		if x.Undelivered > 0 {
			return fmt.Errorf("%s has %d notices that are not delivered", name, x.Undelivered)
		}
		if s := got[name]; s.amount != x.Amount || s.count != x.Count {
			return fmt.Errorf("%w: %s is owed %s for %d bids, and has billed %s for %d", ErrBooks, name, s.amount, s.count, x.Amount, x.Count)
		}
	}
	if len(got) > len(inv.Exchanges) {
		return fmt.Errorf("%w: %d exchanges are owed, %d have billed", ErrBooks, len(got), len(inv.Exchanges))
	}
	return errors.Join(b.bidByBid(ctx, inv), b.ledger(ctx), b.reports(ctx), b.orders(ctx), b.budgets(ctx))
}

// bidByBid compares the lines of the invoices that the journals still have.
func (b *Books) bidByBid(ctx context.Context, inv sim.Invoice) error {
	want := map[string]money.Nano{}
	var all int64
	for _, x := range inv.Exchanges {
		all += x.Count
		for i := range x.Lines {
			if _, twice := want[x.Lines[i].BidID]; twice {
				return fmt.Errorf("%w: bid %s was billed twice", ErrBooks, x.Lines[i].BidID)
			}
			want[x.Lines[i].BidID] = x.Lines[i].Amount
		}
	}
	var rows int64
	err := b.query(ctx, "SELECT lower(hex(bid)), toString(amount) FROM grosz.settlements", func(row []string) error {
		rows++
		amount, err := money.ParseNano(row[1])
		if billed, ok := want[row[0]]; err == nil && ok && billed != amount {
			err = fmt.Errorf("%w: bid %s was billed %s, and settled at %s", ErrBooks, row[0], billed, amount)
		}
		delete(want, row[0])
		return err
	})
	if err == nil && (len(want) > 0 || rows != all) {
		err = fmt.Errorf("%w: of %d billed bids %d are settled; %d of the journals' lines are not", ErrBooks, all, rows, len(want))
	}
	return err
}

// ledger holds the ledger's entries against the settlements.
func (b *Books) ledger(ctx context.Context) error {
	const sql = `SELECT s.n, s.cost, l.n, l.cost FROM
		(SELECT count() AS n, toString(sum(shop_amount)) AS cost FROM grosz.settlements) AS s,
		(SELECT uniqExact(event_id) AS n, toString(sumIf(amount, to_account != 'fee' AND from_account IN ('balance', 'house'))) AS cost FROM grosz.ledger FINAL WHERE kind = 'settlement') AS l`
	return b.query(ctx, sql, func(row []string) error {
		if row[0] != row[2] || row[1] != row[3] {
			return fmt.Errorf("%w: %s settlements cost %s; the ledger has %s that cost %s", ErrBooks, row[0], row[1], row[2], row[3])
		}
		return nil
	})
}

// reports holds what marketers read, by hour and by day, much of it from
// roll-ups, against the events themselves, each once.
func (b *Books) reports(ctx context.Context) error {
	const facts = "toString(sum(bids)), toString(sum(wins)), toString(sum(impressions)), toString(sum(clicks + invalid_clicks)), toString(sum(spend)), toString(sum(shop_spend))"
	const sql = `SELECT 'hour', [` + facts + `] FROM grosz.hourly UNION ALL SELECT 'day', [` + facts + `] FROM grosz.daily UNION ALL SELECT 'events', [
		(SELECT toString(uniqExact(event_id)) FROM grosz.bids WHERE type = 'bid' AND NOT test),
		(SELECT toString(uniqExact(bid_id)) FROM grosz.events WHERE (type IN ('win', 'billing', 'impression', 'viewable') OR settles) AND price_status != 'audit' AND NOT test),
		(SELECT toString(uniqExact(bid_id)) FROM grosz.events WHERE type = 'impression' AND NOT test),
		(SELECT toString(uniqExact(event_id)) FROM grosz.events WHERE type = 'click' AND NOT test),
		(SELECT toString(sum(amount)) FROM grosz.settlements), (SELECT toString(sum(shop_amount)) FROM grosz.settlements)]`
	by := map[string]string{}
	err := b.query(ctx, sql, func(row []string) error {
		by[row[0]] = row[1]
		return nil
	})
	if err == nil && (by["hour"] != by["events"] || by["day"] != by["events"]) {
		err = fmt.Errorf("%w: bids, wins, impressions, clicks, spend and the shops' spend are by hour %s, by day %s, and in the events %s", ErrBooks, by["hour"], by["day"], by["events"])
	}
	return err
}

func (b *Books) orders(ctx context.Context) error {
	truth, err := sim.ReadTruth(b.Journals)
	if err != nil {
		return err
	}
	if len(truth.Refused) > 0 || truth.Pending > 0 {
		return fmt.Errorf("%d orders are refused, %d not accepted yet", len(truth.Refused), truth.Pending)
	}
	shops := 0
	err = b.query(ctx, "SELECT shop, count(), toString(sum(value)) FROM grosz.orders GROUP BY shop", func(row []string) error {
		shops++
		id, err := strconv.ParseUint(row[0], 10, 32)
		if err != nil {
			return err
		}
		value, err := money.ParseNano(row[2])
		if want := truth.Shops[uint32(id)]; err == nil && (want == nil || row[1] != fmt.Sprint(want.Orders) || value != want.Revenue) {
			err = fmt.Errorf("%w: shop %s has %s orders worth %s, in truth %+v", ErrBooks, row[0], row[1], value, want)
		}
		return err
	})
	if err == nil && shops != len(truth.Shops) {
		err = fmt.Errorf("%w: orders of %d shops, in truth of %d", ErrBooks, shops, len(truth.Shops))
	}
	return err
}
