package console

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/internal/money"
)

// States of a campaign, in the order in which they are looked for.
const (
	StateArchived    = "archived"
	StatePaused      = "paused"
	StateShopOff     = "shop_off"
	StateNotStarted  = "not_started"
	StateEnded       = "ended"
	StateTotalBudget = "limited_by_total_budget"
	StateWeekBudget  = "limited_by_week_budget"
	StateDayBudget   = "limited_by_day_budget"
	StateNoBids      = "no_bids"
	StateNoWins      = "no_wins"
	StateRunning     = "running"
)

// CampaignState is how a campaign fares, and since when.
type CampaignState struct {
	Campaign uint32 `json:"campaign"`
	State    string `json:"state" enum:"running,no_wins,no_bids,limited_by_day_budget,limited_by_week_budget,limited_by_total_budget,ended,not_started,shop_off,paused,archived" doc:"no_bids: active, and no bid within the last hour; no_wins: bids, and none was won within it"`
	Since    int64  `json:"since,omitempty" doc:"Since when, ms UTC; absent where it is not known"`

	SpentDay   *money.Nano `json:"spent_day,omitempty" doc:"Spent of today's budget, fee included; absent without reports"`
	SpentWeek  *money.Nano `json:"spent_week,omitempty" doc:"Of this week's"`
	SpentTotal *money.Nano `json:"spent_total,omitempty" doc:"In all"`
}

// Rules of states: a budget counts as reached from so much of it on, for the
// rest may be less than one impression and what is on hold for it.
const (
	reachedShare = 0.98
	quietMS      = 60 * 60 * 1000
)

func (s *Server) stateRoutes() {
	register(s, route{Operation: huma.Operation{
		OperationID: "list-campaign-states", Method: http.MethodGet, Path: "/api/v1/shops/{shop}/campaign-states", Tags: []string{"Campaigns"},
		Summary: "List how the campaigns fare, and why", Description: "Every campaign that is not archived, with the one reason that matters most and since when it holds.",
	}, access: accessRead}, s.listStates)
}

type statesOutput struct {
	Body struct {
		Items []CampaignState `json:"items" nullable:"false"`
		// Reports is false when spending could not be read.
		Reports bool `json:"reports" doc:"Whether spending could be read; without it only what the documents say is known"`
	}
}

func (s *Server) listStates(ctx context.Context, in *struct{ ShopPath }) (*statesOutput, error) {
	shop, err := s.store.View().Shop(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	out := new(statesOutput)
	out.Body.Items, out.Body.Reports, _, err = s.states(ctx, &shop)
	return out, err
}

// states looks at all of a shop's campaigns, and returns them too.
func (s *Server) states(ctx context.Context, shop *store.Shop) (items []CampaignState, known bool, found []store.Campaign, err error) {
	if found, err = s.store.View().Campaigns(ctx, shop.ID, store.CampaignFilter{}, 0, 1000); err != nil {
		return nil, false, nil, err
	}
	now := s.clock.NowMS()
	day, week := s.beginnings(shop.TimeZone)
	parts, known := s.reports.(PartReports)
	var did map[uint32]report.Activity
	if known {
		if did, err = parts.Activity(ctx, shop.ID, day, week, now); err != nil {
			s.log.Warn("states of campaigns without reports", "shop", shop.ID, "err", err)
			known = false
		}
	}
	items = []CampaignState{}
	for i := range found {
		c := &found[i]
		if c.Status == campaigns.StatusArchived {
			continue
		}
		st := documentState(c, shop, now)
		if known {
			a := did[c.ID]
			st.SpentDay, st.SpentWeek, st.SpentTotal = nano(a.SpentDay), nano(a.SpentWeek), nano(a.SpentTotal)
			if st.State == StateRunning {
				s.activeState(ctx, parts, c, a, &st, [3]int64{day, week, now})
			}
		}
		items = append(items, st)
	}
	return items, known, found, nil
}

func nano(v int64) *money.Nano { n := money.Nano(v); return &n }

// documentState is what the documents alone say.
func documentState(c *store.Campaign, shop *store.Shop, now int64) CampaignState {
	st := CampaignState{Campaign: c.ID, State: StateRunning, Since: c.UpdatedMS}
	switch {
	case c.Status == campaigns.StatusArchived:
		st.State = StateArchived
	case c.Status == campaigns.StatusPaused:
		st.State = StatePaused
	case !shop.Active:
		st.State, st.Since = StateShopOff, shop.UpdatedMS
	case c.StartMS > now:
		st.State = StateNotStarted
	case c.EndMS != 0 && c.EndMS <= now:
		st.State, st.Since = StateEnded, c.EndMS
	}
	return st
}

// activeState adds what only spending and bids tell; at is the beginning of
// the day, of the week, and now.
func (s *Server) activeState(ctx context.Context, parts PartReports, c *store.Campaign, a report.Activity, st *CampaignState, at [3]int64) {
	for _, b := range []struct {
		state  string
		budget money.Nano
		spent  int64
		since  int64
	}{
		{StateTotalBudget, c.Budget.Total, a.SpentTotal, 0},
		{StateWeekBudget, c.Budget.Week, a.SpentWeek, at[1]},
		{StateDayBudget, c.Budget.Day, a.SpentDay, at[0]},
	} {
		mark := int64(float64(b.budget) * reachedShare)
		if b.budget <= 0 || b.spent < mark {
			continue
		}
		st.State, st.Since = b.state, 0
		since, err := parts.Reached(ctx, c.ShopID, c.ID, b.since, mark)
		if err != nil {
			s.log.Warn("not known since when a budget is reached", "campaign", c.ID, "err", err)
			return
		}
		st.Since = max(since, 0)
		return
	}
	quiet := at[2] - quietMS
	switch {
	case c.UpdatedMS > quiet || c.StartMS > quiet: // too early to tell
	case a.Bids == 0:
		st.State, st.Since = StateNoBids, a.LastBid
	case a.LastWin < quiet:
		st.State, st.Since = StateNoWins, a.LastWin
	}
}

// beginnings of the day and of the week, which begins on Monday, ms UTC.
func (s *Server) beginnings(zone string) (day, week int64) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	now := time.UnixMilli(s.clock.NowMS()).In(loc)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, loc)
	monday := midnight.AddDate(0, 0, -(int(now.Weekday())+6)%7)
	return midnight.UnixMilli(), monday.UnixMilli()
}
