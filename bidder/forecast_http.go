package bidder

import (
	"encoding/json"
	"errors"

	"github.com/valyala/fasthttp"

	"github.com/grosz/grosz/campaigns"
)

// PathForecast is the route of forecasts on the bidder's listener.
const PathForecast = "/internal/forecast"

// ForecastQuestion is what PathForecast takes.
type ForecastQuestion struct {
	Shop     uint32              `json:"shop"`
	Campaign *campaigns.Campaign `json:"campaign"`
}

// forecastHandler serves PathForecast: POST a ForecastQuestion, a ForecastBids
// comes back. The administrator's key opens every shop, a shop's own key with
// scope read or write its own. One replay is made at a time, beside the bids.
func (a *ExplainAPI) forecastHandler() fasthttp.RequestHandler {
	busy := make(chan struct{}, 1)
	return func(ctx *fasthttp.RequestCtx) {
		who, ok := a.authorise(ctx, "read", "write")
		if !ok {
			ctx.Response.Header.Set("WWW-Authenticate", "Bearer")
			problem(ctx, fasthttp.StatusUnauthorized, "the administrator's key is needed, or the shop's with scope read")
			return
		}
		if !ctx.IsPost() {
			problem(ctx, fasthttp.StatusMethodNotAllowed, "POST "+PathForecast)
			return
		}
		var q ForecastQuestion
		body, err := a.body(ctx)
		if err == nil {
			err = json.Unmarshal(body, &q)
		}
		switch {
		case err != nil || q.Campaign == nil:
			problem(ctx, fasthttp.StatusBadRequest, "not a question for a forecast: shop and campaign are needed")
			return
		case !who.admin && q.Shop != who.shop:
			problem(ctx, fasthttp.StatusForbidden, "the shop is not the key's")
			return
		}
		select {
		case busy <- struct{}{}:
			defer func() { <-busy }()
		default:
			ctx.Response.Header.Set("Retry-After", "1")
			problem(ctx, fasthttp.StatusTooManyRequests, "another forecast is being made")
			return
		}
		q.Campaign.ShopID = q.Shop
		out, err := a.Bidder.ForecastBids(q.Campaign)
		switch {
		case err == nil:
			ctx.Response.Header.Set("Cache-Control", "no-store")
			writeJSON(ctx, fasthttp.StatusOK, out)
		case errors.Is(err, ErrNoRequests), errors.Is(err, ErrNoShop):
			problem(ctx, fasthttp.StatusNotFound, err.Error())
		default:
			problem(ctx, fasthttp.StatusBadRequest, err.Error())
		}
	}
}
