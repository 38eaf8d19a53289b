package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/grosz/grosz/bench/chaos"
	"github.com/grosz/grosz/internal/money"
)

const (
	// smallBudget is what a campaign may spend that wins all it can: some 25
	// impressions, so that it is used up within a minute, amid the faults.
	smallBudget money.Nano = money.NanoUnit / 2
	// smallUsed of it must be billed at least, or nothing was put to the test:
	// the rest may be less than a bid.
	smallUsed = smallBudget * 4 / 5
	// smallWait is how long that may take: the probes' bids are never billed,
	// and hold their part for the demo exchange's five minutes.
	smallWait = 12 * time.Minute
	// smallEvery is after how many faults there is another one.
	smallEvery = 8
)

// smallBudget adds a campaign with a small budget, as a marketer would. Every
// other one is for all pages but the probes', whose bids are never billed: it is
// used up soon, amid the faults. The others have most of their money in bids
// that are not won, and use it up when those are let go.
func (s *chaosStack) smallBudget(ctx context.Context, books *chaos.Books) error {
	key, err := os.ReadFile(filepath.Join(s.cfg.Dir, "admin.key"))
	if err != nil {
		return fmt.Errorf("read the admin key: %w", err)
	}
	targeting := ""
	if len(s.small)%2 == 0 {
		targeting = fmt.Sprintf("domain != %q", chaos.ProbeDomain)
	}
	body := fmt.Sprintf(`{"name": "Small budget", "kind": "interest", "status": "active", "targeting": %q, "bid": {"cpm": "35"}, "budget": {"total": "0.5"},
		"creatives": [{"media": "banner", "title": "Small", "cta": "Look"}, {"media": "native", "title": "Small", "body": "Small", "cta": "Look"}]}`, targeting)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.console+"/api/v1/shops/1/campaigns", bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("make a campaign: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil || res.StatusCode/100 != 2 {
		return errors.Join(err, fmt.Errorf("make a campaign: %s: %s", res.Status, text))
	}
	var made struct{ ID uint32 }
	if err := json.Unmarshal(text, &made); err != nil {
		return fmt.Errorf("make a campaign: %w", err)
	}
	s.small = append(s.small, made.ID)
	books.Budgets[made.ID] = smallBudget
	return nil
}

// nextSmall adds another one after every few faults.
func (s *chaosStack) nextSmall(ctx context.Context, books *chaos.Books) error {
	if s.played++; s.played%smallEvery != 0 {
		return nil
	}
	return s.oneMore(ctx, books)
}

// oneMore adds one; the console may have been killed just now.
func (s *chaosStack) oneMore(ctx context.Context, books *chaos.Books) error {
	return chaos.Insist(ctx, s.cfg.Recover, func(ctx context.Context) error { return s.smallBudget(ctx, books) })
}

// usedUp waits until one of the small budgets is used up. That of another may
// take longer: what a bidder had leased that was killed comes back late.
func (s *chaosStack) usedUp(ctx context.Context, books *chaos.Books) error {
	for end := time.Now().Add(max(s.cfg.Recover, smallWait)); ; time.Sleep(200 * time.Millisecond) {
		var asked error // ClickHouse may be busy, and is asked again
		for _, id := range s.small {
			billed, _, err := books.Billed(ctx, id)
			if err == nil && billed >= smallUsed {
				return chaos.Insist(ctx, s.cfg.Recover, books.NotAbove)
			}
			asked = errors.Join(asked, err)
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return errors.Join(context.Cause(ctx), asked, fmt.Errorf("of %d small budgets of %s none was used up: whether they are kept was not put to the test", len(s.small), smallBudget))
		}
	}
}

// tellSmall tells what became of the small budgets.
func (s *chaosStack) tellSmall(ctx context.Context, books *chaos.Books) error {
	for _, id := range s.small {
		var billed, house money.Nano
		err := chaos.Insist(ctx, s.cfg.Recover, func(ctx context.Context) (err error) {
			billed, house, err = books.Billed(ctx, id)
			return err
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "campaign %d: of a budget of %s, %s was billed; the house paid %s that came later\n", id, smallBudget, billed, house)
	}
	return nil
}
