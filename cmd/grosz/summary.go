package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/grosz/grosz/reporting/warehouse"
)

// summary is what a person sees in the terminal: what moves, read from where
// an analyst would read it.
type summary struct {
	cfg     *upConfig
	out     io.Writer
	s       *supervisor
	last    map[string]float64
	lastAt  time.Time
	started time.Time
	lines   int
}

// The summary comes every two seconds, and rarer where asking takes long: it is
// not to take more than a tenth of a processor.
const (
	summaryEvery = 2 * time.Second
	summaryRest  = 9 // times as long as the last one took
	summaryMost  = time.Minute
)

// summaryRow is a campaign's line.
type summaryRow struct {
	Shop     string `json:"shop_name"`
	Campaign string `json:"campaign_name"`
	Exchange string `json:"exchange"`
	Currency string `json:"currency"`
	Bids     string `json:"bids"`
	Wins     string `json:"wins"`
	Clicks   string `json:"clicks"`
	Spend    string `json:"spend"`
	Orders   string `json:"orders"`
	CPO      string `json:"cost_per_order"`
}

const summaryQuery = `SELECT r.shop_name AS shop_name, r.campaign_name AS campaign_name, r.exchange AS exchange, r.currency AS currency,
 toString(sum(r.bids)) AS bids, toString(sum(r.wins)) AS wins, toString(sum(r.clicks)) AS clicks,
 toDecimalString(sum(r.spend), 2) AS spend, toString(sum(r.orders)) AS orders,
 if(sum(r.orders) = 0, '-', toDecimalString(sum(r.spend) / sum(r.orders), 2)) AS cost_per_order
FROM grosz.cost_per_order AS r
GROUP BY r.shop, r.campaign, r.shop_name, r.campaign_name, r.exchange, r.currency
ORDER BY sum(r.shop_spend) DESC LIMIT 15 FORMAT JSONEachRow`

// run prints the addresses once everything answers, then the summary until
// ctx ends.
func (s *summary) run(ctx context.Context) error {
	s.started = time.Now()
	fmt.Fprintln(s.out, "Grosz is starting; logs are in", s.cfg.Dir+"/logs")
	if !s.waitReady(ctx) {
		return nil
	}
	s.addresses()
	for {
		start := time.Now()
		s.print(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(max(summaryEvery, summaryRest*time.Since(start)), summaryMost)):
		}
	}
}

func (s *summary) waitReady(ctx context.Context) bool {
	said := time.Now()
	for {
		missing := ""
		for name, u := range map[string]string{"bidder": "http://" + s.cfg.Bidder + "/readyz", "console": "http://" + s.cfg.Console + "/healthz"} {
			if !answers(ctx, u) {
				missing = name
			}
		}
		if missing == "" {
			return true
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			fmt.Fprintf(s.out, "waiting for the %s; its log is %s\n", missing, s.s.logPath(missing))
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func answers(ctx context.Context, u string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (s *summary) addresses() {
	c := s.cfg
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nReady after %s.\n", time.Since(s.started).Round(100*time.Millisecond))
	fmt.Fprintf(w, "  bid requests\tPOST http://%s/openrtb2/{exchange}\n", c.Bidder)
	fmt.Fprintf(w, "  marketers' API\thttp://%s/ (first key: %s/admin.key)\n", c.Console, c.Dir)
	if c.Click == "" {
		fmt.Fprintf(w, "  ClickHouse\thttp://%s/ (user default, password: %s)\n", c.Warehouse, warehouse.PasswordFile(c.Dir))
	}
	fmt.Fprintf(w, "  metrics\thttp://%s/metrics\n", c.Metrics)
	if c.Demo {
		fmt.Fprintf(w, "  demo shops\thttp://%s/\n", c.Shop)
		fmt.Fprintf(w, "  their ads, for you\thttp://%s/kurier/ (docs/marketer.md has the tour)\n", c.Shop)
	}
	fmt.Fprint(w, "  stop with\tCtrl-C\n\n")
	_ = w.Flush()
}

// print writes one summary over the one before.
func (s *summary) print(ctx context.Context) {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, s.traffic(ctx))
	rows, err := s.rows(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil && time.Since(s.started) < 15*time.Second:
		fmt.Fprintln(&buf, "results appear in a moment: the tables are being made")
	case err != nil:
		fmt.Fprintf(&buf, "results are not to be had yet: %v\n", firstLine(err))
	case len(rows) == 0:
		fmt.Fprintln(&buf, "no bids yet: send a request to /openrtb2/{exchange}, see docs/exchanges.md")
	default:
		w := tabwriter.NewWriter(&buf, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "shop\tcampaign\texchange\tbids\twins\tclicks\torders\tspend\tcost per order\t")
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s %s\t%s\t\n", clipTo(r.Shop, 16), clipTo(r.Campaign, 26), r.Exchange, r.Bids, r.Wins, r.Clicks, r.Orders, r.Spend, r.Currency, r.CPO)
		}
		_ = w.Flush()
	}
	if !s.cfg.Plain && s.lines > 0 && isTerminal(s.out) {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.lines)
	}
	s.lines = bytes.Count(buf.Bytes(), []byte{'\n'})
	_, _ = s.out.Write(buf.Bytes())
}

func clipTo(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return clipTo(line, 140)
}

// traffic is the bidder's own line.
func (s *summary) traffic(ctx context.Context) string {
	now := time.Now()
	m, err := scrape(ctx, "http://"+s.cfg.Metrics+"/metrics")
	if err != nil {
		return fmt.Sprintf("%s  the bidder does not answer: %v", now.Format(time.TimeOnly), firstLine(err))
	}
	rate := func(name string) float64 {
		if s.last == nil {
			return 0
		}
		before := s.last[name]
		if m[name] < before {
			before = 0 // a new process counts from the beginning
		}
		return (m[name] - before) / now.Sub(s.lastAt).Seconds()
	}
	line := fmt.Sprintf("%s  %.0f requests/s, %.0f bids/s, %.0f notices/s; %.0f profiles; spool backlog %.0f bytes; restarts %d",
		now.Format(time.TimeOnly), rate("grosz_bid_requests_total"), rate("grosz_bid_responses_total"), rate("grosz_notices_total"),
		m["grosz_profiles"], m["grosz_spool_backlog_bytes"], s.s.restarts())
	s.last, s.lastAt = m, now
	return line
}

// scrape sums a metrics page by name, over all labels.
func scrape(ctx context.Context, u string) (map[string]float64, error) {
	b, err := fetch(ctx, u, "")
	if err != nil {
		return nil, err
	}
	sum := make(map[string]float64)
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			name, _, _ = strings.Cut(name, "{")
			sum[name] += v
		}
	}
	return sum, lines.Err()
}

// rows asks ClickHouse, as an analyst would, where it is the embedded one or
// speaks HTTP.
func (s *summary) rows(ctx context.Context) ([]summaryRow, error) {
	addr := s.cfg.Warehouse
	var password string
	if s.cfg.Click != "" {
		addr, password = s.cfg.Click, os.Getenv("GROSZ_CLICKHOUSE_PASSWORD")
		if s.cfg.Protocol != "http" || s.cfg.tls() != nil || strings.Contains(addr, ",") {
			return nil, fmt.Errorf("ask ClickHouse at %s", addr)
		}
	} else {
		p, err := warehouse.LoadPassword(s.cfg.Dir)
		if err != nil {
			return nil, err
		}
		password = p
	}
	b, err := fetch(ctx, "http://"+addr+"/?query="+url.QueryEscape(summaryQuery), password)
	if err != nil {
		return nil, err
	}
	var rows []summaryRow
	dec := json.NewDecoder(bytes.NewReader(b))
	for dec.More() {
		var r summaryRow
		if err := dec.Decode(&r); err != nil {
			return nil, fmt.Errorf("read the summary: %w", err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

const maxPage = 8 << 20

func fetch(ctx context.Context, u, password string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	if password != "" {
		req.SetBasicAuth("default", password)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", res.Status, clipTo(string(b), 200))
	}
	return b, nil
}

// isTerminal tells whether the cursor may be moved.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// post sends JSON and returns the status.
func post(ctx context.Context, u, body string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxPage))
	return res.StatusCode, nil
}
