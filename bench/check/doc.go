// Package check judges a bidder's HTTP answer against the bid request that
// caused it, as a strict exchange would, and names every breach with the
// section of the OpenRTB 2.6 specification (or of its implementation guide,
// "I", or of the Native and VAST standards) behind it.
//
// It is the independent check: it shares no code with the bidder, reads the
// request leniently (odd shapes are common in real traffic) and the answer
// strictly. The simulated exchange and the replay tool are its callers. Slow;
// safe for many goroutines: nothing here keeps state. Imports internal/money
// only.
package check
