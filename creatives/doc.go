// Package creatives is what is shown: it chooses products for a user and
// renders a bid's markup as an HTML5 banner, an OpenRTB Native response or a
// VAST document.
//
// It is the last stage before the response is written, and hot: every render
// function appends to the caller's buffer, keeps no state and allocates
// nothing once that buffer has grown. The budget is 3 µs for a banner. All
// functions are safe for many goroutines as long as each has its own buffer
// and its own input struct. Neighbours: campaigns gives shops and products,
// the bidder gives signed URLs (Links) and writes the result into bid.adm;
// creatives/feed, the slow edge, reads product feeds; creatives/demo holds two
// small videos. It must not import bidder, pacing, events or reporting.
//
// Two sorts of text meet here. Links come from the bidder and are trusted: they
// are escaped for their place, but macros of exchanges, such as
// ${AUCTION_PRICE}, survive. Everything from a shop (titles, names, image
// URLs) is hostile: invalid UTF-8, control and direction-override characters
// are removed, every byte is escaped for its place, macros are broken up, and
// only https URLs pass.
package creatives
