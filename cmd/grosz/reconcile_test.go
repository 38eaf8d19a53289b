package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bench/storm"
	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/pacing"
	"github.com/grosz/grosz/reporting/warehouse"
)

// settledWorld is a storm's world after the storm: its processes run, and
// thousands of bids are settled, many of them provisionally.
type settledWorld struct {
	t *testing.T
	n *stormNodes
	c stormConfig
}

func newSettledWorld(t *testing.T) *settledWorld {
	t.Helper()
	if _, err := warehouse.FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	w := &settledWorld{t: t, c: stormConfig{Dir: t.TempDir(), Notices: 4000, Real: 100, Seed: 5, Hold: 5 * time.Second}}
	var out bytes.Buffer
	var err error
	w.n, err = newStormNodes(&w.c, env{os.Environ(), &out, &out, slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(w.n.close)
	ctx := context.Background()
	require.NoError(t, w.n.startAll(ctx))
	keys, err := loadKeyring(filepath.Join(w.c.Dir, "a"))
	require.NoError(t, err)
	cfg := storm.Config{Notices: w.c.Notices, Seed: 5, NowMS: time.Now().UnixMilli(), Keys: keys, Nodes: w.n.urls(), RealBids: w.c.Real}
	real, err := storm.Win(ctx, cfg)
	require.NoError(t, err)
	plan, err := storm.New(cfg, real)
	require.NoError(t, err)
	_, err = plan.Send(ctx, nil)
	require.NoError(t, err)
	password, err := warehouse.LoadPassword(w.c.Dir)
	require.NoError(t, err)
	_, err = plan.Check(ctx, storm.Audit{Brokers: w.n.kafka, ClickHouse: w.n.house, Password: password, Wait: kafkatest.Bound, Log: w.n.log})
	require.NoError(t, err)
	return w
}

// rows asks the warehouse and decodes its rows into a slice.
func (w *settledWorld) rows(sql string, into any) {
	w.t.Helper()
	password, err := warehouse.LoadPassword(w.c.Dir)
	require.NoError(w.t, err)
	req, err := http.NewRequest(http.MethodPost, "http://"+w.n.house+"/?default_format=JSON&output_format_json_quote_decimals=1&output_format_json_quote_64bit_integers=0", strings.NewReader(sql))
	require.NoError(w.t, err)
	req.SetBasicAuth("default", password)
	res, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	require.Equal(w.t, 200, res.StatusCode, "%s", b)
	require.NoError(w.t, json.Unmarshal(b, &struct{ Data any }{into}))
}

// one asks for a single text.
func (w *settledWorld) one(sql string) string {
	var rows []struct{ V string }
	w.rows("SELECT toString(("+sql+")) AS v", &rows)
	require.Len(w.t, rows, 1)
	return rows[0].V
}

func (w *settledWorld) reconcile(args ...string) string {
	w.t.Helper()
	var out bytes.Buffer
	err := runReconcile(context.Background(), env{nil, &out, &out, slog.New(slog.DiscardHandler)}, append([]string{
		"--data", w.c.Dir, "--exchanges", filepath.Join(w.c.Dir, "a", "exchanges"), "--kafka", w.n.kafka[0], "--clickhouse", w.n.house, "--exchange", "storm-usd", "--wait", kafkatest.Bound.String(),
	}, args...))
	require.NoError(w.t, err, out.String())
	return out.String()
}

func (w *settledWorld) write(name, text string) string {
	path := filepath.Join(w.t.TempDir(), name)
	require.NoError(w.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

type settledBid struct {
	Bid, Status, BidPrice, Amount string
}

func (w *settledWorld) settled() []settledBid {
	var rows []settledBid
	w.rows("SELECT lower(hex(bid)) AS Bid, price_status AS Status, bid_price AS BidPrice, amount AS Amount FROM grosz.settlements WHERE exchange = 'storm-usd' ORDER BY bid", &rows)
	return rows
}

// TestAReportAndACreditCorrectTheBooks: an exchange's month, from provisional
// bookings to its invoice and its credit note, in every book.
func TestAReportAndACreditCorrectTheBooks(t *testing.T) {
	w := newSettledWorld(t)
	// The exchange bills half of each bid whose price could not be read, and
	// what its notices said of the others.
	bids := w.settled()
	var report strings.Builder
	report.WriteString("Auction Bid ID;Net CPM;Cur\n")
	var invoice money.Nano
	provisional := 0
	for _, b := range bids {
		price, err := money.ParseCPM(b.BidPrice)
		require.NoError(t, err)
		paid, err := money.ParseNano(b.Amount)
		require.NoError(t, err)
		if b.Status != "ok" && b.Status != "above_bid" {
			paid = price.PerImpression() / 2
			provisional++
		}
		invoice += paid
		fmt.Fprintf(&report, "%s;%s;USD\n", b.Bid, strings.Replace(money.CPM(paid).String(), ".", ",", 1))
	}
	require.Greater(t, provisional, 20)
	file := filepath.Join(w.c.Dir, "a", "exchanges", "storm-usd.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append(text, "report: {delimiter: ';', decimal_comma: true, bid_id: Auction Bid ID, price: Net CPM, currency: Cur}\n"...), 0o600))
	path := w.write("march.csv", report.String())

	quiet := w.busyLog()
	require.Contains(t, w.reconcile("--report", path, "--dry-run"), "nothing was booked", "the log of a living system always grows")
	quiet()
	require.Equal(t, "0", w.one("SELECT count() FROM grosz.adjustments"))
	out := w.reconcile("--report", path)
	t.Log(out)
	require.Regexp(t, fmt.Sprintf(`corrected +%d `, provisional), out)
	require.NotRegexp(t, `unknown|drift|missing|twice`, out)
	check := func(sum money.Nano) {
		t.Helper()
		want := decimal(sum.String())
		require.Equal(t, want, decimal(w.one("SELECT sum(amount) FROM grosz.settlements WHERE exchange = 'storm-usd'")))
		require.Equal(t, want, decimal(w.one("SELECT sum(spend) FROM grosz.cost_per_order WHERE exchange = 'storm-usd'")))
		require.Equal(t, w.one("SELECT sum(shop_amount) FROM grosz.settlements"), w.one("SELECT sum(shop_spend) FROM grosz.cost_per_order"))
		require.Equal(t, w.one("SELECT sum(shop_fee) FROM grosz.settlements"), w.one("SELECT sum(shop_fee) FROM grosz.cost_per_order"))
	}
	check(invoice)
	require.Equal(t, fmt.Sprint(provisional), w.one("SELECT count() FROM grosz.adjustments WHERE kind = 'report' AND reference = 'march.csv'"))
	require.Regexp(t, fmt.Sprintf(`matched +%d `, len(bids)), w.reconcile("--report", path), "the second time everything matches")
	check(invoice)

	// A credit for five of them, of one in two parts, and of a bid of nobody's.
	now := w.settled()
	credit := "bid_id,amount,currency,reference,reason\n"
	var back money.Nano
	for _, b := range now[:5] {
		n, err := money.ParseNano(b.Amount)
		require.NoError(t, err)
		back += n
		credit += b.Bid + ",,USD,ivt-3,bots\n"
	}
	credit += strings.Repeat("a", 32) + ",,USD,ivt-3,bots\n"
	credits := w.write("credit.csv", credit)
	require.Contains(t, w.reconcile("--clawbacks", "--report", credits), "5 booked, -"+back.String()+" USD")
	check(invoice - back)
	require.Contains(t, w.reconcile("--clawbacks", "--report", credits), "0 booked, -; 5 were booked before")
	check(invoice - back)
	require.Equal(t, "5", w.one("SELECT count() FROM grosz.adjustments WHERE kind = 'clawback' AND reference = 'ivt-3' AND reason = 'clawback: bots'"))
	require.Equal(t, "0", w.one("SELECT count() FROM grosz.settlements WHERE clawed_back < 0 AND (amount != 0 OR shop_amount != 0 OR shop_fee != 0)"))
	require.Regexp(t, fmt.Sprintf(`matched +%d `, len(bids)), w.reconcile("--report", path), "a credit is no drift")
	w.booksFollow()
}

// booksFollow compares the bidders' books with the settlements, after a kill.
func (w *settledWorld) booksFollow() {
	w.t.Helper()
	for _, node := range w.n.bidders() {
		require.NoError(w.t, node.kill())
		require.NoError(w.t, node.start())
		require.NoError(w.t, w.n.ready(context.Background(), node))
		node.stop()
		f, err := os.Open(filepath.Join(w.c.Dir, node.name, "bidder", "book.snap"))
		require.NoError(w.t, err)
		info, err := f.Stat()
		require.NoError(w.t, err)
		whole, err := pacing.OpenSealed(f, info.Size())
		require.NoError(w.t, err)
		book := pacing.NewBook(pacing.Config{})
		_, err = book.Restore(whole)
		require.NoError(w.t, err)
		require.NoError(w.t, f.Close())
		var rows []struct {
			Campaign uint32
			Cost     string
		}
		w.rows("SELECT campaign AS Campaign, toString(sum(shop_amount + shop_fee)) AS Cost FROM grosz.settlements GROUP BY campaign", &rows)
		require.NotEmpty(w.t, rows)
		for _, r := range rows {
			require.Equal(w.t, decimal(r.Cost), decimal(book.Account(r.Campaign).State(0).Settled.String()), "campaign %d in node %s", r.Campaign, node.name)
		}
	}
}

func TestReconcileSaysWhatIsWrong(t *testing.T) {
	_, err := runRole(t, "reconcile", "--clawbacks", "--book-drift")
	require.ErrorContains(t, err, "--exchange NAME and --report FILE are needed")
	require.ErrorContains(t, err, "--clawbacks is read without --book-drift")
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "exchanges"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "exchanges", "x.yaml"), []byte("name: x\nreport: {delimiter: ab, price_units: cents}\n"), 0o600))
	_, err = runRole(t, "reconcile", "--data", dir, "--exchange", "x", "--report", "r.csv")
	require.ErrorContains(t, err, `report.delimiter "ab"`)
	require.ErrorContains(t, err, `report.price_units "cents"`)
}
