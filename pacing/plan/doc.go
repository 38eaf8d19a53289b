// Package plan decides how much of its value a campaign bids, so that a day's
// budget buys the most value: never more than the budget, and all of it when
// there is enough worth buying.
//
// One Controller is one campaign. It is fed what happens (requests with their
// value, wins with their cost, late, out of order or never) and plans anew
// every ten seconds or 300 requests: of the money that is left, minus what
// was won and is not reported yet, over the requests that are still to come,
// what may one request spend; and which multiplier k of the value spends that.
//
//	controller.go  the calls, one bid
//	replan.go      the plan: the multiplier, the guard against overspending
//	traffic.go     how many requests are still to come
//	curve.go       spend per request by multiplier, second price
//	market.go      win rate by bid and placement; shade.go the best bid, first price
//	delay.go       how late notices come
//	open.go        bids whose fate is not known yet
//	survey.go      which share of wins is never reported; probe.go bids that tell, first price
//	charge.go      campaigns that are billed by clicks
//
// A running bidder plans by counts instead of single bids:
//
//	live.go        one campaign's plan; pace.go what bids read and write of it
//	demand.go      the forecast of requests that all campaigns share
//	prices.go      what first-price auctions are won for
//
// In a second-price auction a bid is k × value, k at most 1. In a first-price
// one it is the bid b that maximises (k·value − b) × P(win | b).
//
// Money that is counted (the budget, what was reported) is integer. What is
// only foretold (rates, multipliers, spend to be expected) is float64 and
// never booked.
//
// The clock is the caller's: seconds of the campaign's day, with every call.
// A Controller belongs to one goroutine. A bid costs about a microsecond,
// plans included, and allocates only where a day's memory of bids grows. It
// starts no goroutine, touches no disk and imports nothing of Grosz but
// internal/money.
package plan
