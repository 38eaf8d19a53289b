package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/console/report"
)

// rawTopicsKept is how long Kafka keeps raw events of people.
const rawTopicsKept = 30 * 24 * time.Hour

// ErasureReports tells which store has forgotten whom. A Reports that has it
// answers the erasure routes.
type ErasureReports interface {
	Erasures(ctx context.Context, shop uint32, id string, limit int) ([]report.ErasureRow, error)
}

// ErasureUser names the person, by one of the three.
type ErasureUser struct {
	UID string `json:"uid,omitempty" doc:"Id that the pixel or cookie sync gave, 32 hex digits"`
	IFA string `json:"ifa,omitempty" doc:"Advertising id of the device"`
	ID  string `json:"id,omitempty" doc:"The shop's own id of the person, as in its events"`
}

// ShopErasureRequest asks that a shop's knowledge of a person be erased.
type ShopErasureRequest struct {
	User ErasureUser `json:"user" doc:"The person"`
}

// ErasureRequest asks that what everybody knows of a person be erased.
type ErasureRequest struct {
	User   ErasureUser `json:"user" doc:"The person; not by a shop's own id"`
	OptOut bool        `json:"opt_out,omitempty" doc:"Keep nothing of the person from now on either"`
}

// ErasureAnswer is the reference of a wish that was taken.
type ErasureAnswer struct {
	ID   string `json:"id" doc:"Reference, under which the receipts are"`
	Time int64  `json:"time" doc:"What was received until then goes, ms UTC"`
}

// Erasure is a wish and who has fulfilled it.
type Erasure struct {
	ID       string           `json:"id"`
	Time     int64            `json:"time" doc:"What was received until then goes, ms UTC"`
	OptOut   bool             `json:"opt_out,omitempty"`
	Reason   string           `json:"reason" doc:"Who asked: optout_page, shop or console"`
	Receipts []ErasureReceipt `json:"receipts" nullable:"false" doc:"Which store did it when; ClickHouse looks again daily and adds one when it found more"`
	// RawUntil is when Kafka's raw topics have let go of it at the latest.
	RawUntil int64 `json:"raw_until" doc:"When Kafka's raw topics have let go of what was in them, at the latest, ms UTC"`
}

// ErasureReceipt is what one store did.
type ErasureReceipt struct {
	Node       string `json:"node" doc:"A bidder's name, or clickhouse"`
	Time       int64  `json:"time" doc:"When, ms UTC"`
	Profiles   uint64 `json:"profiles" doc:"Profiles that were in memory"`
	Frequency  uint64 `json:"frequency" doc:"Counts of sightings that were in memory"`
	Matches    uint64 `json:"matches" doc:"Exchange ids that were in the match table"`
	Events     uint64 `json:"events" doc:"Rows of notices and clicks that are nobody's since"`
	Bids       uint64 `json:"bids" doc:"Rows of bids that are nobody's since"`
	ShopEvents uint64 `json:"shop_events" doc:"Rows of visits that were deleted, and of orders that are nobody's since"`
}

func (s *Server) erasureRoutes() {
	tags := []string{"Erasures"}
	const ofShop, ofAll = "/api/v1/shops/{shop}/erasures", "/api/v1/erasures"
	away := []int{http.StatusBadRequest, http.StatusServiceUnavailable}
	register(s, route{Operation: huma.Operation{
		OperationID: "erase-person-at-shop", Method: http.MethodPost, Path: ofShop, Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary:     "Erase what the shop knows of a person",
		Description: "Taken when it is durable; every bidder and ClickHouse then do it and leave receipts. Other shops' knowledge stays.",
		Errors:      away,
	}, access: accessWrite, body: reflect.TypeFor[ShopErasureRequest]()}, s.eraseAtShop)
	register(s, route{Operation: huma.Operation{
		OperationID: "list-erasures-of-shop", Method: http.MethodGet, Path: ofShop, Tags: tags, Summary: "List erasures and their receipts, newest first",
		Errors: away,
	}, access: accessRead}, s.listShopErasures)
	register(s, route{Operation: huma.Operation{
		OperationID: "erase-person", Method: http.MethodPost, Path: ofAll, Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary: "Erase what everybody knows of a person", Errors: away,
	}, access: accessAdmin, body: reflect.TypeFor[ErasureRequest]()}, s.erasePerson)
	register(s, route{Operation: huma.Operation{
		OperationID: "list-erasures", Method: http.MethodGet, Path: ofAll, Tags: tags,
		Summary: "List erasures that concern everybody, and their receipts, newest first", Errors: away,
	}, access: accessAdmin}, s.listErasures)
}

type erasureOutput struct{ Body ErasureAnswer }

func (s *Server) eraseAtShop(ctx context.Context, in *struct {
	ShopPath
	jsonBody
}) (*erasureOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var req ShopErasureRequest
	var p problems
	decode(raw, &req, &p)
	req.User.check(&p, true)
	if err := p.err(); err != nil {
		return nil, err
	}
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	return s.wish(ctx, map[string]any{"shop": in.Shop, "user": req.User})
}

func (s *Server) erasePerson(ctx context.Context, in *struct{ jsonBody }) (*erasureOutput, error) {
	raw, err := parseObject(in.RawBody)
	if err != nil {
		return nil, err
	}
	var req ErasureRequest
	var p problems
	decode(raw, &req, &p)
	req.User.check(&p, false)
	if err := p.err(); err != nil {
		return nil, err
	}
	return s.wish(ctx, map[string]any{"user": req.User, "opt_out": req.OptOut})
}

// check says what is wrong with how a person is named.
func (u *ErasureUser) check(p *problems, ofShop bool) {
	n := 0
	for _, s := range []string{u.UID, u.IFA, u.ID} {
		if s != "" {
			n++
		}
	}
	switch {
	case n == 0:
		p.add("body.user", "needs one of uid, ifa and id")
	case n > 1:
		p.add("body.user", "names a person twice: give one of uid, ifa and id, and ask again for the other")
	case !ofShop && u.ID != "":
		p.add("body.user.id", "is a shop's own id: ask for it at the shop")
	}
}

// wish hands the wish to a bidder, which makes it durable in its own spool.
func (s *Server) wish(ctx context.Context, body map[string]any) (*erasureOutput, error) {
	if s.explainer == nil {
		return nil, failure(http.StatusServiceUnavailable, "there is no bidder to take it: the console was started without one")
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("write the wish: %w", err)
	}
	status, answer, err := s.explainer.post(ctx, "/internal/erasures", caller(ctx).token, raw)
	if err != nil {
		s.log.Warn("bidder takes no erasure", slog.Any("err", err))
		return nil, failure(http.StatusServiceUnavailable, "the bidder does not answer: try again later")
	}
	switch status {
	case http.StatusAccepted:
	case http.StatusBadRequest:
		return nil, failure(http.StatusBadRequest, "the bidder refuses the request: "+problemDetail(answer))
	case http.StatusTooManyRequests:
		return nil, failure(http.StatusTooManyRequests, "too many erasures in this second: try again in a moment")
	default:
		s.log.Warn("bidder takes no erasure", slog.Int("status", status), slog.String("detail", problemDetail(answer)))
		return nil, failure(http.StatusServiceUnavailable, "the bidder does not take it now: "+problemDetail(answer))
	}
	out := &erasureOutput{}
	if err := json.Unmarshal(answer, &out.Body); err != nil || out.Body.ID == "" {
		return nil, fmt.Errorf("the bidder's answer to an erasure: %w", errors.Join(err, errors.New("no id")))
	}
	s.log.Info("erasure taken", slog.String("id", out.Body.ID), slog.String("by", caller(ctx).name()))
	return out, nil
}

// ErasureFilter says which erasures are listed.
type ErasureFilter struct {
	ID    string `query:"id" pattern:"^[0-9a-fA-F-]{32,36}$" doc:"This one alone"`
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"Most erasures listed"`
}

type erasureList struct{ Body list[Erasure] }

func (s *Server) listShopErasures(ctx context.Context, in *struct {
	ShopPath
	ErasureFilter
}) (*erasureList, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	return s.erasures(ctx, in.Shop, &in.ErasureFilter)
}

func (s *Server) listErasures(ctx context.Context, in *ErasureFilter) (*erasureList, error) {
	return s.erasures(ctx, 0, in)
}

func (s *Server) erasures(ctx context.Context, shop uint32, in *ErasureFilter) (*erasureList, error) {
	from, ok := s.reports.(ErasureReports)
	if !ok {
		return nil, failure(http.StatusServiceUnavailable, "there is no ClickHouse for receipts")
	}
	rows, err := from.Erasures(ctx, shop, in.ID, in.Limit)
	if err != nil {
		s.log.Warn("erasures cannot be listed", "shop", shop, "err", err)
		return nil, failure(http.StatusServiceUnavailable, "ClickHouse does not answer: try again later")
	}
	out := &erasureList{list[Erasure]{Items: []Erasure{}}}
	for _, r := range rows {
		if r.Type == "erase" {
			out.Body.Items = append(out.Body.Items, Erasure{
				ID: r.ID, Time: r.TimeMS, OptOut: r.OptOut, Reason: r.Reason, Receipts: []ErasureReceipt{}, RawUntil: r.TimeMS + rawTopicsKept.Milliseconds(),
			})
			continue
		}
		e := &out.Body.Items[len(out.Body.Items)-1] // a wish stands before its receipts
		e.Receipts = append(e.Receipts, ErasureReceipt{
			Node: r.Node, Time: r.TimeMS, Profiles: r.Profiles, Frequency: r.Frequency, Matches: r.Matches,
			Events: r.Events, Bids: r.Bids, ShopEvents: r.ShopEvents,
		})
	}
	return out, nil
}
