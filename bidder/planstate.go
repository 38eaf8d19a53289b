package bidder

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/grosz/grosz/internal/durable"
	"github.com/grosz/grosz/pacing/plan"
)

// plansFile keeps what plans and prices have learned, so that a restart is no
// first day. Nothing of it is money: without it all is learned anew.
const plansFile = "plans.json"

// plansFormat seals the file.
const plansFormat = "grosz-plans 1"

// plansEvery is how many of housekeeping's rounds of 50 ms are between two
// writings.
const plansEvery = 5 * 60 * 20

// plansState is the file's content.
type plansState struct {
	TimeMS    int64                     `json:"time"`
	Exchanges []exchangeState           `json:"exchanges"`
	Campaigns map[uint32]plan.LiveState `json:"campaigns"`
}

type exchangeState struct {
	Name   string           `json:"name"`
	Demand plan.DemandState `json:"demand"`
	Prices plan.PricesState `json:"prices"`
	Lost   plan.LostState   `json:"lost"`
}

// savePlans writes the file; housekeeping calls it.
func (b *Bidder) savePlans() {
	if b.cfg.StateDir == "" {
		return
	}
	s := plansState{TimeMS: b.clock.NowMS(), Campaigns: make(map[uint32]plan.LiveState)}
	for i, x := range b.byNumber {
		s.Exchanges = append(s.Exchanges, exchangeState{x.Name, b.demand.State(i), x.market.State(), b.proofs.lost.State(i)})
	}
	now := b.state.Load()
	for i, c := range now.Snapshot.Campaigns {
		if p := b.refusals.pacerOf(c.ID); p != nil && now.paces[i] != nil {
			s.Campaigns[c.ID] = p.live.State()
		}
	}
	text, err := json.Marshal(s)
	if err == nil {
		text, err = durable.Seal(plansFormat, text)
	}
	if err == nil {
		err = durable.ReplaceBytes(filepath.Join(b.cfg.StateDir, plansFile), 0o600, text)
	}
	if err != nil {
		b.metrics.checkpointFails.Inc()
		b.log.Error("what the plans learned is not written, will be tried again", "err", err)
	}
}

// recallPlans reads the file, before the first campaign is known.
func (b *Bidder) recallPlans() {
	if b.cfg.StateDir == "" {
		return
	}
	text, err := os.ReadFile(filepath.Join(b.cfg.StateDir, plansFile))
	var s plansState
	if err == nil {
		text, err = durable.UnsealOrBefore(plansFormat, text)
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			b.log.Error("what the plans learned is not readable; they begin anew", "err", err)
		}
		return
	}
	same := len(s.Exchanges) == len(b.byNumber)
	for i, e := range s.Exchanges {
		x := b.exchanges[e.Name]
		if x == nil {
			same = false
			continue
		}
		same = same && int(x.number) == i
		b.demand.Restore(int(x.number), e.Demand)
		x.market.Restore(e.Prices)
		b.proofs.lost.Restore(int(x.number), e.Lost)
	}
	if !same { // campaigns' shares are by the exchanges' numbers
		for id, c := range s.Campaigns {
			c.Asked, c.Spent = nil, nil
			s.Campaigns[id] = c
		}
	}
	b.refusals.saved = s.Campaigns
}
