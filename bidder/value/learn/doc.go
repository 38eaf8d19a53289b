// Package learn trains the models of package value from the event stream:
// impressions, clicks and orders go in, a value.Model comes out. It is the
// slow side; the learner role runs it, never a bidder.
//
// One FTRL-Proximal learner holds the global part, over placement features of
// all shops, and one small learner each shop's, over that shop's own events,
// with the global part's log-odds as an offset. A weight of the global part
// is given out only when at least K shops contributed to it.
//
// One goroutine at a time may call a Trainer. In memory only: time comes with
// the events.
package learn
