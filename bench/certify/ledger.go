package certify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/grosz/grosz/internal/money"
)

// refusal is a notice that must be on record as refused.
type refusal struct {
	token string
	ev    evidence
}

// Bounds of asking.
const (
	ledgerPoll  = 250 * time.Millisecond
	ledgerQuiet = 2 * time.Second // for what must not come, after all else has
	maxLedger   = 4 << 20
)

// settlement is one row of grosz.settlements.
type settlement struct {
	ID        string `json:"id"`
	Amount    string `json:"amount"`
	Disputed  string `json:"disputed"`
	Conflicts string `json:"conflicts"`
	Status    string `json:"status"`
}

var bidUUID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// ledger compares Grosz's books with what the notices said, exactly.
func (r *run) ledger(ctx context.Context) error {
	if r.cfg.Ledger.URL == "" {
		r.booksUnread("the books were not asked for")
		return nil
	}
	bids := r.readable()
	rows, err := r.settled(ctx, bids)
	if err == nil {
		for i := range bids {
			r.compare(&bids[i], rows[bids[i].bid])
		}
		err = r.rejections(ctx)
	}
	if err != nil { // what the notices showed is told all the same
		r.rec.report.Books = oneLine(err.Error())
		r.booksUnread("the books could not be read")
	}
	return nil
}

func (r *run) booksUnread(why string) {
	for _, name := range []string{ruleBooked, ruleOnce, ruleAtBid, ruleDisputed, ruleAudited, ruleLost, ruleAfterLoss, ruleUntrusted, ruleTestFree, ruleRejections} {
		r.rec.unseen(name, evidence{}, "%s", why)
	}
}

// readable are the bookings whose bid ids the books can name.
func (r *run) readable() []booking {
	var out []booking
	for _, b := range r.booked {
		b.bid = strings.ToLower(strings.ReplaceAll(b.bid, "-", ""))
		if !bidUUID.MatchString(b.bid) {
			r.rec.unseen(b.rule, b.ev, "bid id %q is none of Grosz's", oneLine(b.bid))
			continue
		}
		out = append(out, b)
	}
	return out
}

// settled waits until every expected settlement is there, or time is over,
// and a moment longer for those that must not come.
func (r *run) settled(ctx context.Context, bids []booking) (map[string][]settlement, error) {
	if len(bids) == 0 {
		return nil, nil
	}
	var ids []string
	for _, b := range bids {
		ids = append(ids, fmt.Sprintf("toUUID('%s-%s-%s-%s-%s')", b.bid[:8], b.bid[8:12], b.bid[12:16], b.bid[16:20], b.bid[20:]))
	}
	sql := `SELECT replaceAll(toString(s.bid), '-', '') AS id, toString(s.amount) AS amount, toString(s.disputed) AS disputed,
		toString(s.conflicts) AS conflicts, toString(s.price_status) AS status
		FROM grosz.settlements AS s WHERE s.exchange = '` + r.cfg.Ledger.Exchange + `' AND s.bid IN (` + strings.Join(ids, ", ") + `) FORMAT JSONEachRow`
	deadline := time.Now().Add(r.cfg.Ledger.Wait)
	for {
		rows, err := r.query(ctx, sql)
		late := time.Now().After(deadline)
		if err != nil && (late || errors.Is(err, errPassword)) {
			return nil, err
		}
		missing := 0
		if err != nil { // the loader of a new machine has yet to make the tables
			missing = len(bids)
		}
		for _, b := range bids {
			if b.expect.settled && len(rows[b.bid]) == 0 {
				missing++
			}
		}
		if missing == 0 || late {
			if err := pause(ctx, min(ledgerQuiet, r.cfg.Ledger.Wait)); err != nil {
				return nil, err
			}
			return r.query(ctx, sql)
		}
		if err := pause(ctx, ledgerPoll); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("certify: %w", ctx.Err())
	}
}

func (r *run) compare(b *booking, rows []settlement) {
	switch {
	case !b.expect.settled:
		r.rec.verdict(len(rows) == 0, b.rule, b.ev, "%d settlements, none is right", len(rows))
		return
	case len(rows) == 0:
		r.rec.fail(b.rule, b.ev, "not booked within %v", r.cfg.Ledger.Wait)
		return
	case len(rows) > 1:
		r.rec.fail(b.rule, b.ev, "booked %d times", len(rows))
		return
	}
	amount, err := money.ParseNano(rows[0].Amount)
	disputed, err2 := money.ParseNano(rows[0].Disputed)
	if err := errors.Join(err, err2); err != nil {
		r.rec.fail(b.rule, b.ev, "books: %v", err)
		return
	}
	// A notice that came again with another price may be on record as one.
	conflicts := rows[0].Conflicts == "0" || b.rule == ruleOnce
	ok := amount == b.expect.amount && disputed == b.expect.disputed && conflicts
	r.rec.verdict(ok, b.rule, b.ev, "booked %v and disputed %v (%s), right is %v and %v; %s conflicts",
		amount, disputed, rows[0].Status, b.expect.amount, b.expect.disputed, rows[0].Conflicts)
}

// query returns the rows by bid.
func (r *run) query(ctx context.Context, sql string) (map[string][]settlement, error) {
	body, err := r.ask(ctx, sql)
	if err != nil {
		return nil, err
	}
	out := map[string][]settlement{}
	for dec := json.NewDecoder(bytes.NewReader(body)); ; {
		var s settlement
		err := dec.Decode(&s)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("certify: books: %w", err)
		}
		out[s.ID] = append(out[s.ID], s)
	}
}

func (r *run) ask(ctx context.Context, sql string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Ledger.Wait+r.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.cfg.Ledger.URL, strings.NewReader(sql))
	if err != nil {
		return nil, fmt.Errorf("certify: books: %w", err)
	}
	req.SetBasicAuth(r.cfg.Ledger.User, r.cfg.Ledger.Password)
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("certify: books: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxLedger))
	if err != nil {
		return nil, fmt.Errorf("certify: books: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return body, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, errPassword
	}
	return nil, fmt.Errorf("certify: books: status %d: %s", resp.StatusCode, oneLine(string(body)))
}

// errPassword: asking again would not help.
var errPassword = errors.New("certify: books: wrong user or password")

var tokenText = regexp.MustCompile(`^[A-Za-z0-9_.~-]{16,}$`)

// rejections looks for the altered notices on record. A flood of them is
// only counted, so what is missing is not wrong.
func (r *run) rejections(ctx context.Context) error {
	if len(r.refused) == 0 {
		return nil
	}
	seen, ev := 0, r.refused[0].ev
	for _, f := range r.refused {
		if !tokenText.MatchString(f.token) {
			continue
		}
		body, err := r.ask(ctx, `SELECT count() AS n FROM grosz.rejections AS x WHERE x.time > now() - INTERVAL 1 HOUR AND x.raw = '`+f.token[:min(len(f.token), 64)]+`' FORMAT TabSeparated`)
		if err != nil {
			return err
		}
		if n := strings.TrimSpace(string(body)); n != "0" && n != "" {
			seen, ev = seen+1, f.ev
		}
	}
	if seen == 0 {
		r.rec.fail(ruleRejections, ev, "none of %d altered notices is on record", len(r.refused))
		return nil
	}
	r.rec.pass(ruleRejections, ev, "%d of %d altered notices are on record", seen, len(r.refused))
	return nil
}
