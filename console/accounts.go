package console

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/money"
)

// maxDeposit bounds one deposit, either way.
const maxDeposit money.Nano = 1_000_000_000 * money.NanoUnit

// LedgerReports reads the ledger. A Reports that has it answers the routes of
// accounts and statements.
type LedgerReports interface {
	Statement(ctx context.Context, shop uint32, month string) ([]report.StatementRow, error)
	Balance(ctx context.Context, shop uint32) (report.Balance, error)
}

// Deposit is a deposit as the API shows it and takes it.
type Deposit struct {
	ID        int64      `json:"id" readOnly:"true" doc:"Number among the shop's deposits, from 1"`
	Created   int64      `json:"created" readOnly:"true" doc:"When it was booked, ms UTC"`
	Amount    money.Nano `json:"amount" doc:"What the shop paid in, in its currency; negative: was paid back"`
	Currency  string     `json:"currency" readOnly:"true" doc:"The shop's currency"`
	Reference string     `json:"reference,omitempty" required:"false" doc:"The payment's own reference, such as the bank's" maxLength:"64"`
	By        string     `json:"by" readOnly:"true" doc:"Who booked it"`
}

func depositView(d store.Deposit) Deposit {
	return Deposit{ID: d.Seq, Created: d.CreatedMS, Amount: d.Amount, Currency: d.Currency, Reference: d.Reference, By: d.Actor}
}

// Account is how a shop pays and what it has.
type Account struct {
	Service   string     `json:"service" enum:"active,paused" doc:"Whether its campaigns bid: active of the shop's document"`
	Prepaid   bool       `json:"prepaid" doc:"It spends what it deposited, and its credit"`
	Credit    money.Nano `json:"credit" doc:"How far the balance of a prepaid shop may fall below zero"`
	Currency  string     `json:"currency" doc:"Of all amounts here"`
	FeeBPS    int64      `json:"fee_bps" doc:"Platform's share of media cost, in basis points"`
	FeeCPM    money.CPM  `json:"fee_cpm" doc:"Platform's price of a thousand impressions"`
	Deposited money.Nano `json:"deposited" doc:"All deposits"`
	Booked    bool       `json:"booked" doc:"Whether the ledger could be asked for what follows"`
	Billed    money.Nano `json:"billed" doc:"Media cost and fee that the shop was billed"`
	Balance   money.Nano `json:"balance" doc:"Deposits less what was billed, as the ledger has them; of a shop that is billed afterwards what it owes, below zero"`
	House     money.Nano `json:"house" doc:"Media cost beyond its budgets or its balance, which it was not billed"`
}

func (s *Server) accountRoutes() {
	tags := []string{"Accounts"}
	const path = "/api/v1/shops/{shop}/deposits"
	register(s, route{Operation: huma.Operation{
		OperationID: "add-deposit", Method: http.MethodPost, Path: path, Tags: tags, Summary: "Book a deposit",
		Description: "Bidders know of it within a second. Send an Idempotency-Key, so that a repetition books nothing twice.", DefaultStatus: http.StatusCreated,
	}, access: accessAdmin, body: reflect.TypeFor[Deposit]()}, s.addDeposit)
	register(s, route{Operation: huma.Operation{
		OperationID: "list-deposits", Method: http.MethodGet, Path: path, Tags: tags, Summary: "List deposits, newest first",
	}, access: accessRead}, s.listDeposits)
	register(s, route{Operation: huma.Operation{
		OperationID: "get-account", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/account", Tags: tags, Summary: "Read how a shop pays and what it has",
	}, access: accessRead}, s.getAccount)
	register(s, route{Operation: huma.Operation{
		OperationID: "get-statement", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/statement", Tags: tags, Summary: "Read a month's statement",
		Description: "What the ledger has of a month of the shop's time zone, to the nano-unit; as JSON, or as a CSV file to keep.",
		Errors:      []int{http.StatusServiceUnavailable},
	}, access: accessRead}, s.getStatement)
	register(s, route{Operation: huma.Operation{
		OperationID: "get-statement-of-month", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/statements/{month}", Tags: tags, Summary: "Read the statement of a month",
		Description: "The same as statement, under an address of its own for each month.", Errors: []int{http.StatusServiceUnavailable},
	}, access: accessRead}, s.getStatementOf)
}

// checkTerms checks how a shop pays.
func checkTerms(p *problems, v *Shop) {
	if v.FeeCPM < 0 || v.FeeCPM > money.MaxFeeCPM {
		p.add("body.fee_cpm", "%s must be from 0 to %s", v.FeeCPM, money.MaxFeeCPM)
	}
	if v.FeeCPM != 0 && v.FeeBPS != 0 {
		p.add("body.fee_cpm", "the fee is a share or a CPM: leave one of fee_bps and fee_cpm 0")
	}
	if v.Credit < 0 || v.Credit > maxDeposit {
		p.add("body.credit", "%s must be from 0 to %s", v.Credit, maxDeposit)
	}
	if v.Credit != 0 && !v.Prepaid {
		p.add("body.credit", "is of prepaid shops only: others have no balance to fall")
	}
}

// sameTerms refuses a change of how a shop pays by the shop itself.
func sameTerms(p *problems, v, before *Shop) {
	for field, same := range map[string]bool{
		"body.fee_cpm": v.FeeCPM == before.FeeCPM, "body.prepaid": v.Prepaid == before.Prepaid, "body.credit": v.Credit == before.Credit,
	} {
		if !same {
			p.add(field, "only the administrator may change it")
		}
	}
}

// recordTerms tells the log how a shop pays, if that has changed.
func recordTerms(ctx context.Context, tx *store.Tx, shop store.Shop, before *campaigns.Shop) error {
	if before != nil && before.Prepaid == shop.Prepaid && before.Credit == shop.Credit {
		return nil
	}
	if before == nil && !shop.Prepaid {
		return nil // what a shop is that the log has said nothing of
	}
	e := accountEvent(&shop.Shop, events.TypeTerms, shop.Version, tx.NowMS())
	e.Reason, e.LimitTotal = events.TermsInvoiced, shop.Credit
	if shop.Prepaid {
		e.Reason = events.TermsPrepaid
	}
	return tx.RecordEvent(ctx, shop.ID, e.AppendJSON(nil))
}

// accountEvent is a record of a shop's account. Its id follows from its
// number, so that sent twice it is the same.
func accountEvent(shop *campaigns.Shop, typ events.Type, n, now int64) events.Event {
	loc, err := time.LoadLocation(shop.TimeZone)
	if err != nil {
		loc = time.UTC
	}
	return events.Event{
		EventID: events.NamedID(shop.ID, string(typ), fmt.Sprint(n)), Type: typ, TimeMS: now, BidMS: now,
		Day: time.UnixMilli(now).In(loc).Format(time.DateOnly), ShopID: shop.ID, ShopCurrency: shop.Currency, Version: n, Node: "console",
	}
}

type depositOutput struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true when this is the answer to an earlier request"`
	Body     Deposit
}

func (s *Server) addDeposit(ctx context.Context, in *struct {
	ShopPath
	OnceHeader
	jsonBody
}) (*depositOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var v Deposit
	var p problems
	decode(raw, &v, &p)
	if v.Amount == 0 || v.Amount < -maxDeposit || v.Amount > maxDeposit {
		p.add("body.amount", "must not be 0, nor beyond %s", maxDeposit)
	}
	checkText(&p, "body.reference", v.Reference, 0, 64)
	if err := p.err(); err != nil {
		return nil, err
	}
	out := &depositOutput{}
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		shop, err := tx.Shop(ctx, in.Shop)
		if err != nil {
			return err
		}
		made, replayed, err := once(ctx, tx, in.OnceHeader, fmt.Sprintf("add-deposit/%d", in.Shop), in.RawBody, func() (Deposit, error) {
			return s.bookDeposit(ctx, tx, &shop.Shop, &v)
		})
		out.Body, out.Replayed = made, replayedHeader(replayed)
		return err
	})
	return out, err
}

func (s *Server) bookDeposit(ctx context.Context, tx *store.Tx, shop *campaigns.Shop, v *Deposit) (Deposit, error) {
	d, err := tx.AddDeposit(ctx, store.Deposit{Shop: shop.ID, Amount: v.Amount, Currency: shop.Currency.String(), Reference: v.Reference})
	if err != nil {
		return Deposit{}, err
	}
	e := accountEvent(shop, events.TypeDeposit, d.Seq, tx.NowMS())
	e.ShopAmount, e.Raw = v.Amount, v.Reference
	return depositView(d), tx.RecordEvent(ctx, shop.ID, e.AppendJSON(nil))
}

type depositList struct{ Body list[Deposit] }

func (s *Server) listDeposits(ctx context.Context, in *struct {
	ShopPath
	Page
}) (*depositList, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	before, err := in.id("deposit", 63)
	if err != nil {
		return nil, err
	}
	found, err := s.store.View().Deposits(ctx, in.Shop, int64(before), in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &depositList{pageOf(found, in.Limit, "deposit", func(d store.Deposit) int64 { return d.Seq }, depositView)}, nil
}

func (s *Server) getAccount(ctx context.Context, in *struct{ ShopPath }) (*struct{ Body Account }, error) {
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	a := Account{
		Service: "active", Prepaid: shop.Prepaid, Credit: shop.Credit, Currency: shop.Currency.String(), FeeBPS: shop.FeeBPS, FeeCPM: shop.FeeCPM,
	}
	if !shop.Active {
		a.Service = "paused"
	}
	if _, a.Deposited, err = s.store.View().Deposited(ctx, in.Shop); err != nil {
		return nil, err
	}
	a.Balance = a.Deposited
	if from, ok := s.reports.(LedgerReports); ok {
		b, err := from.Balance(ctx, in.Shop)
		if err != nil {
			s.log.Warn("balance cannot be read", "shop", in.Shop, "err", err)
		} else {
			a.Booked, a.Billed, a.Balance, a.House = true, b.Billed, b.Balance, b.House
		}
	}
	return &struct{ Body Account }{a}, nil
}

type statementInput struct {
	ShopPath
	Month  string `query:"month" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"YYYY-MM; left out, the present month of the shop's time zone"`
	Format string `query:"format" enum:"json,csv" default:"json" doc:"csv is a file to keep"`
}

// Statement is the answer of the statement: a row for each currency that the
// shop had in the month, which is one.
type Statement struct {
	Shop  uint32                `json:"shop"`
	Name  string                `json:"name" doc:"The shop's name"`
	Month string                `json:"month" doc:"YYYY-MM of the shop's time zone"`
	Rows  []report.StatementRow `json:"rows" nullable:"false"`
}

type statementOutput struct {
	Type string `header:"Content-Type"`
	File string `header:"Content-Disposition"`
	Body any
}

func (s *Server) getStatement(ctx context.Context, in *statementInput) (*statementOutput, error) {
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	if in.Month == "" {
		in.Month = s.today(shop.TimeZone).Format("2006-01")
	}
	if _, err := time.Parse("2006-01", in.Month); err != nil {
		var p problems
		p.add("query.month", "%q is not a month such as 2027-01", clip(in.Month))
		return nil, p.err()
	}
	from, ok := s.reports.(LedgerReports)
	if !ok {
		return nil, failure(http.StatusServiceUnavailable, "there is no ClickHouse for the ledger")
	}
	rows, err := from.Statement(ctx, in.Shop, in.Month)
	if err != nil {
		s.log.Warn("statement failed", "shop", in.Shop, "err", err)
		return nil, failure(http.StatusServiceUnavailable, "ClickHouse does not answer: try again later")
	}
	if in.Format != "csv" {
		return &statementOutput{Type: "application/json", Body: Statement{Shop: in.Shop, Name: shop.Name, Month: in.Month, Rows: rows}}, nil
	}
	text, err := statementCSV(in.Shop, in.Month, rows)
	return &statementOutput{
		Type: "text/csv; charset=utf-8", File: fmt.Sprintf("attachment; filename=\"statement-%d-%s.csv\"", in.Shop, in.Month), Body: text,
	}, err
}

// statementCSV writes a statement as a table: numbers and codes only, nothing
// that a spreadsheet would take for a formula.
func statementCSV(shop uint32, month string, rows []report.StatementRow) ([]byte, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	err := w.Write([]string{"shop", "month", "currency", "opening_balance", "deposits", "media_cost", "fee", "billed", "closing_balance", "house", "wins", "house_wins", "clicks", "click_cost", "house_clicks"})
	for _, r := range rows {
		err = errors.Join(err, w.Write([]string{
			fmt.Sprint(shop), month, r.Currency, r.Opening, r.Deposits, r.Media, r.Fee, r.Billed, r.Closing, r.House, fmt.Sprint(r.Wins), fmt.Sprint(r.HouseWins), fmt.Sprint(r.Clicks), r.ClickCost, fmt.Sprint(r.HouseClicks),
		}))
	}
	w.Flush()
	if err = errors.Join(err, w.Error()); err != nil {
		return nil, fmt.Errorf("write the statement: %w", err)
	}
	return []byte(b.String()), nil
}
