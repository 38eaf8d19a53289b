package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/grosz/grosz/console"
	"github.com/grosz/grosz/internal/config"
	"github.com/grosz/grosz/internal/money"
)

type forecastConfig struct {
	Console    string        `config:"console" help:"the console's listener, HOST:PORT or a URL" default:"127.0.0.1:8090"`
	Dir        string        `config:"data" help:"directory of all data; the key is in DIR/admin.key" default:"./data"`
	KeyFile    string        `config:"key-file" help:"file that holds the key, the administrator's or the shop's; default DIR/admin.key"`
	Shop       int           `config:"shop" help:"the shop" default:"1"`
	Campaign   int           `config:"campaign" help:"a campaign that exists; the file then holds what is to change of it; 0 is none" default:"0"`
	Budget     float64       `config:"budget" help:"budget for all of the days, in the shop's currency; 0 is the campaign's own" default:"0"`
	Days       int           `config:"days" help:"days to forecast" default:"30"`
	Visits     float64       `config:"visits" help:"of a shop without our pixel: visits in a month" default:"0"`
	Conversion float64       `config:"conversion-rate" help:"of a shop without our pixel: orders by visits, such as 0.012" default:"0"`
	Basket     float64       `config:"basket" help:"of a shop without our pixel: what an order is worth" default:"0"`
	JSON       bool          `config:"json" help:"print the console's JSON as it came"`
	Timeout    time.Duration `config:"timeout" help:"of the console's answer" default:"30s"`
}

// Arguments names what stands behind the flags.
func (c *forecastConfig) Arguments() string { return "[FILE]" }

// Validate lists what is wrong.
func (c *forecastConfig) Validate() error {
	var errs []error
	if c.Shop < 1 || c.Campaign < 0 || c.Days < 1 || c.Timeout <= 0 || c.Budget < 0 || c.Budget > math.MaxInt64/1e7 {
		errs = append(errs, errors.New("--shop, --days and --timeout must be above zero, --campaign and --budget not negative"))
	}
	if !strings.Contains(c.Console, "://") {
		c.Console = "http://" + c.Console
	}
	if u, err := url.Parse(c.Console); err != nil || u.Host == "" {
		errs = append(errs, fmt.Errorf("--console %q: HOST:PORT or a URL", c.Console))
	}
	if c.KeyFile == "" {
		c.KeyFile = filepath.Join(c.Dir, "admin.key")
	}
	return errors.Join(errs...)
}

// runForecast asks the console what a campaign would bring: the document in a
// file or on standard input, or one that exists.
func runForecast(ctx context.Context, e env, args []string) error {
	var c forecastConfig
	rest, err := config.Load("forecast", args, e.environ, &c, e.out)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return fmt.Errorf("the key of the console: %w; --data or --key-file says where it is", err)
	}
	question := map[string]any{"days": c.Days}
	switch {
	case len(rest) > 1:
		return fmt.Errorf("grosz forecast [FILE]: one campaign at a time, got %d files", len(rest))
	case len(rest) == 1:
		var text []byte
		if rest[0] == "-" {
			text, err = io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
		} else {
			text, err = os.ReadFile(rest[0])
		}
		if err != nil {
			return fmt.Errorf("read the campaign: %w", err)
		}
		if !json.Valid(text) {
			return fmt.Errorf("the campaign in %s is not JSON", rest[0])
		}
		question["campaign"] = json.RawMessage(text)
	}
	if c.Campaign > 0 {
		question["campaign_id"] = c.Campaign
	}
	if c.Budget > 0 {
		question["budget_micros"] = int64(math.Round(c.Budget * 1e6))
	}
	if c.Visits > 0 || c.Conversion > 0 {
		question["figures"] = map[string]any{"visits": c.Visits, "conversion_rate": c.Conversion, "basket": c.Basket}
	}
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("ask for a forecast: %w", err)
	}
	ask := asking{base: strings.TrimSuffix(c.Console, "/"), key: strings.TrimSpace(string(key)), client: &http.Client{Timeout: c.Timeout}}
	answer, err := ask.do(ctx, http.MethodPost, fmt.Sprintf("/api/v1/shops/%d/forecast", c.Shop), body)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.out, answer)
	}
	var f console.Forecast
	if err := json.Unmarshal(answer, &f); err != nil {
		return fmt.Errorf("the console's forecast: %w", err)
	}
	return printForecast(e.out, &f)
}

func printForecast(out io.Writer, f *console.Forecast) error {
	fmt.Fprintf(out, "%s\n%s\n\n", f.Words.EN, f.Words.PL)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d days, by %s\tlow\tmiddle\thigh\n", f.Days, f.Basis)
	for _, r := range []struct {
		name string
		r    console.Range
	}{{"reach", f.Reach}, {"impressions", f.Impressions}, {"clicks", f.Clicks}, {"orders", f.Orders}} {
		fmt.Fprintf(w, "%s\t%.0f\t%s\t%.0f\n", r.name, r.r.Low, strconv.FormatFloat(r.r.Mid, 'f', -1, 64), r.r.High)
	}
	some := func(n *money.Nano) string {
		if n == nil {
			return "?"
		}
		return n.String()
	}
	for _, r := range []struct {
		name string
		r    console.MoneyRange
	}{{"cost, " + f.Currency, f.Cost}, {"cost per order", f.CostPerOrder}} {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.name, some(r.r.Low), some(r.r.Mid), some(r.r.High))
	}
	fmt.Fprintf(w, "\nbudget\torders\tcost per order\n")
	for _, p := range f.Curve {
		fmt.Fprintf(w, "%s\t%.1f\t%s\n", p.Budget, p.Orders, some(p.CostPerOrder))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the forecast: %w", err)
	}
	_, err := fmt.Fprintf(out, "\nlimited by: %s; it rests on %d bids of %.1f days\n", strings.Join(f.Limits, ", "), f.Bids, f.SampleDays)
	return err //nolint:wrapcheck // of the output
}
