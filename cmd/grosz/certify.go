package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/certify"
	"github.com/grosz/grosz/bench/check"
	"github.com/grosz/grosz/internal/config"
)

type certifyConfig struct {
	URL           string        `config:"url" help:"the bidder's endpoint" default:"http://127.0.0.1:8080/openrtb2/demo"`
	JSON          bool          `config:"json" help:"print the findings as JSON, each with its request"`
	Verbose       bool          `config:"verbose" help:"print every rule's request, not only of the broken ones"`
	Strict        bool          `config:"strict" help:"fail also if a rule was not seen"`
	Test          bool          `config:"test" help:"mark all requests test: 1, so that nothing is billed"`
	Currency      string        `config:"currency" help:"currency of requests and floors" default:"USD"`
	Timeout       time.Duration `config:"timeout" help:"of one answer" default:"5s"`
	BidsPerImp    int           `config:"bids-per-imp" help:"open bids that one imp may get" default:"1"`
	SecureNotices bool          `config:"secure-notices" help:"want https in nurl, burl and lurl too where imp.secure is 1"`
	Oversize      int           `config:"oversize" help:"length of the body that must be refused with 413, bytes" default:"33554432"`
	Landing       string        `config:"landing" help:"hosts beside adomain to which clicks may lead, comma-separated"`
	NoticesTo     string        `config:"notices-to" help:"base URL that takes the notices in place of the host in the bids; empty: as the bids say"`
	ClickHouse    string        `config:"clickhouse" help:"Grosz's ClickHouse over HTTP, host:port or a URL, to check what was booked; empty: the books are not read"`
	User          string        `config:"clickhouse-user" help:"user of ClickHouse" default:"default"`
	PasswordFile  string        `config:"password-file" help:"file that holds its password, such as DIR/warehouse.key"`
	Exchange      string        `config:"exchange" help:"the exchange's name in the books; empty: the last part of --url"`
	Wait          time.Duration `config:"wait" help:"how long a settlement may take to show in the books" default:"30s"`
}

// runCertify plays an exchange's integration test. It fails when a rule was
// broken, or nothing was bid on.
func runCertify(ctx context.Context, e env, args []string) error {
	var c certifyConfig
	rest, err := config.Load("certify", args, e.environ, &c, e.out)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("grosz certify --url URL: takes no arguments, got %q", rest)
	}
	cfg := certify.Config{
		URL: c.URL, Currency: c.Currency, Timeout: c.Timeout, Test: c.Test, Oversize: c.Oversize, NoticesTo: c.NoticesTo,
		Check:  check.Options{BidsPerImp: c.BidsPerImp, SecureNotices: c.SecureNotices},
		Ledger: certify.LedgerConfig{User: c.User, Exchange: c.Exchange, Wait: c.Wait},
	}
	for h := range strings.SplitSeq(c.Landing, ",") {
		if h = strings.TrimSpace(h); h != "" {
			cfg.Landing = append(cfg.Landing, h)
		}
	}
	cfg.Ledger.URL = c.ClickHouse
	if c.ClickHouse != "" && !strings.Contains(c.ClickHouse, "://") {
		cfg.Ledger.URL = "http://" + c.ClickHouse
	}
	if c.PasswordFile != "" {
		if c.ClickHouse == "" {
			return errors.New("grosz certify: --password-file without --clickhouse")
		}
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return fmt.Errorf("--password-file: %w", err)
		}
		cfg.Ledger.Password = strings.TrimSpace(string(b))
	}
	report, err := certify.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if err := printCertify(e, &c, &report); err != nil {
		return err
	}
	return report.Err(c.Strict)
}

func printCertify(e env, c *certifyConfig, report *certify.Report) error {
	if !c.JSON {
		return report.Print(e.out, c.Verbose)
	}
	b, err := report.JSON()
	if err != nil {
		return err
	}
	if _, err := e.out.Write(b); err != nil {
		return fmt.Errorf("certify: print: %w", err)
	}
	return nil
}
