// Package learner is the role that learns what impressions are worth: it
// follows the log, trains (bidder/value/learn) and publishes models to the
// topic grosz.models, which bidders put in force. Bidders never train.
//
//	learner.go  following, in the order of time; the owner of everything
//	fold.go     what each event teaches
//	pending.go  bids whose fate is not known yet
//	state.go    what is kept on disk, with the log's offsets
//	publish.go  models, and the metrics
//
// Slow: Kafka and files. What it knows is a fold of the log: a restart goes on
// from its state and the offsets stored with it; without a state it reads what
// the log still has. It must not import bidder.
package learner
