// Package forecast works out what a campaign is likely to bring, with
// intervals: from the bids that the engine would have made on a sample of
// requests (Replay), or, for a shop that has nothing but figures of its own,
// from those (Figures).
//
// It owns the statistics only: which win rate a price has in a market
// (market.go: learned of what was bid and won, losers' prices being unknown;
// curve.go), how days differ (traffic.go), caps (capped.go), budget
// (budget.go), how a sample of people speaks for all and of some days for a
// month (replay.go), and the words (words.go). The bids come from
// bidder/forecast.go.
//
// Slow side, pure: no clock, no network, randomness from a seed. Safe for many
// goroutines. Imports internal only.
package forecast
