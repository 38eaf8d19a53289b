package sim

import "github.com/grosz/grosz/internal/money"

// Outcome of an auction for one imp.
type Outcome struct {
	Winner int // index into the bids, -1 if none reached the floor
	Clear  money.CPM
	// MinToWin for the winner: what would tie with the next bid, or the
	// floor. For the losers: what would tie with the winner (4.4.1).
	WinnerMin money.CPM
	LoserMin  money.CPM
}

// Auction sells one imp: bids and floor are micro-CPM of one currency. The
// first of equal bids wins, so a tie clears at the bid.
func (x *Exchange) Auction(floor money.CPM, bids []money.CPM) Outcome {
	o := Outcome{Winner: -1}
	second, eligible := money.CPM(0), 0
	for i, b := range bids {
		if b <= 0 || b < floor {
			continue
		}
		eligible++
		switch {
		case o.Winner < 0:
			o.Winner = i
		case b > bids[o.Winner]:
			second = bids[o.Winner]
			o.Winner = i
		case b > second:
			second = b
		}
	}
	if o.Winner < 0 {
		return o
	}
	own := bids[o.Winner]
	base := max(floor, second)
	o.Clear = own
	if x.Kind == SecondPrice {
		o.Clear = min(own, base+x.Increment)
		if eligible == 1 && !x.LoneIncrement {
			o.Clear = min(own, floor)
			if floor <= 0 { // nothing to pay is no price: the increment is the least
				o.Clear = min(own, x.Increment)
			}
		}
	}
	o.WinnerMin, o.LoserMin = base, o.Clear
	return o
}
