package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/grosz/grosz/bidder"
	"github.com/grosz/grosz/bidder/traffic"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/events/kafka"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/internal/money"
	"github.com/grosz/grosz/reporting/reconcile"
)

type reconcileConfig struct {
	kafkaNet
	clickhouse
	Dir         string        `config:"data" help:"directory of all data, for the exchange files and the embedded warehouse's password" default:"./data"`
	Exchanges   string        `config:"exchanges" help:"directory of exchange files (*.yaml); default DIR/exchanges"`
	Exchange    string        `config:"exchange" help:"name of the exchange whose report it is"`
	Report      string        `config:"report" help:"the report: a CSV file with a head"`
	Clawbacks   bool          `config:"clawbacks" help:"the report lists what the exchange credits for invalid traffic"`
	Kafka       []string      `config:"kafka" help:"Kafka brokers, host:port, comma separated" default:"127.0.0.1:9092"`
	DryRun      bool          `config:"dry-run" help:"list only, book nothing"`
	Drift       bool          `config:"book-drift" help:"also correct what a readable price had settled"`
	Missing     bool          `config:"book-missing" help:"also settle bids of ours that no notice settled"`
	Columns     []string      `config:"columns" help:"names of the report's columns, FIELD=NAME, in place of the exchange file's"`
	Delimiter   string        `config:"delimiter" help:"character between the fields, in place of the exchange file's"`
	From        string        `config:"from" help:"first day (UTC) of the bids that the report should have; default its first"`
	To          string        `config:"to" help:"last day (UTC) of them; default its last"`
	Differences string        `config:"differences" help:"file for every difference, CSV; - is the standard output"`
	Show        int           `config:"show" help:"differences printed" default:"20"`
	Wait        time.Duration `config:"wait" help:"how long ClickHouse may take to be level with the log" default:"30s"`
}

func (c *reconcileConfig) Validate() error {
	var errs []error
	if c.Exchange == "" || c.Report == "" {
		errs = append(errs, errors.New("--exchange NAME and --report FILE are needed"))
	}
	if c.Exchanges == "" {
		c.Exchanges = filepath.Join(c.Dir, "exchanges")
	}
	if c.Clawbacks && (c.Drift || c.Missing || len(c.Columns) > 0 || c.Delimiter != "" || c.From != "" || c.To != "") {
		errs = append(errs, errors.New("--clawbacks is read without --book-drift, --book-missing, --columns, --delimiter, --from and --to"))
	}
	return errors.Join(append(errs, c.kafkaNet.check(c.Kafka))...)
}

// reconciler is what both kinds of report need.
type reconciler struct {
	cfg   *reconcileConfig
	env   env
	kafka kafka.Cluster
	books *reconcile.Books
	w     *kafkago.Writer
	now   int64
}

// runReconcile holds an exchange's report against the books and books what it
// corrects. Run twice, it books nothing the second time.
func runReconcile(ctx context.Context, e env, args []string) error {
	var c reconcileConfig
	if _, err := config.Load("reconcile", args, e.environ, &c, e.out); err != nil {
		return err
	}
	x, err := exchangeFile(c.Exchanges, c.Exchange)
	if err != nil {
		return err
	}
	brokers, err := c.cluster(c.Kafka)
	if err != nil {
		return err
	}
	conn, err := c.server(c.Dir).Open()
	if err != nil {
		return err
	}
	r := &reconciler{cfg: &c, env: e, kafka: brokers, books: &reconcile.Books{Conn: conn}, now: time.Now().UnixMilli()}
	if !c.DryRun {
		r.w = brokers.NewWriter(e.log)
	}
	// The books must show what was booked before, or it would be booked again.
	if err = r.level(ctx); err == nil {
		err = r.books.LoadShops(ctx)
	}
	if err == nil && c.Clawbacks {
		err = r.clawbacks(ctx)
	} else if err == nil {
		err = r.report(ctx, x)
	}
	if err == nil && !c.DryRun {
		err = r.level(ctx)
	}
	if r.w != nil {
		err = errors.Join(err, r.w.Close())
	}
	return errors.Join(err, conn.Close())
}

// exchangeFile finds an exchange by its name.
func exchangeFile(dir, name string) (*bidder.Exchange, error) {
	all, err := loadExchanges(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, x := range all {
		if x.Name == name {
			return x, nil
		}
		names = append(names, x.Name)
	}
	return nil, fmt.Errorf("--exchange %s: no file in %s is of it; there are %s", name, dir, strings.Join(names, ", "))
}

// book writes events to the log; it returns when Kafka has them.
func (r *reconciler) book(ctx context.Context, list []events.Event) error {
	keys, lines := make([][]byte, len(list)), make([][]byte, len(list))
	for i := range list {
		// The budget of the bid's own day gets it.
		if d, err := time.Parse(time.DateOnly, r.books.Day(list[i].ShopID, list[i].BidMS)); err == nil {
			list[i].BidDay = int32(d.Unix() / (24 * 60 * 60))
		}
		keys[i], lines[i] = events.ShopKey(list[i].ShopID), list[i].AppendJSON(nil)
	}
	return kafka.WriteEvents(ctx, r.w, events.TopicEvents, keys, lines)
}

// columns joins the exchange file's and the flags'.
func (r *reconciler) columns(x *bidder.Exchange) (reconcile.Columns, error) {
	f := x.Report()
	cols := reconcile.Columns{
		Delimiter: f.Delimiter, DecimalComma: f.DecimalComma, BidID: f.BidID, RequestID: f.RequestID, ImpID: f.ImpID,
		Price: f.Price, Amount: f.Amount, Currency: f.Currency, Type: f.Type, PriceMicros: f.PriceUnits == "micros", BilledTypes: f.BilledTypes,
	}
	if r.cfg.Delimiter != "" {
		cols.Delimiter = r.cfg.Delimiter
	}
	for _, c := range r.cfg.Columns {
		field, name, ok := strings.Cut(c, "=")
		if !ok {
			return cols, fmt.Errorf("--columns %q: FIELD=NAME", c)
		}
		if err := cols.Set(strings.TrimSpace(field), strings.TrimSpace(name)); err != nil {
			return cols, fmt.Errorf("--columns: %w", err)
		}
	}
	return cols, nil
}

// report is the exchange's report of what it bills.
func (r *reconciler) report(ctx context.Context, x *bidder.Exchange) error {
	c := r.cfg
	cols, err := r.columns(x)
	if err != nil {
		return err
	}
	cfg := reconcile.Config{
		Exchange: c.Exchange, Columns: cols, Rules: reconcile.Rules{Drift: c.Drift, Missing: c.Missing}, Books: r.books,
		SettleType: x.SettleType, Fee: r.books.Fee, NowMS: r.now, Day: r.day, Node: "reconcile", Reference: filepath.Base(c.Report),
	}
	if cfg.FromMS, err = dayMS("from", c.From, 0); err != nil {
		return err
	}
	if cfg.ToMS, err = dayMS("to", c.To, 1); err != nil {
		return err
	}
	if c.From != "" && c.To == "" {
		cfg.ToMS = r.now
	}
	if !c.DryRun {
		cfg.Book = r.book
	}
	out, err := newDifferences(c, r.env.out)
	if err != nil {
		return err
	}
	cfg.Found = out.add
	f, err := os.Open(c.Report)
	if err != nil {
		return errors.Join(fmt.Errorf("--report: %w", err), out.close())
	}
	sum, err := reconcile.Run(ctx, f, cfg)
	err = errors.Join(err, f.Close(), out.close())
	if sum.Lines > 0 || err == nil {
		printReconcile(r.env.out, &sum, c)
	}
	if err == nil && !c.DryRun {
		err = r.tellNotices(ctx, &sum, cfg.Reference)
	}
	if err == nil {
		err = r.books.Note(ctx, &sum, reconcile.Reading{Exchange: c.Exchange, Reference: cfg.Reference, AtMS: r.now, DryRun: c.DryRun})
	}
	return err
}

// tellNotices tells the bidders how many of the billed bids no notice had told
// of: their plans keep as much free.
func (r *reconciler) tellNotices(ctx context.Context, sum *reconcile.Summary, reference string) error {
	if sum.Billed == 0 {
		return nil
	}
	e := events.Event{
		EventID: events.NamedID(0, "notices", r.cfg.Exchange+"/"+reference), Type: events.TypeNotices, TimeMS: r.now, BidMS: sum.SinceMS,
		Exchange: r.cfg.Exchange, Count: int64(sum.Billed), W: sum.Silent, Node: "reconcile",
	}
	err := kafka.WriteEvents(ctx, r.w, events.TopicEvents, [][]byte{events.ShopKey(0)}, [][]byte{e.AppendJSON(nil)})
	if err != nil {
		return fmt.Errorf("tell the bidders how many notices are missing: %w", err)
	}
	fmt.Fprintf(r.env.out, "no notice had told of %d of %d billed bids\n", sum.Silent, sum.Billed)
	return nil
}

func (r *reconciler) day(shop uint32) string { return r.books.Day(shop, r.now) }

// dayMS reads a day of a flag, plus some.
func dayMS(flag, s string, plus int) (int64, error) {
	if s == "" {
		return 0, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("--%s %q: a day such as 2026-03-31", flag, s)
	}
	return t.AddDate(0, 0, plus).UnixMilli(), nil
}

// differences prints the first findings and writes all of them to a file.
type differences struct {
	screen io.Writer
	left   int
	file   io.Closer
	csv    *csv.Writer
}

func newDifferences(c *reconcileConfig, screen io.Writer) (*differences, error) {
	d := &differences{screen: screen, left: c.Show}
	switch c.Differences {
	case "":
		return d, nil
	case "-":
		d.csv, d.left = csv.NewWriter(screen), 0
	default:
		f, err := os.OpenFile(c.Differences, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("--differences: %w", err)
		}
		d.file, d.csv = f, csv.NewWriter(f)
	}
	return d, d.csv.Write([]string{"line", "kind", "bid", "currency", "booked", "reported", "change", "note"})
}

func (d *differences) add(f reconcile.Finding) error {
	row := []string{strconv.Itoa(f.Line), string(f.Kind), f.BidID.String(), f.Currency.String(), f.BookedAmount.String(), f.Reported.String(), f.Change.String(), f.Note}
	if f.Line == 0 {
		row[0] = ""
	}
	if f.BidID.IsZero() {
		row[2] = ""
	}
	if d.left > 0 {
		d.left--
		fmt.Fprintf(d.screen, "  line %-6s %-14s %s %s booked %s, reported %s, changed by %s %s\n", row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7])
	}
	if d.csv == nil {
		return nil
	}
	if err := d.csv.Write(row); err != nil {
		return fmt.Errorf("--differences: %w", err)
	}
	return nil
}

func (d *differences) close() error {
	if d.csv == nil {
		return nil
	}
	d.csv.Flush()
	err := d.csv.Error()
	if d.file != nil {
		err = errors.Join(err, d.file.Close())
	}
	return err
}

// printReconcile prints the totals of each kind.
func printReconcile(w io.Writer, s *reconcile.Summary, c *reconcileConfig) {
	fmt.Fprintf(w, "%d lines of %s read, %d of types that are not billed passed over\n", s.Lines, c.Exchange, s.Skipped)
	if s.ToMS > s.FromMS {
		at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05") }
		fmt.Fprintf(w, "bids made from %s to %s UTC\n", at(s.FromMS), at(s.ToMS))
	}
	fmt.Fprintf(w, "%-14s %8s  %-28s %-28s %s\n", "", "lines", "booked before", "reported", "changed by")
	for _, k := range reconcile.Kinds() {
		if t := s.Kinds[k]; t != nil {
			fmt.Fprintf(w, "%-14s %8d  %-28s %-28s %s\n", k, t.Count, amounts(t.Booked), amounts(t.Reported), amounts(t.Change))
		}
	}
	if c.DryRun {
		fmt.Fprintln(w, "nothing was booked: --dry-run")
	}
}

// amounts lists sums by currency.
func amounts(m map[money.Currency]money.Nano) string {
	var out []string
	for cur, n := range m {
		out = append(out, n.String()+" "+cur.String())
	}
	if len(out) == 0 {
		return "-"
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// clawbacks books what the exchange credits for invalid traffic. The report is
// read twice: to see which bids it names, and to book.
func (r *reconciler) clawbacks(ctx context.Context) error {
	named := make(map[events.ID]struct{})
	cfg := traffic.ClawbackConfig{
		Exchange: r.cfg.Exchange, NowMS: r.now, Node: "reconcile", Day: r.day,
		Find: func(_ context.Context, bid events.ID) (traffic.Settled, bool, error) {
			named[bid] = struct{}{}
			return traffic.Settled{}, false, nil
		},
	}
	if _, err := r.readClawbacks(ctx, cfg, nil); err != nil {
		return err
	}
	ids := make([]events.ID, 0, len(named))
	for id := range named {
		ids = append(ids, id)
	}
	known, err := r.books.Entries(ctx, ids)
	if err != nil {
		return err
	}
	cfg.Find = func(_ context.Context, bid events.ID) (traffic.Settled, bool, error) {
		b := known[bid]
		if b == nil || !b.Settled {
			return traffic.Settled{}, false, nil
		}
		return settledOf(b), true, nil
	}
	var due []events.Event
	sum, err := r.readClawbacks(ctx, cfg, func(e *events.Event) error {
		if due = append(due, *e); len(due) < 4000 || r.cfg.DryRun {
			return nil
		}
		defer func() { due = due[:0] }()
		return r.book(ctx, due)
	})
	if err == nil && !r.cfg.DryRun && len(due) > 0 {
		err = r.book(ctx, due)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(r.env.out, "clawbacks of %s: %d booked, %s; %d were booked before, %d name bids that were never settled, %d lines are wrong\n",
		r.cfg.Exchange, sum.Booked, amounts(sum.Amount), sum.Known, sum.Unknown, sum.Bad)
	for i, err := range sum.BadLines {
		if i < r.cfg.Show {
			fmt.Fprintln(r.env.out, " ", err)
		}
	}
	if r.cfg.DryRun {
		fmt.Fprintln(r.env.out, "nothing was booked: --dry-run")
	}
	return nil
}

func (r *reconciler) readClawbacks(ctx context.Context, cfg traffic.ClawbackConfig, book func(*events.Event) error) (traffic.ClawbackSummary, error) {
	f, err := os.Open(r.cfg.Report)
	if err != nil {
		return traffic.ClawbackSummary{}, fmt.Errorf("--report: %w", err)
	}
	sum, err := traffic.ReadClawbacks(ctx, f, cfg, book)
	return sum, errors.Join(err, f.Close())
}

// settledOf is a bid as the reading of clawbacks wants it: what it costs by
// now. Earlier credits are in that already, so that whatever is credited whole
// leaves nothing, not even of a rounding.
func settledOf(b *reconcile.Entry) traffic.Settled {
	now := b.Now()
	return traffic.Settled{
		Event: events.Event{
			BidID: b.BidID, BidMS: b.BidMS, ShopID: b.Shop, CampaignID: b.Campaign, CreativeID: b.Creative, Exchange: b.Exchange, Media: b.Media,
			BidPrice: b.BidPrice, Currency: b.Currency, ShopCurrency: b.ShopCurrency, Rate: b.Rate, ClickPrice: b.ClickPrice,
			Amount: now.Amount, ShopAmount: now.Shop, ShopFee: now.Fee,
		},
		References: b.CreditedRefs,
	}
}
