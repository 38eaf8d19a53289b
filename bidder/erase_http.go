package bidder

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/events"
)

// PathErasures takes the wish that a person be forgotten, from whoever has a
// key; the console passes on what is asked of it.
const PathErasures = "/internal/erasures"

// erasuresPerSecond bounds what keys make each node write and look for.
const erasuresPerSecond = 20

// erasureIn is the body of a request.
type erasureIn struct {
	// Shop whose knowledge of the person goes; 0, for the administrator only,
	// everybody's.
	Shop   uint32 `json:"shop"`
	User   userIn `json:"user"`
	OptOut bool   `json:"opt_out"` // of everybody's only
}

// erasureOut is the answer: the reference under which receipts come.
type erasureOut struct {
	ID     string `json:"id"`
	TimeMS int64  `json:"time"`
}

var errEverywhere = errors.New("what everybody knows of a person is erased by the administrator: name the shop")

// erasures serves PathErasures. It is answered when the wish is in this node's
// spool; every node and ClickHouse hear of it by the log.
func (a *ExplainAPI) erasures(ctx *fasthttp.RequestCtx) {
	who, ok := a.authorise(ctx, "write")
	switch {
	case !ok:
		ctx.Response.Header.Set("WWW-Authenticate", "Bearer")
		problem(ctx, fasthttp.StatusUnauthorized, "the administrator's key is needed, or a shop's with scope write")
		return
	case !ctx.IsPost():
		problem(ctx, fasthttp.StatusMethodNotAllowed, "POST "+PathErasures)
		return
	}
	var in erasureIn
	if err := json.Unmarshal(ctx.PostBody(), &in); err != nil {
		problem(ctx, fasthttp.StatusBadRequest, "the body is not JSON as it should be: "+err.Error())
		return
	}
	e, status, err := a.Bidder.people.erasure(&in, who)
	if err != nil {
		if status == fasthttp.StatusServiceUnavailable || status == fasthttp.StatusTooManyRequests {
			ctx.Response.Header.Set("Retry-After", "5")
		}
		problem(ctx, status, err.Error())
		return
	}
	writeJSON(ctx, fasthttp.StatusAccepted, erasureOut{ID: e.EventID.String(), TimeMS: e.TimeMS})
}

// erasure checks a wish, makes it durable and applies it here.
func (p *people) erasure(in *erasureIn, who asker) (*events.Erasure, int, error) {
	switch {
	case !who.admin && in.Shop == 0:
		return nil, fasthttp.StatusForbidden, errEverywhere
	case !who.admin && in.Shop != who.shop:
		return nil, fasthttp.StatusForbidden, fmt.Errorf("shop %d is not the key's", in.Shop)
	case in.Shop != 0 && p.b.state.Load().Snapshot.Shop(in.Shop) == nil:
		return nil, fasthttp.StatusNotFound, fmt.Errorf("%w: %d", ErrNoShop, in.Shop)
	case in.Shop == 0 && in.User.ID != "" && in.User.UID == "" && in.User.IFA == "":
		return nil, fasthttp.StatusBadRequest, errors.New("user.id is a shop's own id: name the shop")
	case in.OptOut && in.Shop != 0:
		return nil, fasthttp.StatusBadRequest, errors.New("opt_out is of everybody's: a shop that wants to know nothing sends nothing")
	}
	uid, bad := userOfShop(p.b.state.Load().Snapshot.Shop(in.Shop), in.User)
	if bad != nil {
		return nil, fasthttp.StatusBadRequest, fmt.Errorf("%s: %s", bad.Field, bad.Message)
	}
	now := p.b.clock.NowMS()
	if !p.wishes.allow(now) {
		return nil, fasthttp.StatusTooManyRequests, errors.New("too many erasures in this second")
	}
	e := &events.Erasure{Type: events.TypeErase, TimeMS: now, UID: uid, ShopID: in.Shop, OptOut: in.OptOut, Reason: "shop", Node: p.b.cfg.Node}
	if who.admin {
		e.Reason = "console"
	}
	e.EventID = events.EraseID(e.Subject(), now)
	if err := p.cfg.Emit(e); err != nil {
		return nil, fasthttp.StatusServiceUnavailable, errors.New("not taken: the event log is full or closing, try again")
	}
	// The log will say it to every node; here it holds at once.
	if err := p.apply(e); err != nil {
		p.b.log.Error("erasure is left to the log", "err", err)
	}
	return e, 0, nil
}
