// Package bidder is the hot path: an OpenRTB bid request comes in, an answer
// goes out, from memory alone. One file is one stage, in the order a request
// walks through them:
//
//	server.go      route, body, deadline
//	overload.go    is there time for it at all
//	openrtb/       the request view
//	bid.go         the stages in order
//	candidates.go  what the request says, and which campaigns it may concern
//	value.go       what the impression is worth to each
//	filter.go      which of them the request allows, each refusal with a reason
//	price.go       floor, currency, the bid
//	pace.go        may it be spent; hold for the winner only
//	respond.go     the response, its creative and signed URLs
//	selfcheck.go   the written bid against its request, by other code
//
// and a notice through
//
//	notice.go      verify the token, find what it means
//	settle.go      book it, durable in the spool before it is acknowledged
//	click.go       clicks, and where they lead
//
// What shops send comes in through collect.go (events) and pixel.go;
// follow.go brings campaigns, profiles and settlements in from the log,
// checkpoint.go and recall.go what was known before a restart. Who a person is
// and may be, is in privacy/, sync.go, optout.go and erase.go; explain.go tells
// why a campaign does not bid; traffic/ knows machines from people.
//
// Everything a bid reads is one immutable State behind an atomic pointer,
// loaded once per request, beside the profile store, the budget book and the
// frequency counts, which are safe for many goroutines. A bid allocates
// nothing at steady state and waits for neither disk nor network.
package bidder
